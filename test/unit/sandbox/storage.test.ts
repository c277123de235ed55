import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GOOD_STORAGE, type StorageBehaviour } from '../../../src/sandbox/misbehaviour.ts';
import type { Sandbox, SandboxOptions } from '../../../src/sandbox/sandbox.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { sandboxForTest } from './client.ts';

async function storageForTest(options: SandboxOptions = {}) {
  const { sandbox, call, base } = await sandboxForTest(options);
  const behave = (change: Partial<StorageBehaviour>) =>
    sandbox.misbehave({ storage: { ...GOOD_STORAGE, ...change } });
  const upload = (
    path: string,
    name: string,
    content: string | Uint8Array<ArrayBuffer>,
    field: string | null = null,
  ) => uploadTo(sandbox, path, name, content, field);
  return { sandbox, call, base, behave, upload };
}

async function uploadTo(
  sandbox: Sandbox,
  path: string,
  name: string,
  content: string | Uint8Array<ArrayBuffer>,
  field: string | null,
) {
  const form = new FormData();
  form.append('metadata', '{"size": 1}');
  form.append('file', new Blob([content]), field === null ? name : 'other');
  if (field !== null) form.append(field, name);
  const response = await fetch(sandbox.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${sandbox.apiKey}` },
    body: form,
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape are taken apart by the tests
  return { status: response.status, json: (await response.json()) as any };
}

const bytes = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 255);

describe("dialect A's object storage", () => {
  it('keeps an upload under the name of its file, or of a field', async () => {
    const { sandbox, call, upload } = await storageForTest();
    const { status, json } = await upload('/storage/upload', 'backups/x.json.gz', 'one');
    expect(status).toBe(201);
    expect(json).toMatchObject({ object_name: 'backups/x.json.gz', size: 3 });
    await upload('/storage/upload', 'images/y', 'four', 'path');
    expect(sandbox.objects.map(({ name, size }) => [name, size])).toEqual([
      ['backups/x.json.gz', 3],
      ['images/y', 4],
    ]);
    const { headers, text } = await call('GET', '/storage/download/backups/x.json.gz');
    expect([headers.get('content-length'), text]).toEqual(['3', 'one']);
    expect((await call('GET', '/storage/metadata/backups/x.json.gz')).json).toMatchObject({
      size: 3,
      metadata: '{"size": 1}',
    });
    expect((await call('DELETE', '/storage/delete/backups/x.json.gz')).json).toMatchObject({ success: true });
    for (const path of ['download', 'metadata']) {
      expect((await call('GET', `/storage/${path}/backups/x.json.gz`)).status).toBe(404);
    }
    expect((await call('DELETE', '/storage/delete/backups/x.json.gz')).status).toBe(404);
  });

  it('lists by prefix, a page at a time', async () => {
    const { call, upload } = await storageForTest();
    for (const name of ['a/1', 'a/2', 'b/1', 'a/3']) await upload('/storage/upload', name, name);
    expect((await call('GET', '/storage/list?prefix=a/&limit=2&offset=1')).json).toEqual({
      objects: [
        { name: 'a/2', size: 3 },
        { name: 'a/3', size: 3 },
      ],
      total: 3,
    });
    expect((await call('GET', '/storage/list?offset=4')).json).toEqual({ objects: [], total: 4 });
  });

  it('gives ranges, and whole objects of any size', async () => {
    const { sandbox, upload, behave } = await storageForTest();
    const content = bytes(3_000_001);
    await upload('/storage/upload', 'large', content);
    const get = async (range?: string) => {
      const response = await fetch(`${sandbox.url}/storage/download/large`, {
        headers: { 'x-api-key': sandbox.apiKey, ...(range !== undefined && { range }) },
      });
      const body = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, range: response.headers.get('content-range'), body };
    };
    expect(Buffer.compare((await get()).body, content)).toBe(0);
    const part = await get('bytes=262143-2000000');
    expect([part.status, part.range]).toEqual([206, 'bytes 262143-2000000/3000001']);
    expect(Buffer.compare(part.body, content.subarray(262_143, 2_000_001))).toBe(0);
    expect((await get('bytes=3000000-')).body).toEqual(content.subarray(3_000_000));
    expect((await get('bytes=3000001-')).status).toBe(416);
    behave({ ranges: false });
    const whole = await get('bytes=0-9');
    expect([whole.status, whole.body.length]).toEqual([200, 3_000_001]);
  });
});

describe("dialect B's object storage", () => {
  it('gives ids, and objects by them', async () => {
    const { call, base, upload } = await storageForTest();
    const { json } = await upload(`${base}/storage/upload`, 'manifests/m.json', '{"a":1}', 'key');
    const id = json.file_id as string;
    expect(json).toMatchObject({ file_key: 'manifests/m.json', file_name: 'm.json', size_bytes: 7 });
    expect((await call('GET', `${base}/files?skip=0&limit=10`)).json.files).toEqual([json]);
    expect((await call('GET', `${base}/files/${id}/download`)).text).toBe('{"a":1}');
    expect((await call('DELETE', `${base}/files/${id}`)).status).toBe(204);
    expect((await call('GET', `${base}/files/${id}/download`)).status).toBe(404);
  });

  it('delivers by signed address, by redirect and as base64 too', async () => {
    const { sandbox, call, base, behave, upload } = await storageForTest();
    const { json } = await upload(`${base}/storage/upload`, 'x', 'bytes', 'key');
    const download = () => call('GET', `${base}/files/${json.file_id}/download`);
    behave({ downloads: 'base64' });
    expect((await download()).json.content).toBe(Buffer.from('bytes').toString('base64'));
    behave({ downloads: 'redirect', signedOrigin: sandbox.url });
    expect((await download()).headers.get('location')).toMatch(/\/signed\/.*\?signature=/);
    behave({ downloads: 'address', signedOrigin: sandbox.url });
    const address = (await download()).json.download_url as string;
    expect(await (await fetch(address)).text()).toBe('bytes');
    const withKey = await fetch(address, { headers: { 'x-api-key': sandbox.apiKey } });
    expect(withKey.status).toBe(400);
    expect((await fetch(address.replace('signature=', 'signature=x'))).status).toBe(403);
  });
});

describe('the object storage', () => {
  it('is the same in both dialects, and needs credentials', async () => {
    const { sandbox, call, base, upload } = await storageForTest();
    await upload('/storage/upload', 'x', 'one');
    expect((await call('GET', `${base}/files`)).json.total).toBe(1);
    for (const path of ['/storage/list', `${base}/files`]) {
      expect((await call('GET', path, undefined, {})).status).toBe(401);
    }
    const writes = sandbox.writes;
    const refused = await fetch(`${sandbox.url}/storage/upload`, { method: 'POST', body: formWith('y') });
    expect(refused.status).toBe(401);
    expect(sandbox.writes).toBe(writes);
    expect(sandbox.objects).toHaveLength(1);
  });

  it.each([
    ['replaces', 1, 'two'],
    ['second', 2, 'two'],
    ['refused', 1, 'one'],
  ] as const)('an upload under a taken name: %s', async (sameName, count, content) => {
    const { sandbox, behave, upload } = await storageForTest();
    behave({ sameName });
    await upload('/storage/upload', 'x', 'one');
    expect((await upload('/storage/upload', 'x', 'two')).status).toBe(sameName === 'refused' ? 409 : 201);
    expect(sandbox.objects).toHaveLength(count);
    expect(sandbox.object('x')?.toString()).toBe(content);
  });

  it.each([400, 403, 413, 507] as const)('holds no more than its quota: %i', async (quotaStatus) => {
    const { sandbox, behave, upload } = await storageForTest();
    behave({ quotaBytes: 5, quotaStatus });
    expect((await upload('/storage/upload', 'x', '12345')).status).toBe(201);
    const { status, json } = await upload('/storage/upload', 'y', '1');
    expect([status, json.detail]).toEqual([quotaStatus, 'Storage quota exceeded for this project']);
    expect(sandbox.objects).toHaveLength(1);
  });

  it('can ignore where a list should start, what it should hold and how long it is', async () => {
    const { call, behave, upload } = await storageForTest();
    for (const name of ['a', 'b', 'c']) await upload('/storage/upload', name, name);
    const listed = async (change: Partial<StorageBehaviour>, query: string) => {
      behave(change);
      const { objects, total } = (await call('GET', `/storage/list?${query}`)).json;
      return [objects.map(({ name }: { name: string }) => name).join(''), total];
    };
    expect(await listed({ ignored: ['offset'] }, 'offset=2')).toEqual(['abc', 3]);
    expect(await listed({ ignored: ['prefix'] }, 'prefix=b')).toEqual(['abc', 3]);
    expect(await listed({ listClamp: 2 }, 'limit=10')).toEqual(['ab', 3]);
    expect(await listed({ listClamp: 2, total: 'page' }, 'limit=10')).toEqual(['ab', 2]);
    expect(await listed({ total: 'missing' }, 'offset=1')).toEqual(['bc', undefined]);
    behave({ served: false });
    expect((await call('GET', '/storage/list')).status).toBe(404);
  });

  it('refuses a form that is cut or has no file, and keeps nothing of it', async () => {
    const { sandbox } = await storageForTest();
    const send = async (body: string) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=b', 'x-api-key': sandbox.apiKey };
      return (await fetch(`${sandbox.url}/storage/upload`, { method: 'POST', headers, body })).status;
    };
    const file = '--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\ncontent';
    expect(await send(file)).toBe(400);
    expect(await send(`${file}\r\n--b`)).toBe(400);
    expect(await send('--b\r\ncontent-disposition: form-data; name="key"\r\n\r\nx\r\n--b--')).toBe(422);
    expect(sandbox.objects).toEqual([]);
    expect(await send(`${file}\r\n--b--\r\n`)).toBe(201);
    expect(sandbox.object('x')?.toString()).toBe('content');
  });

  it('is in the directory next time, without what was only half there', async () => {
    using directory = temporaryDirectory();
    const content = bytes(600_000);
    const first = await startSandbox({ directory: directory.path });
    await uploadTo(first, '/storage/upload', 'kept', content, null);
    first
      .receiver({
        method: 'POST',
        path: '/storage/upload',
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
      })!
      .write(Buffer.from('--b\r\ncontent-disposition: form-data; name="file"; filename="half"\r\n\r\nhalf'));
    await first.close();
    await using again = await startSandbox({ directory: directory.path });
    expect(again.objects.map(({ name }) => name)).toEqual(['kept']);
    expect(Buffer.compare(again.object('kept')!, content)).toBe(0);
    expect(readFileSync(`${directory.path}/sandbox.sqlite`).length).toBeGreaterThan(600_000);
  });
});

function formWith(name: string): FormData {
  const form = new FormData();
  form.append('file', new Blob(['x']), name);
  return form;
}
