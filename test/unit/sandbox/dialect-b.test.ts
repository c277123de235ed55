import { describe, expect, test } from 'vitest';
import { PROJECT_PREFIXES } from '../../../src/sandbox/dialect-b.ts';
import { PROJECT, sandboxForTest } from './client.ts';

async function withTable(options = {}) {
  const started = await sandboxForTest(options);
  await started.call('POST', `${started.base}/tables`, '{"name":"users"}');
  return { ...started, rows: `${started.base}/tables/users/rows` };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('tables', () => {
  test('keep their definition verbatim and are found by name and by id', async () => {
    const { call, base } = await sandboxForTest();
    const schema = '{ "fields": {"id":{"type": "string"}},\n "n": 1.0 }';
    const created = await call(
      'POST',
      `${base}/tables`,
      `{"table_name":"users","schema":${schema},"description":"é"}`,
    );
    expect(created.status).toBe(201);
    expect(created.text).toContain(`"schema":${schema},"description":"é","row_count":0,`);
    const { table_id: tableId } = created.json;
    for (const name of ['users', tableId]) {
      expect((await call('GET', `${base}/tables/${name}`)).text).toBe(created.text);
    }
    const other = await call('POST', `${base}/tables`, '{"name":"b","schema_definition":{"columns":[]}}');
    expect(other.json).toMatchObject({
      table_name: 'b',
      schema_definition: { columns: [] },
      description: null,
    });
    const again = await call('POST', `${base}/tables`, '{"name":"b"}');
    expect([again.status, again.json.error_code]).toEqual([409, 'TABLE_ALREADY_EXISTS']);
    expect((await call('POST', `${base}/tables`, '{"schema":{}}')).status).toBe(422);
  });

  test('are listed in pages, in either envelope, or not at all', async () => {
    const names = (list: { table_name: string }[]) => list.map((table) => table.table_name);
    const { sandbox, call, base } = await sandboxForTest();
    for (const name of ['c', 'a', 'b']) sandbox.insert(name, '{}');
    expect(names((await call('GET', `${base}/tables`)).json.tables)).toEqual(['c', 'a', 'b']);
    expect(names((await call('GET', `${base}/tables?skip=1&limit=1`)).json.tables)).toEqual(['a']);
    expect(names((await call('GET', `${base}/tables?offset=2`)).json.tables)).toEqual(['b']);
    const bare = await sandboxForTest({ tableList: 'bare' });
    bare.sandbox.insert('a', '{}');
    expect(names((await bare.call('GET', `${base}/tables`)).json)).toEqual(['a']);
    const silent = await sandboxForTest({ listsTables: false });
    expect((await silent.call('GET', `${base}/tables`)).status).toBe(404);
  });

  test('go with their rows', async () => {
    const { sandbox, call, base, rows } = await withTable();
    await call('POST', rows, '{"row_data":{}}');
    expect((await call('DELETE', `${base}/tables/users`)).json.message).toContain('users');
    expect(sandbox.collections).toEqual([]);
    for (const path of [rows, `${base}/tables/users`, `${rows}/x`]) {
      const answer = await call('GET', path);
      expect([answer.status, answer.json.error_code]).toEqual([404, 'TABLE_NOT_FOUND']);
    }
    expect((await call('POST', rows, '{"row_data":{}}')).status).toBe(404);
    expect(sandbox.collections).toEqual([]);
  });
});

describe('rows', () => {
  test('get their id from the server and keep row_data byte for byte', async () => {
    const { sandbox, call, rows } = await withTable();
    const payload = '{"id":"mine", "n": 1.0,\n"a":1e400}';
    const created = await call('POST', rows, `{"row_id":"mine","row_data":${payload}}`);
    expect(created.status).toBe(201);
    const head = created.text.slice(0, created.text.indexOf('"row_data"'));
    const { row_id: rowId, ...facts } = JSON.parse(`${head}"z":0}`);
    expect(rowId).toMatch(UUID);
    expect(facts).toMatchObject({
      project_id: PROJECT,
      table_name: 'users',
      table_id: expect.stringMatching(UUID),
    });
    expect(created.text).toContain(`"row_data":${payload},"created_at":"`);
    expect(created.text).toMatch(/"updated_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"}$/);
    expect((await call('GET', `${rows}/${rowId}`)).text).toBe(created.text);
    expect((await call('GET', rows)).text).toBe(`[${created.text}]`);
    expect([...sandbox.documents('users')][0]!.data.toString()).toBe(payload);
  });

  test.each(['{"rows":[{"a":1}]}', '{"data":{"a":1}}', '{"row_data":[{"a":1}]}'])(
    'refuses the insert %s with 422 that names row_data',
    async (body) => {
      const { sandbox, call, rows } = await withTable();
      const answer = await call('POST', rows, body);
      expect([answer.status, answer.json.detail[0].loc]).toEqual([422, ['body', 'row_data']]);
      expect(sandbox.documentCount('users')).toBe(0);
    },
  );

  test('are replaced by PUT, merged by PATCH, deleted by DELETE', async () => {
    const { sandbox, call, rows } = await withTable();
    const { row_id: id } = (await call('POST', rows, '{"row_data":{"a":1,"b":1.0}}')).json;
    const patched = await call('PATCH', `${rows}/${id}`, '{"row_data":{"a":2}}');
    expect(patched.text).toContain('"row_data":{"a":2,"b":1.0},');
    expect(patched.json.updated_at > patched.json.created_at).toBe(true);
    expect((await call('PUT', `${rows}/${id}`, '{"row_data":{"c": 3}}')).text).toContain(
      '"row_data":{"c": 3},',
    );
    const deleted = await call('DELETE', `${rows}/${id}`);
    expect([deleted.status, deleted.text]).toEqual([204, '']);
    expect((await call('DELETE', `${rows}/${id}`)).status).toBe(404);
    expect([sandbox.writes, sandbox.documentCount('users')]).toEqual([5, 0]);
  });

  test.each([
    ['newest', ['c', 'x', 'y', 'a']],
    ['oldest', ['a', 'x', 'y', 'c']],
  ] as const)('come %s first, ties in order of insertion', async (rowOrder, expected) => {
    const { sandbox, call, rows } = await withTable({ rowOrder });
    const times = { x: 2, a: 1, y: 2, c: 3 };
    for (const [key, second] of Object.entries(times)) {
      sandbox.insert('users', '{}', { key, createdAt: `2025-01-01T00:00:0${second}.000000Z` });
    }
    const ids = async (query: string) =>
      (await call('GET', rows + query)).json.map((row: { row_id: string }) => row.row_id);
    expect(await ids('')).toEqual(expected);
    const singly = [];
    for (let skip = 0; skip < 4; skip++) singly.push(...(await ids(`?limit=1&skip=${skip}`)));
    expect(singly).toEqual(expected);
    expect(await ids('?offset=3')).toEqual(expected.slice(3));
    expect(await ids('?skip=1&offset=3&limit=1')).toEqual(expected.slice(1, 2));
  });

  test('in no order come in one that has nothing to do with age', async () => {
    const { sandbox, call, rows } = await withTable({ rowOrder: 'none' });
    for (let n = 0; n < 100; n++) sandbox.insert('users', '{}', { key: `k${n + 100}` });
    const ids = (await call('GET', rows)).json.map((row: { row_id: string }) => row.row_id);
    expect(new Set(ids).size).toBe(100);
    expect(ids).not.toEqual(ids.toSorted());
    expect(ids).not.toEqual(ids.toSorted().toReversed());
    expect((await call('GET', rows)).json.map((row: { row_id: string }) => row.row_id)).toEqual(ids);
  });

  test('are found by equality with members of row_data; operators and sort mean nothing', async () => {
    const { sandbox, call, base } = await withTable();
    for (let n = 0; n < 5; n++) sandbox.insert('users', `{"id":"p${n}","n":${n % 2}}`, { key: `k${n}` });
    const query = async (body: string) => (await call('POST', `${base}/tables/users/query`, body)).json;
    const one = await query('{"filter":{"id":"p3"}}');
    expect(one).toMatchObject({
      total: 1,
      has_more: false,
      data: [{ row_id: 'k3', row_data: { id: 'p3' } }],
    });
    expect(await query('{"filter":{"n":1},"limit":1}')).toMatchObject({ total: 2, has_more: true });
    expect(await query('{"filter":{"n":1},"limit":1,"skip":1}')).toMatchObject({ total: 2, has_more: false });
    expect((await query('{"filter":{"n":{"$gte":0}}}')).total).toBe(0);
    expect((await query('{"filter":{"row_id":"k3"}}')).total).toBe(0);
    expect((await query('{"filters":{"id":"p3"},"sort":{"id":1}}')).data).toHaveLength(5);
  });

  test('come in the envelope asked for', async () => {
    const wrapped = await withTable({ rowList: 'rows' });
    await wrapped.call('POST', wrapped.rows, '{"row_data":{"a":1}}');
    expect((await wrapped.call('GET', wrapped.rows)).json).toMatchObject({
      rows: [{ row_data: { a: 1 } }],
      total: 1,
    });
  });
});

