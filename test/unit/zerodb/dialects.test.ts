import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { PageQuery } from '../../../src/sources/source.ts';
import { openZerodbSource } from '../../../src/sources/zerodb.ts';
import {
  answerJson,
  type ReceivedRequest,
  startHttpServer,
  type TestServer,
} from '../../support/http-server.ts';
import { testPlatform } from '../../support/test-platform.ts';

const API_KEY = { value: 'zdb_0123456789', name: 'ZERODB_API_KEY' };
const bytes = (text: string): Uint8Array => Buffer.from(text);

function openA(server: TestServer) {
  return openZerodbSource(testPlatform(), { baseUrl: `${server.url}/base`, apiKey: API_KEY, dialect: 'A' });
}

function openB(server: TestServer) {
  const prefix = '/v1/projects/{project}/database';
  return openZerodbSource(testPlatform(), { baseUrl: server.url, apiKey: API_KEY, project: 'p1', prefix });
}

/** Method, path and body of each request. */
function sent(server: TestServer): (readonly [string, string, string])[] {
  return server.requests.map(({ method, url, body }) => [method, url, body.toString()]);
}

describe('dialect A', () => {
  it.each<[Partial<PageQuery>, string]>([
    [{}, '{"filters":{},"limit":100,"offset":0}'],
    [
      { offset: 7, sort: { field: 'created_at', direction: 'desc' } },
      '{"filters":{},"limit":100,"offset":7,"sort":{"created_at":"desc"}}',
    ],
    [
      {
        sort: { field: 'key', direction: 'asc' },
        after: { key: bytes(String.raw`"a\u0062\"1"`), operator: '$gt' },
      },
      String.raw`{"filters":{"id":{"$gt":"a\u0062\"1"}},"limit":100,"offset":0,"sort":{"id":"asc"}}`,
    ],
    [
      { after: { key: bytes('1.0'), operator: '$gte' } },
      '{"filters":{"id":{"$gte":1.0}},"limit":100,"offset":0}',
    ],
  ])('asks for pages: %j', async (query, body) => {
    await using server = await startHttpServer((_request, response) =>
      answerJson(response, 200, { documents: [] }),
    );
    const source = await openA(server);
    await source.openCollection('user data').page({ limit: 100, offset: 0, ...query });
    expect(sent(server)).toEqual([['POST', '/base/collections/user%20data/query', body]]);
    expect(server.requests[0]!.headers).toMatchObject({
      'content-type': 'application/json',
      accept: 'application/json',
      'cache-control': 'no-store',
      'x-api-key': API_KEY.value,
      'user-agent': expect.stringMatching(/^zerodb-backup\/\d/),
    });
  });

  it('writes documents with the bytes and the key that it was given', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 201, {}));
    const target = (await openA(server)).openTarget('users');
    await target.insert(bytes(String.raw`"\u0061"`), bytes('{ "n": 1.0 }'));
    await target.insert(null, bytes('{}'));
    await target.replace(bytes(String.raw`"\u0061/b"`), bytes('{"n":2e0}'));
    await target.replace(bytes('42'), bytes('{}'));
    expect(sent(server)).toEqual([
      ['POST', '/base/collections/users/documents', String.raw`{"data":{ "n": 1.0 },"id":"\u0061"}`],
      ['POST', '/base/collections/users/documents', '{"data":{}}'],
      ['PUT', '/base/collections/users/documents/a%2Fb', '{"data":{"n":2e0},"merge":false}'],
      ['PUT', '/base/collections/users/documents/42', '{"data":{},"merge":false}'],
    ]);
  });

  it('takes a 400 that says so for a key that is taken', async () => {
    await using server = await startHttpServer((_request, response) => {
      answerJson(response, 400, { detail: 'Document with this id already exists' });
    });
    const target = (await openA(server)).openTarget('users');
    expect(await target.insert(bytes('"a"'), bytes('{}'))).toEqual({ kind: 'exists' });
  });

  it('needs no request to list or to create collections', async () => {
    await using server = await startHttpServer(() => {});
    const source = await openA(server);
    expect(source.identity).toEqual({
      host: `${new URL(server.url).host}/base`,
      project: null,
      dialect: 'A',
    });
    expect(await source.listCollections()).toBeNull();
    await source.createCollection({ name: 'users', definition: null });
    expect(server.requests).toEqual([]);
  });
});

