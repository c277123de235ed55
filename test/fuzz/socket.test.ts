import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlatform } from '../../src/platform/platform.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { ZerodbClient } from '../../src/zerodb/client.ts';
import { readList } from '../../src/zerodb/pages.ts';
import { listTables } from '../../src/zerodb/tables.ts';
import { attempt, bufferBytesOf, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { untrusted } from '../support/mutations.ts';
import { type RawServer, startRawServer } from '../support/raw-server.ts';
import { testPlatform } from '../support/test-platform.ts';

const SECRET = 'canary-4711';
const MIB = 1 << 20;

function http(body: string | Uint8Array, ...headers: readonly string[]): Buffer {
  const bytes = Buffer.from(body as Uint8Array);
  const head = ['HTTP/1.1 200 OK', `content-length: ${bytes.length}`, ...headers, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), bytes]);
}

const LIST = '{"tables":[{"table_name":"users","schema":{}},{"name":"logs"}],"total":2}';
const ANSWERS = [
  http(LIST, 'content-type: application/json'),
  http(gzipSync(LIST), 'content-type: application/json', 'content-encoding: gzip'),
  Buffer.from(
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n${LIST.slice(0, 16)}\r\n39\r\n${LIST.slice(16)}\r\n0\r\n\r\n`,
  ),
  Buffer.from('HTTP/1.1 429 Too Many Requests\r\nretry-after: 120\r\ncontent-length: 2\r\n\r\n{}'),
  Buffer.from(`HTTP/1.1 403 Forbidden\r\ncontent-length: 26\r\n\r\n{"detail":"${SECRET}"}..`),
  Buffer.from('HTTP/1.1 302 Found\r\nlocation: https://elsewhere/\r\ncontent-length: 0\r\n\r\n'),
  Buffer.from(`HTTP/1.1 503 Unavailable\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>`),
];

let server: RawServer;
let answer: Buffer = ANSWERS[0]!;
beforeAll(async () => {
  server = await startRawServer((socket) => socket.end(answer));
});
afterAll(() => server[Symbol.asyncDispose]());

const clientOptions = { apiKey: { value: SECRET, name: 'ZERODB_API_KEY' }, timeoutMs: 2000 };

it('whatever stands on the wire, it is an answer or a BackupError', FUZZ_TIMEOUT, async () => {
  await fuzz(
    fc.tuple(untrusted(ANSWERS), fc.constantFrom('list', 'tables', 'open')),
    800,
    async ([bytes, what]) => {
      answer = bytes;
      const platform = testPlatform();
      try {
        const client = new ZerodbClient(platform, { baseUrl: server.url, ...clientOptions });
        const request = { method: 'GET', path: ['x'], repeatable: true } as const;
        const tried = await attempt<unknown>(() => {
          if (what === 'list') return readList(client, request, { task: 'read' });
          if (what === 'tables') return listTables(client, ['v1']);
          return openZerodbSource(platform, { baseUrl: server.url, project: 'p1', ...clientOptions });
        });
        if ('value' in tried) return;
        expect(tried.error.message).not.toContain(SECRET);
        expect(tried.error.message).not.toMatch(/\p{Cc}/u);
      } finally {
        await platform.http.close();
      }
    },
  );
});

it.each([
  ['a length of 9 EB', Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n[]')],
  ['a length of 4 GB', Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 4294967295\r\n\r\n[]')],
  ['a chunk of 4 GB', Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n[]')],
  [
    'a gigabyte of blanks in a megabyte',
    http(gzipSync(Buffer.alloc(1 << 30, ' '), { level: 1 }), 'content-encoding: gzip'),
  ],
])('an answer that claims %s gets no memory for it', async (_, bytes) => {
  answer = bytes;
  const platform = createPlatform();
  try {
    const request = {
      method: 'GET',
      url: server.url,
      headers: {},
      timeoutMs: 2000,
      repeatable: true,
    } as const;
    let failed: unknown;
    const most = await bufferBytesOf(() =>
      platform.http.request({ ...request, bodyBytesMax: 16 * MIB }).catch((thrown: unknown) => {
        failed = thrown;
      }),
    );
    expect((failed as { kind?: string }).kind).toMatch(/^(too-large|cut)$/);
    expect(most).toBeLessThan(64 * MIB);
  } finally {
    await platform.http.close();
  }
});
