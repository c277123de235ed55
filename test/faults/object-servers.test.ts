import { describe, expect, it } from 'vitest';
import type { Http } from '../../src/kernel/http.ts';
import { sandboxHttp } from '../../src/sandbox/http-port.ts';
import type { SandboxRequest } from '../../src/sandbox/message.ts';
import { GOOD_STORAGE } from '../../src/sandbox/misbehaviour.ts';
import { createSandboxCore } from '../../src/sandbox/sandbox.ts';
import { onePiece, readObject } from '../../src/stores/store.ts';
import { openZerodbStore } from '../../src/stores/zerodb.ts';
import { ZerodbConnection } from '../../src/zerodb/connection.ts';
import { backupError } from '../support/expected-errors.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { testPlatform } from '../support/test-platform.ts';
import { serveStore } from '../support/zerodb-store.ts';

const KEY = 'backups/users_full_20250109_143000.json.gz';
const LARGE = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 7 + (at >> 8)) & 255));

describe('two objects under one key', () => {
  it('mean the older one, everywhere, and go together', async () => {
    await using served = await serveStore(['B']);
    served.sandbox.putObject(KEY, Buffer.from('older'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    served.sandbox.putObject(KEY, Buffer.from('newer one'));
    for (const store of [served.store, served.reopen()]) {
      expect(await Array.fromAsync(store.list('backups/'))).toEqual([{ key: KEY, size: 5 }]);
      expect((await readObject(store, KEY, 100)).toString()).toBe('older');
      expect(await store.size(KEY)).toBe(5);
      await expect(store.put(KEY, onePiece(Buffer.from('third')))).rejects.toEqual(
        backupError('STORE_EXISTS'),
      );
    }
    await served.store.remove(KEY);
    expect(served.sandbox.objects).toEqual([]);
    await expect(readObject(served.reopen(), KEY, 100)).rejects.toEqual(backupError('STORE_MISSING'));
  });
});

describe('a server that', () => {
  /** Dialect A in memory, whose answers somebody changes on their way. */
  function changed(change: (http: Http) => Http['request']) {
    const platform = testPlatform();
    const core = createSandboxCore({ dialects: ['A'], clock: platform.clock });
    const http = sandboxHttp(core, platform.clock);
    const directory = temporaryDirectory();
    const connection = new ZerodbConnection(
      { ...platform, http: { request: change(http), close: async () => {} } },
      { baseUrl: 'https://zerodb.example', apiKey: { value: core.apiKey, name: 'ZERODB_API_KEY' } },
    );
    const store = openZerodbStore(connection, directory.path);
    return { core, store, [Symbol.dispose]: directory[Symbol.dispose] };
  }

  it('tells no facts of single objects is asked for its list', async () => {
    using world = changed((http) => (request) => http.request(request));
    world.core.misbehave({ faults: [{ kind: 'error', status: 404, on: /\/metadata\// }] });
    world.core.putObject(KEY, LARGE);
    await expect(world.store.put(KEY, onePiece(LARGE))).rejects.toEqual(backupError('STORE_EXISTS'));
    expect(await world.store.size(KEY)).toBe(LARGE.length);
    expect(await world.store.size('backups/other')).toBeNull();
  });

  it('keeps objects under other names is an error, and nothing stays', async () => {
    using world = changed((http) => (request) => {
      if (!request.url.endsWith('/upload')) return http.request(request);
      const stripped = 'users_full_20250109_143000.json.gz';
      world.core.putObject(stripped, LARGE);
      const body = Buffer.from(JSON.stringify({ object_name: stripped, size: LARGE.length }));
      return Promise.resolve({ status: 200, headers: {}, body });
    });
    await expect(world.store.put(KEY, onePiece(LARGE))).rejects.toThrow('under another name');
    expect(world.core.objects).toEqual([]);
  });

  it('sends all where a part was asked for is left when the part has come', async () => {
    let taken = 0;
    using world = changed((http) => (request) => {
      const { receive } = request;
      if (receive === undefined) return http.request(request);
      return http.request({
        ...request,
        receive: (head) => {
          const sink = receive(head);
          return (
            sink &&
            ((piece) => {
              taken += piece.length;
              return sink(piece);
            })
          );
        },
      });
    });
    world.core.misbehave({ storage: { ...GOOD_STORAGE, ranges: false } });
    world.core.putObject(KEY, LARGE);
    const part = await Array.fromAsync(world.store.get(KEY, { start: 300_000, end: 300_010 }), (piece) =>
      Buffer.from(piece),
    );
    expect(Buffer.concat(part).equals(LARGE.subarray(300_000, 300_010))).toBe(true);
    expect(taken).toBeLessThan(1_000_000);
  });

  it('sends another part than was asked for is an error', async () => {
    using world = changed((http) => (request) => {
      const { receive } = request;
      if (receive === undefined) return http.request(request);
      return http.request({
        ...request,
        receive: (head) =>
          receive({ ...head, headers: { ...head.headers, 'content-range': 'bytes 0-9/3000000' } }),
      });
    });
    world.core.putObject(KEY, LARGE);
    const read = Array.fromAsync(world.store.get(KEY, { start: 10, end: 20 }));
    await expect(read).rejects.toThrow('asked for bytes from 10 on, the server sent bytes 0-9/3000000');
  });
});

describe('links', () => {
  function inMemory(signedOrigin: string) {
    const platform = testPlatform();
    const core = createSandboxCore({ dialects: ['B'], clock: platform.clock });
    core.misbehave({ storage: { ...GOOD_STORAGE, downloads: 'address', signedOrigin } });
    core.putObject(KEY, LARGE);
    const directory = temporaryDirectory();
    const connection = new ZerodbConnection(
      { ...platform, http: sandboxHttp(core, platform.clock) },
      {
        baseUrl: 'https://zerodb.example',
        project: core.project,
        apiKey: { value: core.apiKey, name: 'ZERODB_API_KEY' },
        redaction: platform.redaction,
      },
    );
    const store = openZerodbStore(connection, directory.path);
    return {
      core,
      platform,
      read: () => readObject(store, KEY, LARGE.length),
      [Symbol.dispose]: directory[Symbol.dispose],
    };
  }

  it('to another host get no credentials, and are asked for parts', async () => {
    using world = inMemory('https://objects.example');
    const seen: SandboxRequest[] = [];
    world.core.beforeRequest((request) => seen.push(request));
    expect((await world.read()).equals(LARGE)).toBe(true);
    const followed = seen.filter(({ path }) => path.startsWith('/signed/'));
    expect(followed).toHaveLength(1);
    expect(followed[0]!.headers).not.toHaveProperty('x-api-key');
    expect(followed[0]!.headers).not.toHaveProperty('authorization');
    expect(world.platform.redaction.redact('signature=c2lnbmVkIGJ5IHRoZSBzYW5kYm94')).toBe(
      'signature=[redacted]',
    );
  });

  it('that have ended are asked for again', async () => {
    using world = inMemory('https://objects.example');
    await world.read();
    world.core.misbehave({ faults: [{ kind: 'error', status: 403, times: 1, on: /\/signed\// }] });
    const asked = () => world.core.requestCounts.get('GET {base}/files/{id}/download');
    expect(asked()).toBe(1);
    expect((await world.read()).equals(LARGE)).toBe(true);
    expect(asked()).toBe(2);
  });

  it('that leave encryption are not followed', async () => {
    using world = inMemory('http://objects.example');
    await expect(world.read()).rejects.toThrow('the server names an address that is not safe to use');
    expect([...world.core.requestCounts.keys()]).not.toContain('GET /signed/{id}');
  });
});