describe('dialect B', () => {
  it('asks for pages with both ways of saying where they start', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 200, []));
    const source = await openB(server);
    expect(source.identity).toEqual({ host: new URL(server.url).host, project: 'p1', dialect: 'B' });
    await source.openCollection('user data').page({ limit: 100, offset: 7 });
    expect(sent(server)).toEqual([
      ['GET', '/v1/projects/p1/database/tables/user%20data/rows?skip=7&offset=7&limit=100', ''],
    ]);
    expect(server.requests[0]!.headers['content-type']).toBeUndefined();
  });

  it.each([404, 405])(
    'queries where rows cannot be listed (%d), and from then on only queries',
    async (status) => {
      await using server = await startHttpServer((request, response) => {
        if (request.method === 'GET') answerJson(response, status, { detail: 'no such route' });
        else answerJson(response, 200, { total: 12, data: [{ row_id: 'r', row_data: {} }], has_more: true });
      });
      const pages = (await openB(server)).openCollection('users');
      expect(await pages.page({ limit: 5, offset: 0 })).toMatchObject({ total: 12, spans: { count: 1 } });
      await pages.page({ limit: 5, offset: 1 });
      expect(sent(server).map(([method]) => method)).toEqual(['GET', 'POST', 'POST']);
      expect(sent(server)[2]).toEqual([
        'POST',
        '/v1/projects/p1/database/tables/users/query',
        '{"filter":{},"limit":5,"skip":1,"offset":1}',
      ]);
    },
  );

  it('does not query where listing rows works and the collection is unknown', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.url.includes('/users/')) answerJson(response, 200, []);
      else answerJson(response, 404, { detail: 'Table not found' });
    });
    const source = await openB(server);
    await source.openCollection('users').page({ limit: 5, offset: 0 });
    const unknown = source.openCollection('nothing').page({ limit: 5, offset: 0 });
    await expect(unknown).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    expect(sent(server).map(([method]) => method)).toEqual(['GET', 'GET']);
  });

  it('writes rows with the bytes that it was given', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 200, {}));
    const target = (await openB(server)).openTarget('users');
    await target.insert(bytes('"ignored"'), bytes('{ "n": 1.0 }'));
    await target.replace(bytes('"r/1"'), bytes('{"n":2e0}'));
    expect(sent(server)).toEqual([
      ['POST', '/v1/projects/p1/database/tables/users/rows', '{"row_data":{ "n": 1.0 }}'],
      ['PUT', '/v1/projects/p1/database/tables/users/rows/r%2F1', '{"row_data":{"n":2e0}}'],
    ]);
  });

  it.each([
    ['data', '{"data":{}}'],
    ['rows', '{"rows":[{}]}'],
  ])('puts payloads under %s where a 422 asks for that, and remembers it', async (field, body) => {
    await using server = await startHttpServer((request, response) => {
      const isRight = request.body.toString().startsWith(`{"${field}"`);
      const detail = [{ loc: ['body', field], msg: 'field required', type: 'value_error.missing' }];
      answerJson(response, isRight ? 201 : 422, { detail });
    });
    const target = (await openB(server)).openTarget('users');
    expect(await target.insert(null, bytes('{}'))).toEqual({ kind: 'done' });
    expect(await target.insert(null, bytes('{}'))).toEqual({ kind: 'done' });
    expect(sent(server).map((request) => request[2])).toEqual(['{"row_data":{}}', body, body]);
  });

  it('corrects the name of the payload once, not in a loop', async () => {
    await using server = await startHttpServer((request, response) => {
      const wanted = request.body.toString().startsWith('{"row_data"') ? 'data' : 'row_data';
      answerJson(response, 422, { detail: [{ loc: ['body', wanted], msg: 'field required' }] });
    });
    const target = (await openB(server)).openTarget('users');
    await expect(target.insert(null, bytes('{}'))).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
    expect(server.requests).toHaveLength(2);
  });

  it('takes any other 422 for a refusal', async () => {
    await using server = await startHttpServer((_request, response) => {
      answerJson(response, 422, { detail: [{ loc: ['body', 'row_data', 'age'], msg: 'must be a number' }] });
    });
    const target = (await openB(server)).openTarget('users');
    await expect(target.insert(bytes('"k"'), bytes('{}'))).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      object: 'users/"k"',
      message: expect.stringContaining('must be a number'),
    });
    expect(server.requests).toHaveLength(1);
  });
});

