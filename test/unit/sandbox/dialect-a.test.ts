import { describe, expect, test } from 'vitest';
import { idsOf, sandboxForTest } from './client.ts';

const QUERY = '/collections/users/query';
const DOCUMENTS = '/collections/users/documents';

describe('dialect A', () => {
  test('keeps a document byte for byte, line breaks, escapes and duplicate keys included', async () => {
    const { sandbox, call } = await sandboxForTest();
    const payload =
      '{ "b" : 1.0,\r\n\t"a":"\\u00e9é😀", "n":9007199254740993, "b":1e400,"__proto__":{"x":[-0]} }';
    const created = await call('POST', DOCUMENTS, `{"id":"u1","data":${payload} ,"x":1}`);
    expect(created.status).toBe(201);
    expect((await call('POST', QUERY, '{}')).text).toContain(`{"id":"u1","data":${payload},"created_at":"`);
    expect((await call('GET', `${DOCUMENTS}/u1`)).text).toContain(`"data":${payload},`);
    expect([...sandbox.documents('users')].map(({ data }) => data.toString())).toEqual([payload]);
  });

  test('takes the id that the client gives, or makes a UUID, and refuses one that is taken', async () => {
    const { sandbox, call } = await sandboxForTest();
    expect((await call('POST', DOCUMENTS, '{"data":{"a":1},"id":"mine"}')).json.id).toBe('mine');
    expect((await call('POST', DOCUMENTS, '{"data":{"id":"inner"}}')).json.id).toMatch(/^[0-9a-f-]{36}$/);
    const taken = await call('POST', DOCUMENTS, '{"data":{"a":2},"id":"mine"}');
    expect([taken.status, taken.json.detail]).toEqual([409, 'Document already exists: mine']);
    expect((await call('GET', `${DOCUMENTS}/mine`)).json.data).toEqual({ a: 1 });
    expect(sandbox.writes).toBe(2);
  });

  test('addresses any id that a path can hold when it is percent-encoded', async () => {
    const { call } = await sandboxForTest();
    for (const id of ['a/b', '..', '%2e', 'ü 😀\n"', 'x'.repeat(4000)]) {
      await call('POST', DOCUMENTS, JSON.stringify({ id, data: { was: id } }));
      const path = `${DOCUMENTS}/${encodeURIComponent(id).replaceAll('.', '%2E')}`;
      // the URL parser of fetch folds dots, however they are written
      if (id !== '..') expect((await call('GET', path)).json).toMatchObject({ id, data: { was: id } });
    }
    expect(idsOf(await call('POST', QUERY, '{"limit":100}'))).toHaveLength(5);
  });

  test('replaces with merge false, splices members with merge true, which is the default', async () => {
    const { call } = await sandboxForTest();
    await call('POST', DOCUMENTS, '{"id":"u","data":{"keep": 1.0,"change":{"a":1}}}');
    const merged = await call('PUT', `${DOCUMENTS}/u`, '{"data":{"new":[ 2 ],"change":3e0}}');
    expect(merged.text).toContain('"data":{"keep": 1.0,"change":3e0,"new":[ 2 ]},');
    const replaced = await call('PUT', `${DOCUMENTS}/u`, '{"data":{"only":1},"merge":false}');
    expect(replaced.text).toContain('"data":{"only":1},');
    expect(replaced.json.updated_at > replaced.json.created_at).toBe(true);
  });

  test('deletes, and knows nothing of what is not there', async () => {
    const { call } = await sandboxForTest();
    await call('POST', DOCUMENTS, '{"id":"u","data":{}}');
    expect((await call('DELETE', `${DOCUMENTS}/u`)).json).toEqual({ success: true, id: 'u' });
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const body = method === 'PUT' ? '{"data":{}}' : undefined;
      const answer = await call(method, `${DOCUMENTS}/u`, body);
      expect([answer.status, answer.json]).toEqual([404, { detail: 'Document not found' }]);
    }
  });

  test('pages, 10 documents by default, with the true total', async () => {
    const { sandbox, call } = await sandboxForTest();
    for (let n = 0; n < 25; n++) sandbox.insert('users', '{}', { key: `k${String(n).padStart(2, '0')}` });
    const first = await call('POST', QUERY, '{"sort":{"id":"asc"}}');
    expect(first.json).toMatchObject({ total: 25, limit: 10, offset: 0 });
    expect(idsOf(first)[9]).toBe('k09');
    const last = await call('POST', QUERY, '{"sort":{"id":"desc"},"limit":20,"offset":20}');
    expect(idsOf(last)).toEqual(['k04', 'k03', 'k02', 'k01', 'k00']);
    expect(last.json.offset).toBe(20);
    expect(idsOf(await call('POST', QUERY, '{"offset":1000000000}'))).toEqual([]);
  });

  test('sorts ids by their UTF-8 bytes', async () => {
    const { sandbox, call } = await sandboxForTest();
    const ids = ['b', 'a', '～', '😀', 'A', 'é', 'a😀', 'a～', '10', '9'];
    for (const key of ids) sandbox.insert('users', '{"n":1}', { key });
    const expected = ids.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    expect(idsOf(await call('POST', QUERY, '{"sort":{"id":"asc"},"limit":99}'))).toEqual(expected);
    const above = await call('POST', QUERY, '{"sort":{"id":"asc"},"filters":{"id":{"$gt":"a～"}}}');
    expect(idsOf(above)).toEqual(['a😀', 'b', 'é', '～', '😀']);
  });

  test('sorts by a field of the payload: documents without it first, ties in order of insertion', async () => {
    const { sandbox, call } = await sandboxForTest();
    const values = ['"～"', '2', '10', null, '"😀"', '2', 'true', '"a"', 'null'];
    for (const [n, value] of values.entries()) {
      sandbox.insert('users', value === null ? '{}' : `{"v":${value}}`, { key: `k${n}` });
    }
    const sorted = await call('POST', QUERY, '{"sort":{"v":"asc"},"limit":99}');
    expect(idsOf(sorted)).toEqual(['k3', 'k8', 'k6', 'k1', 'k5', 'k2', 'k7', 'k0', 'k4']);
    const descending = await call('POST', QUERY, '{"sort":{"v":"desc"},"limit":99}');
    expect(idsOf(descending).slice(4, 7)).toEqual(['k1', 'k5', 'k6']);
  });

  test('filters by equality and by operators, on the id and on fields', async () => {
    const { sandbox, call } = await sandboxForTest();
    for (let n = 0; n < 10; n++) {
      sandbox.insert('users', `{"n":${n},"even":${n % 2 === 0},"deep":{"n":[${n}]}}`, { key: `k${n}` });
    }
    const found = async (filters: string) => {
      const answer = await call('POST', QUERY, `{"filters":${filters},"sort":{"id":"asc"},"limit":99}`);
      expect(answer.json.total).toBe(answer.json.documents.length);
      return idsOf(answer).join(' ');
    };
    expect(await found('{"n":3}')).toBe('k3');
    expect(await found('{"deep":{"n":[3]}}')).toBe('k3');
    expect(await found('{"n":{"$gt":3,"$lte":6}}')).toBe('k4 k5 k6');
    expect(await found('{"n":{"$gte":8},"even":true}')).toBe('k8');
    expect(await found('{"n":{"$lt":2}}')).toBe('k0 k1');
    expect(await found('{"n":{"$in":[1,"2",99]}}')).toBe('k1');
    expect(await found('{"n":{"$gt":"a"}}')).toBe('');
    expect(await found('{"id":{"$gte":"k8"}}')).toBe('k8 k9');
    expect(await found('{"id":"k4"}')).toBe('k4');
    expect(await found('{"id":{"$in":["k4","k7"]}}')).toBe('k4 k7');
    expect(await found('{"id":{"$gte":"k2","$lt":"k4"},"even":true}')).toBe('k2');
    expect((await call('POST', QUERY, '{"filters":{"n":{"$regex":"x"}}}')).status).toBe(400);
  });

  test('in the flat shape an item is the payload, which shows its id', async () => {
    const { call } = await sandboxForTest({ shape: 'flat' });
    await call('POST', DOCUMENTS, '{"data":{ "n": 1.0 ,"id":"own"}}');
    await call('POST', DOCUMENTS, '{"data":{"n":2},"id":"given"}');
    await call('POST', DOCUMENTS, '{"data":{ },"id":"bare"}');
    const answer = await call('POST', QUERY, '{"sort":{"id":"asc"}}');
    expect(answer.text).toContain(
      '"documents":[{"id":"bare" },{"id":"given","n":2},{ "n": 1.0 ,"id":"own"}],',
    );
    expect((await call('GET', `${DOCUMENTS}/own`)).text).toBe('{ "n": 1.0 ,"id":"own"}');
    const conflict = await call('PUT', `${DOCUMENTS}/own`, '{"data":{"id":"else"},"merge":false}');
    expect(conflict.status).toBe(422);
    expect((await call('POST', DOCUMENTS, '{"data":{"id":"else"},"id":"one"}')).status).toBe(422);
  });

  test('an unknown collection is empty, or missing if told so', async () => {
    const empty = await sandboxForTest();
    const nothing = { documents: [], total: 0, limit: 10, offset: 0 };
    expect((await empty.call('POST', QUERY, '{}')).json).toEqual(nothing);
    expect(empty.sandbox.collections).toEqual([]);
    const missing = await sandboxForTest({ unknownCollection: 'missing' });
    expect((await missing.call('POST', QUERY, '{}')).status).toBe(404);
  });

  test.each([
    ['no data', '{"id":"x"}', ['body', 'data'], 'field required'],
    ['data that is no object', '{"data":[1]}', ['body', 'data'], 'value is not a valid dict'],
    ['an empty id', '{"data":{},"id":""}', ['body', 'id'], 'str type expected'],
    ['a number as id', '{"data":{},"id":5}', ['body', 'id'], 'str type expected'],
    ['half a character as id', '{"data":{},"id":"\\ud800"}', ['body', 'id'], 'str type expected'],
    ['JSON that is none', '{"data":{"a":nope}}', ['body'], null],
    ['a list', '[]', ['body'], 'value is not a valid dict'],
  ])('refuses %s with 422', async (_, body, loc, message) => {
    const { sandbox, call } = await sandboxForTest();
    const answer = await call('POST', DOCUMENTS, body);
    expect(answer.status).toBe(422);
    expect(answer.json.detail[0].loc).toEqual(loc);
    if (message !== null) expect(answer.json.detail[0].msg).toBe(message);
    expect(sandbox.writes).toBe(0);
    expect(sandbox.documentCount('users')).toBe(0);
  });

  test('refuses bytes that are not UTF-8', async () => {
    const { sandbox } = await sandboxForTest();
    const body = Buffer.concat([
      Buffer.from('{"data":{"a":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}}'),
    ]);
    const headers = { 'x-api-key': sandbox.apiKey };
    const answer = await fetch(sandbox.url + DOCUMENTS, { method: 'POST', headers, body });
    expect([answer.status, sandbox.documentCount('users')]).toEqual([422, 0]);
  });

  test.each(['{"limit":0}', '{"limit":1001}', '{"limit":"5"}', '{"offset":-1}', '{"sort":{"a":"up"}}'])(
    'refuses the query %s with 422',
    async (body) => {
      const { call } = await sandboxForTest();
      expect((await call('POST', QUERY, body)).status).toBe(422);
    },
  );

  test('answers 404 to paths of no dialect and 405 to methods that a path does not have', async () => {
    const { call } = await sandboxForTest({ dialects: ['A'] });
    for (const path of [
      '/',
      '/storage/lists',
      '/collections/users',
      '/collections/a/documents/b/c',
      '/%zz',
    ]) {
      expect((await call('GET', path)).status).toBe(404);
    }
    expect((await call('GET', QUERY)).status).toBe(405);
    expect((await call('GET', '/health')).json).toEqual({ status: 'healthy' });
  });
});
