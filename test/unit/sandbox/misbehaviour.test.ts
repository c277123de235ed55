import { describe, expect, test } from 'vitest';
import { idsOf, sandboxForTest } from './client.ts';

const QUERY = '/collections/users/query';

async function filled(count: number, options = {}) {
  const started = await sandboxForTest(options);
  const { sandbox } = started;
  sandbox.transaction(() => {
    for (let n = 0; n < count; n++) {
      sandbox.insert('users', `{"n":${n},"tie":${n >> 3}}`, { key: `k${String(n).padStart(4, '0')}` });
    }
  });
  return started;
}

describe('pages', () => {
  test('are clamped', async () => {
    const { sandbox, call, base } = await filled(50);
    sandbox.misbehave({ pageClamp: 7 });
    const page = await call('POST', QUERY, '{"limit":40,"offset":10,"sort":{"id":"asc"}}');
    expect([idsOf(page).length, page.json.limit, page.json.total]).toEqual([7, 40, 50]);
    expect((await call('GET', `${base}/tables/users/rows?limit=40`)).json).toHaveLength(7);
    expect(idsOf(await call('POST', QUERY, '{"limit":3}'))).toHaveLength(3);
  });

  test('start at the beginning where skip or offset is ignored', async () => {
    const { sandbox, call, base } = await filled(20);
    const first = async (query: string) =>
      (await call('GET', `${base}/tables/users/rows?${query}`)).json[0].row_id;
    const start = await first('limit=5');
    const fifth = await first('limit=5&skip=5');
    sandbox.misbehave({ ignoredPaging: ['skip'] });
    expect(await first('limit=5&skip=5')).toBe(start);
    expect(await first('limit=5&skip=2&offset=5')).toBe(fifth);
    sandbox.misbehave({ ignoredPaging: ['offset'] });
    expect(await first('limit=5&offset=5')).toBe(start);
    expect(await first('limit=5&skip=5&offset=5')).toBe(fifth);
    const pages = ['{"offset":0}', '{"offset":10}'].map(async (body) =>
      idsOf(await call('POST', QUERY, body)),
    );
    const [one, other] = await Promise.all(pages);
    expect(one).toEqual(other);
  });

  test('hold ties in another order each time, and nothing else out of order', async () => {
    const { sandbox, call } = await filled(64);
    sandbox.misbehave({ shuffleTies: true });
    const seen = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const page = await call('POST', QUERY, '{"limit":64,"sort":{"tie":"asc"}}');
      const ties = page.json.documents.map((document: { data: { tie: number } }) => document.data.tie);
      expect(ties).toEqual(ties.toSorted((one: number, other: number) => one - other));
      seen.add(idsOf(page).join());
      expect(new Set(idsOf(page)).size).toBe(64);
    }
    expect(seen.size).toBe(5);
  });

  test.each([
    ['page', 5],
    ['small', 10],
    ['large', 30],
    ['missing', undefined],
  ] as const)('say a total that is: %s', async (total, told) => {
    const { call, base } = await filled(20, { misbehaviour: { total } });
    expect((await call('POST', QUERY, '{"limit":5}')).json.total).toBe(told);
    const answer = await call('POST', `${base}/tables/users/query`, '{"limit":5}');
    expect(answer.json.total).toBe(told);
  });

  test('that would hold an unreadable document fail, the others do not', async () => {
    const { sandbox, call, base } = await filled(30);
    sandbox.misbehave({ unreadable: { users: ['k0012'] } });
    const status = async (offset: number, limit: number) =>
      (await call('POST', QUERY, `{"sort":{"id":"asc"},"offset":${offset},"limit":${limit}}`)).status;
    expect([await status(0, 12), await status(0, 13), await status(12, 1), await status(13, 17)]).toEqual([
      200, 500, 500, 200,
    ]);
    expect((await call('GET', `${base}/tables/users/rows?limit=30`)).status).toBe(500);
    expect((await call('GET', '/collections/users/documents/k0012')).status).toBe(500);
    expect((await call('GET', '/collections/users/documents/k0013')).status).toBe(200);
  });
});

describe('collections', () => {
  test('can be forbidden', async () => {
    const { sandbox, call, base } = await filled(3);
    sandbox.misbehave({ forbidden: ['users'] });
    expect((await call('POST', QUERY, '{}')).status).toBe(403);
    expect((await call('GET', `${base}/tables/users/rows`)).status).toBe(403);
    expect((await call('POST', '/collections/others/query', '{}')).status).toBe(200);
  });

  test('can vanish after some requests, from the list too', async () => {
    const { sandbox, call, base } = await filled(3);
    sandbox.misbehave({ vanishing: { users: 2 } });
    const listed = async () => (await call('GET', `${base}/tables`)).json.tables.length;
    expect([(await call('POST', QUERY, '{}')).status, await listed()]).toEqual([200, 1]);
    expect((await call('GET', `${base}/tables/users/rows`)).status).toBe(200);
    expect([(await call('POST', QUERY, '{}')).status, await listed()]).toEqual([404, 0]);
    expect((await call('GET', `${base}/tables/users/rows`)).status).toBe(404);
  });
});

describe('writes', () => {
  test('that should replace may merge', async () => {
    const { sandbox, call, base } = await sandboxForTest({ misbehaviour: { putMerges: true } });
    sandbox.insert('users', '{"a":1,"b":2}', { key: 'u' });
    await call('PUT', `${base}/tables/users/rows/u`, '{"row_data":{"b":3}}');
    await call('PUT', '/collections/users/documents/u', '{"merge":false,"data":{"c":4}}');
    expect([...sandbox.documents('users')][0]!.data.toString()).toBe('{"a":1,"b":3,"c":4}');
  });

  test('may be stored as values: keys sorted, numbers as they print', async () => {
    const { sandbox, call, base } = await sandboxForTest({ misbehaviour: { reformats: true } });
    await call(
      'POST',
      '/collections/users/documents',
      '{"id":"u","data":{"b": 1.0,"a":{"d":1e2,"c":"\\u00e9"}}}',
    );
    const stored = () => [...sandbox.documents('users')][0]!.data.toString();
    expect(stored()).toBe('{"a":{"c":"é","d":100},"b":1}');
    await call('PATCH', `${base}/tables/users/rows/u`, '{"row_data":{"0":9007199254740993}}');
    expect(stored()).toBe('{"0":9007199254740992,"a":{"c":"é","d":100},"b":1}');
  });
});

describe('hooks', () => {
  test('run before each request is served, and see what it is', async () => {
    const { sandbox, call } = await filled(3);
    const seen: string[] = [];
    sandbox.beforeRequest(({ method, path }) => {
      seen.push(`${method} ${path}`);
      sandbox.delete('users', 'k0001');
    });
    expect(idsOf(await call('POST', QUERY, '{"sort":{"id":"asc"}}'))).toEqual(['k0000', 'k0002']);
    expect(seen).toEqual([`POST ${QUERY}`]);
    expect(sandbox.writes).toBe(0);
  });

  test('observers hear of every change, whoever makes it', async () => {
    const { sandbox, call } = await sandboxForTest();
    const heard: string[] = [];
    sandbox.observe(({ kind, collection, key }) => heard.push(`${kind} ${collection} ${key}`));
    await call('POST', '/collections/users/documents', '{"id":"u","data":{}}');
    sandbox.update('users', 'u', '{"a":1}');
    sandbox.insert('users', '{"id":"v"}');
    sandbox.delete('users', 'u');
    sandbox.wipe();
    expect(heard).toEqual([
      'insert users u',
      'update users u',
      'insert users v',
      'delete users u',
      'delete users v',
    ]);
  });
});