describe('one document', () => {
  const reading = async (dialect: 'A' | 'B', key: string, status: number, body: unknown) => {
    await using server = await startHttpServer((_request, response) => {
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    const target = (await (dialect === 'A' ? openA(server) : openB(server))).openTarget('users');
    return { found: await target.document(bytes(key)), sent: sent(server) };
  };

  it('is asked for by its key', async () => {
    expect((await reading('A', String.raw`"\u0061/b"`, 200, { id: 'a/b', data: {} })).sent).toEqual([
      ['GET', '/base/collections/users/documents/a%2Fb', ''],
    ]);
    expect((await reading('B', '"r 1"', 200, { row_id: 'r 1', row_data: {} })).sent).toEqual([
      ['GET', '/v1/projects/p1/database/tables/users/rows/r%201', ''],
    ]);
  });

  it('has the bytes that the server sent, line breaks outside strings becoming spaces', async () => {
    const { found } = await reading('A', '7', 200, '\ufeff\n{"id": 7,\r\n"n":1.0}\n');
    const { spans, lineBreaks } = found!;
    expect([spans.count, lineBreaks]).toEqual([1, 2]);
    expect(Buffer.from(found!.bytes.subarray(spans.start(0), spans.end(0))).toString()).toBe(
      '{"id": 7,  "n":1.0}',
    );
  });

  it.each([
    ['A', 404, { detail: 'Document not found' }],
    ['A', 410, ''],
    ['B', 404, { detail: 'Row not found' }],
    ['B', 404, { detail: 'Not Found', error_code: 'ROW_NOT_FOUND' }],
  ] as const)('is not there: %s %d %j', async (dialect, status, body) => {
    expect((await reading(dialect, '"k"', status, body)).found).toBeNull();
  });

  it.each([
    [404, { detail: 'Not Found' }],
    [404, ''],
    [404, '<html>nothing here</html>'],
    [405, { detail: 'Method Not Allowed' }],
    [404, { detail: 'Table not found', error_code: 'TABLE_NOT_FOUND' }],
    [404, { detail: "Table 'users' not found" }],
    [404, { error: { message: 'Collection users does not exist' } }],
    [404, { detail: 'no such thing', error_code: 'PATH_NOT_FOUND' }],
  ])('is not said to be missing where something else may be: %d %j', async (status, body) => {
    await expect(reading('B', '"k"', status, body)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });

  it.each([
    { id: 'other', data: {} },
    { id: 'k2', data: { id: 'k' } },
    { detail: 'k' },
    { document: { id: 'k', data: {} } },
    [{ id: 'k', data: {} }],
    '{"id":"k","data":{}},',
    '{"id":"k","data":{}},{"id":"k","data":{}}',
    '{"id":"k","data":{}',
    '"k"',
    '',
  ])('is not taken for another, nor for what is no document: %j', async (body) => {
    await expect(reading('A', '"k"', 200, body)).rejects.toMatchObject({
      code: 'SOURCE_MALFORMED',
      object: 'users/"k"',
    });
  });
});

describe('pages', () => {
  const reading = async (answer: (request: ReceivedRequest) => [Record<string, string>, string | Buffer]) => {
    await using server = await startHttpServer((request, response) => {
      const [headers, body] = answer(request);
      response.writeHead(200, headers).end(body);
    });
    return await (await openA(server)).openCollection('users').page({ limit: 100, offset: 0 });
  };

  it.each(['documents', 'rows', 'data', 'items', 'results', 'tables', 'objects'])(
    'come under %s',
    async (name) => {
      const page = await reading(() => [
        {},
        `{"total":7,"note":[9],"${name}":[{"id":1},{"id":2}],"limit":2}`,
      ]);
      expect([page.spans.count, page.total]).toEqual([2, 7]);
    },
  );

  it.each([
    ['a bare list', '[{"id":1}]', undefined],
    ['a mark of its encoding', '\ufeff[{"id":1}]', undefined],
    ['no total', '{"documents":[{"id":1}]}', undefined],
    ['a total that is none', '{"documents":[{"id":1}],"total":-1}', undefined],
    ['a total in words', '{"documents":[{"id":1}],"total":"12"}', undefined],
    ['a total before and after', '{"total":1,"documents":[{"id":1}],"total":12}', 12],
  ])('may have %s', async (_name, body, total) => {
    const page = await reading(() => [{}, body]);
    expect([page.spans.count, page.total]).toEqual([1, total]);
    const [start, end] = [page.spans.start(0), page.spans.end(0)];
    expect(Buffer.from(page.bytes.subarray(start, end)).toString()).toBe('{"id":1}');
  });

  it('tell how many line breaks they lost', async () => {
    const page = await reading(() => [{}, '[\n{"id":\r\n1},\n{"id":"2"}\n]']);
    expect(page.lineBreaks).toBe(2);
    expect((await reading(() => [{}, '[{"id":1}]'])).lineBreaks).toBeUndefined();
  });

  it('may be compressed, which is not asked of a server on the same machine', async () => {
    const page = await reading((request) => {
      expect(request.headers['accept-encoding']).toBe('identity');
      return [{ 'content-encoding': 'gzip' }, gzipSync('[{"id":1}]')];
    });
    expect(page.spans.count).toBe(1);
    await using server = await startHttpServer((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('[{"id":1}]'));
    });
    const baseUrl = server.url.replace('127.0.0.1', '0.0.0.0'); // reaches the same server under a name that tells nothing
    const source = await openZerodbSource(testPlatform(), { baseUrl, dialect: 'A' });
    expect((await source.openCollection('users').page({ limit: 1, offset: 0 })).spans.count).toBe(1);
    expect(server.requests[0]!.headers['accept-encoding']).toBe('gzip');
  });
});
