import { expect, test } from 'vitest';
import { HttpFailure, type HttpRequest } from '../../../src/kernel/http.ts';
import { sandboxHttp } from '../../../src/sandbox/http-port.ts';
import type { Fault } from '../../../src/sandbox/misbehaviour.ts';
import { createSandboxCore, type SandboxOptions } from '../../../src/sandbox/sandbox.ts';
import { callerOf, PROJECT, sandboxForTest } from './client.ts';

function port(options: SandboxOptions = {}) {
  let now = Date.UTC(2025, 0, 9);
  const slept: number[] = [];
  const clock = {
    now: () => now,
    monotonic: () => now,
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted();
      now += ms;
      slept.push(ms);
    },
  };
  const random = { bytes: (count: number) => new Uint8Array(count).fill(7) };
  const core = createSandboxCore({ clock, random, project: PROJECT, apiKey: 'key', ...options });
  const http = sandboxHttp(core, clock);
  const request = (change: Partial<HttpRequest> = {}) =>
    http.request({
      method: 'POST',
      url: 'https://anywhere.example/collections/users/query',
      headers: { 'X-API-Key': 'key' },
      body: [Buffer.from('{"limit"'), Buffer.from(':5}')],
      timeoutMs: 1000,
      bodyBytesMax: 10_000,
      repeatable: true,
      ...change,
    });
  return { core, request, slept };
}

test('answers as the socket does, byte for byte', async () => {
  const { core, request } = port();
  const clock = { now: () => Date.UTC(2025, 0, 9), monotonic: () => 0, sleep: async () => {} };
  const { sandbox } = await sandboxForTest({
    clock,
    random: { bytes: (count) => new Uint8Array(count).fill(7) },
  });
  const call = callerOf(sandbox);
  for (const one of [core, sandbox]) one.insert('users', '{ "id":"a/ü", "n":1.0}');
  const base = `/v1/projects/${PROJECT}/database`;
  const paths = [
    `${base}/tables`,
    `${base}/tables/users/rows?limit=3&skip=0`,
    '/collections/users/documents/a%2F%C3%BC',
    '/x',
  ];
  for (const path of paths) {
    const there = await call('GET', path);
    const here = await request({ method: 'GET', url: `https://anywhere.example${path}`, body: [] });
    expect([here.status, Buffer.from(here.body).toString()]).toEqual([there.status, there.text]);
    expect(here.headers['content-type']).toBe(there.headers.get('content-type'));
  }
});

test.each<[Fault, string]>([
  [{ kind: 'lost' }, 'cut'],
  [{ kind: 'cut', framing: 'length' }, 'cut'],
  [{ kind: 'cut', framing: 'chunked' }, 'cut'],
  [{ kind: 'cut', framing: 'gzip' }, 'cut'],
  [{ kind: 'stall', where: 'head', ms: 5000 }, 'timeout'],
  [{ kind: 'stall', where: 'body', ms: 500 }, 'cut'],
])('a client sees %o as %s', async (fault, kind) => {
  const { request } = port({ misbehaviour: { faults: [fault] } });
  const failure = await request().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(HttpFailure);
  expect((failure as HttpFailure).kind).toBe(kind);
});

test('a body that only the end of the connection delimits is short without a failure', async () => {
  const { request } = port({ misbehaviour: { faults: [{ kind: 'cut', framing: 'close', times: 1 }] } });
  const short = await request();
  const whole = await request();
  expect(short.body).toEqual(whole.body.subarray(0, whole.body.length >> 1));
});

test('latency passes on the clock, and is a timeout where it is too long', async () => {
  const { core, request, slept } = port({ misbehaviour: { latencyMs: 250 } });
  expect((await request()).status).toBe(200);
  expect(slept).toEqual([250]);
  core.misbehave({ latencyMs: 60_000 });
  await expect(request()).rejects.toMatchObject({ kind: 'timeout' });
  expect(slept).toEqual([250, 1000]);
});

test('an answer beyond the limit is too large, one that nobody wants is dropped', async () => {
  const { core, request } = port();
  core.insert('users', JSON.stringify({ long: 'x'.repeat(20_000) }));
  await expect(request()).rejects.toMatchObject({ kind: 'too-large' });
  expect((await request({ bodyBytesMax: 1e6, wantBody: false })).body).toHaveLength(0);
  expect((await request({ headers: {}, wantBody: false })).body.length).toBeGreaterThan(0);
});

test('an aborted request does nothing', async () => {
  const { core, request } = port();
  await expect(request({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  expect(core.requests).toBe(0);
});

test('the same clock and chance give the same history', async () => {
  const history = async () => {
    const { core, request } = port({
      misbehaviour: { shuffleTies: true, faults: [{ kind: 'error', rate: 0.3 }] },
    });
    const texts: string[] = [];
    for (let n = 0; n < 30; n++) {
      const body = [Buffer.from(`{"data":{"n":${n}}}`)];
      const answer = await request({ url: 'https://x.example/collections/users/documents', body });
      texts.push(Buffer.from(answer.body).toString(), Buffer.from((await request()).body).toString());
    }
    return texts.join('\n') + core.digest();
  };
  expect(await history()).toBe(await history());
});

test('takes and gives bodies in pieces', async () => {
  const { core, request } = port();
  const content = Buffer.alloc(3_000_000, 'abc');
  const form = '--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n';
  const body = {
    length: content.length,
    async *pieces() {
      yield Buffer.from(form);
      yield content;
      yield Buffer.from('\r\n--b--');
    },
  };
  const headers = { 'X-API-Key': 'key', 'content-type': 'multipart/form-data; boundary=b' };
  expect((await request({ url: 'https://anywhere.example/storage/upload', headers, body })).status).toBe(201);
  expect(core.object('x')?.equals(content)).toBe(true);

  const download = { method: 'GET', url: 'https://anywhere.example/storage/download/x', body: [] } as const;
  const taken: Buffer[] = [];
  const receive = (head: { headers: Readonly<Record<string, string>> }) => {
    expect(head.headers['content-length']).toBe('3000000');
    return (piece: Uint8Array) => void taken.push(Buffer.from(piece));
  };
  expect(await request({ ...download, receive })).toMatchObject({ status: 200, body: new Uint8Array(0) });
  expect(Buffer.concat(taken).equals(content)).toBe(true);
  taken.length = 0;
  core.misbehave({ faults: [{ kind: 'cut', framing: 'length' }] });
  await expect(request({ ...download, receive })).rejects.toMatchObject({ kind: 'cut' });
  expect(Buffer.concat(taken).length).toBe(1_500_000);
});