describe('the project', () => {
  test('is served below every prefix that is switched on, and below no other', async () => {
    const { call } = await sandboxForTest({ prefixes: PROJECT_PREFIXES });
    for (const prefix of PROJECT_PREFIXES) {
      const answer = await call('GET', prefix.replace('{pid}', PROJECT));
      expect([prefix, answer.status, answer.json.project_id]).toEqual([prefix, 200, PROJECT]);
      const unknown = await call('GET', `${prefix.replace('{pid}', 'other')}/tables`);
      expect([unknown.status, unknown.json.error_code]).toEqual([404, 'PROJECT_NOT_FOUND']);
    }
    const one = await sandboxForTest();
    const statuses = PROJECT_PREFIXES.map(
      async (prefix) => (await one.call('GET', `${prefix.replace('{pid}', PROJECT)}/tables`)).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, ...Array(PROJECT_PREFIXES.length - 1).fill(404)]);
    expect((await one.call('GET', `/v1/projects/${PROJECT}/tables`)).status).toBe(404);
  });

  test('shows the same documents in both dialects', async () => {
    const { call, base } = await sandboxForTest();
    await call('POST', '/collections/users/documents', '{"id":"u1","data":{"a": 1.0}}');
    expect((await call('GET', `${base}/tables/users/rows/u1`)).text).toContain('"row_data":{"a": 1.0},');
    const { row_id: id } = (await call('POST', `${base}/tables/users/rows`, '{"row_data":{"b":2}}')).json;
    expect((await call('GET', `/collections/users/documents/${id}`)).json.data).toEqual({ b: 2 });
  });

  test('speaks one dialect only if told so', async () => {
    const onlyA = await sandboxForTest({ dialects: ['A'] });
    expect((await onlyA.call('GET', onlyA.base)).status).toBe(404);
    const onlyB = await sandboxForTest({ dialects: ['B'] });
    expect((await onlyB.call('POST', '/collections/users/query', '{}')).status).toBe(404);
  });
});
