import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { Wire } from './wire.ts';

/** What the tool relies on in dialect D, asked of a real server and of the sandbox that stands in for it. */
function describeServer(name: string, open: () => Promise<{ wire: Wire; close: () => Promise<void> }>): void {
  describe(name, () => {
    let wire: Wire;
    let close = async (): Promise<void> => {};
    beforeAll(async () => {
      ({ wire, close } = await open());
    });
    afterAll(() => close());

    it('creates, shows, lists and deletes tables', async () => {
      const created = await wire.tables('POST', '', {
        table_name: 'made',
        schema: { a: 1 },
        description: 'd',
      });
      expect(created).toMatchObject({
        status: 201,
        json: { name: 'made', schema: { a: 1 }, description: 'd' },
      });
      expect(await wire.tables('GET', '/made')).toEqual({ status: 200, json: created.json });
      expect(await wire.done('GET', '?skip=0&limit=100')).toEqual([created.json]);
      const twice = await wire.tables('POST', '', { table_name: 'made', schema: {} });
      expect(twice).toMatchObject({
        status: 400,
        json: { message: expect.stringContaining('already exists') },
      });
      expect((await wire.tables('POST', '', { table_name: 'bare' })).status).toBe(400);
      expect((await wire.tables('DELETE', '/made')).status).toBe(204);
      expect((await wire.tables('GET', '/made')).status).toBe(404);
      expect((await wire.tables('POST', '', { table_name: 'made', schema: {} })).status).toBe(500);
    });

    it('does not route to a table whose name has a slash', async () => {
      expect((await wire.tables('POST', '', { table_name: 'a/b', schema: {} })).status).toBe(201);
      expect((await wire.tables('POST', '/a%2Fb/query', {})).status).toBe(404);
    });

    it('knows the path of rows, but not with GET', async () => {
      expect((await wire.tables('GET', '/whatever/rows?limit=1')).status).toBe(405);
      expect((await wire.send('GET', `/v1/projects/${wire.project}/database`)).status).toBe(404);
      expect((await wire.send('GET', `/api/v1/projects/${wire.project}/database/tables`)).status).toBe(200);
    });

    it('inserts all rows of a call at one time, or none', async () => {
      await wire.create('calls');
      const answer = (await wire.done('POST', '/calls/insert', { rows: [{ n: 1 }, { n: 2 }, { n: 3 }] })) as {
        inserted_ids: string[];
      };
      expect(answer).toMatchObject({ table_name: 'calls', inserted_count: 3 });
      expect(new Set(answer.inserted_ids).size).toBe(3);
      const rows = await wire.query('calls');
      expect(rows.map(({ id }) => id).toSorted()).toEqual(answer.inserted_ids.toSorted());
      expect(new Set(rows.map(({ created_at }) => created_at)).size).toBe(1);
      expect(Object.keys(rows[0]!).toSorted()).toEqual(['created_at', 'data', 'id', 'updated_at']);
      expect((await wire.tables('POST', '/calls/insert', { rows: [{ n: 4 }, 5] })).status).toBe(400);
      expect((await wire.tables('POST', '/calls/insert', { row: [] })).status).toBe(400);
      expect(await wire.query('calls')).toHaveLength(3);
      expect((await wire.tables('POST', '/unknown/insert', { rows: [{}] })).status).toBe(404);
      await wire.insert('calls', [{ n: 6 }]);
      expect((await wire.query('calls', { limit: 1 }))[0]!.data).toEqual({ n: 6 }); // the newest first
    });

    it('takes limits from 1 to 1000 and a body, and looks at nothing that it does not know', async () => {
      await wire.create('limits');
      await wire.insert(
        'limits',
        Array.from({ length: 150 }, (_, n) => ({ n })),
      );
      expect(await wire.query('limits')).toHaveLength(100);
      expect(await wire.query('limits', { limit: 1000 })).toHaveLength(150);
      expect(await wire.query('limits', { limit: 100, offset: 140 })).toHaveLength(10);
      expect(await wire.query('limits', { limit: 100, skip: 140 })).toHaveLength(100);
      expect(await wire.query('limits', { filters: { n: 1 }, sort: { n: 'asc' } })).toHaveLength(100);
      expect(await wire.query('limits', { limit: 5, offset: 1_000_000_000 })).toEqual([]);
      for (const body of [{ limit: 0 }, { limit: 1001 }, { offset: -1 }, '', '[1]', '{'])
        expect((await wire.tables('POST', '/limits/query', body)).status, JSON.stringify(body)).toBe(400);
      expect((await wire.tables('POST', '/unknown/query', {})).status).toBe(404);
    });

    it('filters by what payloads contain', async () => {
      await wire.create('filters');
      const rows = [{ id: 'a', deep: { x: 1, y: [1, 2] } }, { id: 7 }, { id: '7' }, { id: ['a'] }, {}];
      await wire.insert('filters', rows);
      const matching = async (filter: unknown): Promise<unknown[]> =>
        (await wire.query('filters', { filter })).map(({ data }) => data);
      expect(await matching({ id: 'a' })).toEqual([rows[0]]);
      expect(await matching({ id: 7 })).toEqual([{ id: 7 }]);
      expect(await matching({ id: '7' })).toEqual([{ id: '7' }]);
      expect(await matching({ deep: { x: 1 } })).toEqual([rows[0]]);
      expect(await matching({ deep: { y: [2] } })).toEqual([rows[0]]);
      expect(await matching({ deep: { y: 2 } })).toEqual([]);
      expect(await matching({ id: { $gte: 'a' } })).toEqual([]);
      expect(await matching({})).toHaveLength(5);
    });

    it('updates and deletes what a filter matches, and merges', async () => {
      await wire.create('writes');
      await wire.insert('writes', [{ id: 'a', n: 1, old: true }, { id: 'b', n: 1 }, { id: 'c' }]);
      const [before] = await wire.query('writes', { filter: { id: 'a' } });
      const update = { filter: { id: 'a' }, update: { n: 2, new: { x: 1 } } };
      expect(await wire.done('PUT', '/writes/update', update)).toMatchObject({ updated_count: 1 });
      const [after] = await wire.query('writes', { filter: { id: 'a' } });
      expect(after).toMatchObject({ data: { id: 'a', n: 2, old: true, new: { x: 1 } } });
      expect([after!.id, after!.created_at]).toEqual([before!.id, before!.created_at]);
      expect(await wire.done('PUT', '/writes/update', { filter: { id: 'zz' }, update: {} })).toMatchObject({
        updated_count: 0,
      });
      expect((await wire.tables('PUT', '/writes/update', { filter: { id: 'a' } })).status).toBe(400);
      expect((await wire.tables('DELETE', '/writes/rows', {})).status).toBe(400);
      expect(await wire.done('DELETE', '/writes/rows', { filter: { n: 1 } })).toMatchObject({
        deleted_count: 1,
      });
      expect(await wire.query('writes')).toHaveLength(2);
      expect(await wire.done('DELETE', '/writes/rows', { filter: {} })).toMatchObject({ deleted_count: 2 });
      expect(await wire.query('writes')).toEqual([]);
      expect((await wire.tables('DELETE', '/unknown/rows', { filter: { a: 1 } })).status).toBe(404);
    });

    it('logs every change of a row, and no deletion of a table', async () => {
      await wire.create('logged');
      const [first, second] = await wire.insert('logged', [{ id: 'a' }, { id: 'b' }]);
      await wire.done('PUT', '/logged/update', { filter: { id: 'a' }, update: { n: 1 } });
      await wire.done('DELETE', '/logged/rows', { filter: { id: 'b' } });
      const { json } = await wire.tables('GET', '/logged');
      const tableId = (json as { id: string }).id;
      const entries = async () => (await wire.changes()).filter(({ data }) => data.table_id === tableId);
      const logged = await entries();
      expect(logged.map(({ operation }) => operation)).toEqual(['UPDATE', 'UPDATE', 'INSERT', 'INSERT']);
      expect(logged[0]).toMatchObject({
        entity_id: second,
        data: { deleted_at: expect.any(String), data: { id: 'b' } },
      });
      expect(logged[1]).toMatchObject({
        entity_id: first,
        data: { deleted_at: null, data: { id: 'a', n: 1 } },
      });
      expect(new Set(logged.map(({ id }) => id)).size).toBe(4);
      const later = await wire.changes(`&since=${encodeURIComponent(logged[2]!.timestamp)}`);
      const ours = later.filter(({ data }) => data.table_id === tableId);
      expect(ours.map(({ id }) => id)).toEqual([logged[1]!.id, logged[0]!.id]);
      await wire.tables('DELETE', '/logged');
      expect(await entries()).toHaveLength(4);
      expect((await wire.send('GET', '/v1/sync/changes')).status).toBe(400);
      const long = `/v1/sync/changes?project_id=${wire.project}&limit=1001`;
      expect((await wire.send('GET', long)).status).toBe(400);
    });

    it('lists at most a hundred tables at a time; skip goes on, offset does not', async () => {
      for (let number = 0; number < 105; number++) await wire.create(`t${number}`);
      const listed = async (query: string): Promise<string[]> =>
        ((await wire.done('GET', query)) as { name: string }[]).map(({ name: table }) => table);
      const page = await listed('?limit=1000');
      expect(page).toHaveLength(100);
      expect(page[0]).toBe('t104');
      expect(await listed('?limit=1000&offset=50')).toEqual(page);
      const rest = await listed('?limit=100&skip=100');
      expect(rest.length).toBeGreaterThanOrEqual(5);
      expect(rest.filter((table) => page.includes(table))).toEqual([]);
    });
  });
}

describeServer('zerodb-local 0.2.0', async () => ({
  wire: await Wire.ofRealServer(),
  close: async () => {},
}));

describeServer("the sandbox's dialect D", async () => {
  const sandbox: Sandbox = await startSandbox({ dialects: ['D'], misbehaviour: { reformats: true } });
  return { wire: new Wire(sandbox.url, sandbox.project, sandbox.apiKey), close: () => sandbox.close() };
});
