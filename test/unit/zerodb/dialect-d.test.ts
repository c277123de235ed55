import { describe, expect, it } from 'vitest';
import { openZerodbSource } from '../../../src/sources/zerodb.ts';
import { answerJson, startHttpServer } from '../../support/http-server.ts';
import { testPlatform } from '../../support/test-platform.ts';

const ROW = { id: 'r1', data: { id: 'k', n: 1 }, created_at: '2026-01-01T00:00:00+00:00' };
const ADDRESS = Buffer.from('{"row_id":"r1","id":"k"}');

/** A server that answers each action of a table as told. */
async function serve(answers: Readonly<Record<string, unknown>>) {
  const server = await startHttpServer((request, response) => {
    const action = request.url.replace(/\?.*/, '').split('/').at(-1)!;
    answerJson(response, 200, answers[action] ?? []);
  });
  const source = await openZerodbSource(testPlatform(), { baseUrl: server.url, project: 'p1', dialect: 'D' });
  return {
    server,
    target: source.openTarget('users'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describe('dialect D', () => {
  it.each([
    { inserted_count: 1, inserted_ids: ['a'] },
    { inserted_count: 2, inserted_ids: ['a'] },
    { inserted_count: 2, inserted_ids: ['a', 'a'] },
    { inserted_count: 3, inserted_ids: ['a', 'b', 'c'] },
    {},
  ])('takes no insert for done that is not confirmed row by row: %j', async (insert) => {
    await using world = await serve({ insert });
    const two = ['{"id":"1"}', '{"id":"2"}'].map((text) => Buffer.from(text));
    expect(await world.target.insertMany(two)).toMatchObject({ kind: 'in-doubt' });
  });

  it('believes a confirmed insert', async () => {
    await using world = await serve({ insert: { inserted_count: 2, inserted_ids: ['a', 'b'] } });
    const two = ['{"id":"1"}', '{"id":"2"}'].map((text) => Buffer.from(text));
    expect(await world.target.insertMany(two)).toEqual({ kind: 'done' });
    expect(String(world.server.requests.at(-1)!.body)).toBe('{"rows":[{"id":"1"},{"id":"2"}]}');
  });

  it.each([
    [{ updated_count: 1, deleted_count: 1 }, { kind: 'done' }],
    [{ updated_count: 0, deleted_count: 0 }, { kind: 'gone' }],
    [{}, { kind: 'in-doubt' }],
  ])('reads what a write by filter did: %j', async (answer, outcome) => {
    await using world = await serve({ query: [ROW], update: answer, rows: answer });
    expect(await world.target.replace(ADDRESS, Buffer.from('{"id":"k"}'))).toMatchObject(outcome);
    expect(String(world.server.requests.at(-1)!.body)).toBe('{"filter":{"id":"k"},"update":{"id":"k"}}');
    expect(await world.target.delete(ADDRESS)).toMatchObject(outcome);
    expect(String(world.server.requests.at(-1)!.body)).toBe('{"filter":{"id":"k"}}');
  });

  it('says so where a write by filter changed another row as well', async () => {
    await using world = await serve({
      query: [ROW],
      update: { updated_count: 2 },
      rows: { deleted_count: 2 },
    });
    const failure = { code: 'SOURCE_FAILED', message: expect.stringContaining('2 rows have its id') };
    await expect(world.target.replace(ADDRESS, Buffer.from('{}'))).rejects.toMatchObject(failure);
    await expect(world.target.delete(ADDRESS)).rejects.toMatchObject(failure);
  });

  it('writes nothing where the row that has the id is another one, or none', async () => {
    await using world = await serve({ query: [{ ...ROW, id: 'r2' }] });
    await expect(world.target.delete(ADDRESS)).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
    await using empty = await serve({ query: [] });
    expect(await empty.target.delete(ADDRESS)).toEqual({ kind: 'gone' });
    for (const { server } of [world, empty])
      expect(server.requests.map(({ method }) => method)).not.toContain('DELETE');
  });

  it.each([
    ['once', 1, null],
    ['for ever', 99, 'SOURCE_MALFORMED'],
  ] as const)('asks again for the id of a table that was cut %s', async (_, times, code) => {
    let cut = 0;
    await using server = await startHttpServer((request, response) => {
      if (request.url.includes('/sync/changes')) return answerJson(response, 200, { changes: [], total: 0 });
      if (!request.url.endsWith('/tables/users')) return answerJson(response, 200, []);
      return cut++ < times ? void response.end('{"id":"t') : answerJson(response, 200, { id: 't1' });
    });
    const options = { baseUrl: server.url, project: 'p1', dialect: 'D' } as const;
    const source = await openZerodbSource(testPlatform(), options);
    const entries = source.openCollection('users').changeLog!.entries({ limit: 1, offset: 0 });
    if (code === null) expect((await entries).total).toBe(0);
    else await expect(entries).rejects.toMatchObject({ code, object: 'users' });
  });
});
