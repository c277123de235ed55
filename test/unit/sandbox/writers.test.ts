import { expect, test } from 'vitest';
import type { Change } from '../../../src/sandbox/database.ts';
import type { WriterAction, WriterPlan } from '../../../src/sandbox/writer-plan.ts';
import { idsOf, sandboxForTest } from './client.ts';

const QUERY = '/collections/users/query';

async function watched(plan: Omit<WriterPlan, 'collection'>, options = {}) {
  const started = await sandboxForTest(options);
  const { sandbox } = started;
  for (let n = 0; n < 500; n++) sandbox.insert('users', `{"n":${n}}`, { key: `k${1000 + n}` });
  const changes: Change[] = [];
  sandbox.observe((change) => changes.push(change));
  sandbox.misbehave({ writers: [{ collection: 'users', ...plan }] });
  return { ...started, changes };
}

test.each([
  ['insert', ['insert']],
  ['update', ['update']],
  ['delete', ['delete']],
  ['reinsert', ['delete', 'insert']],
] as const)('a writer can %s one document before each request', async (action, expected) => {
  const { sandbox, call, changes } = await watched({ perRequest: 1, actions: [action] });
  const before = sandbox.digest();
  await call('POST', QUERY, '{}');
  expect(changes.map((change) => change.kind)).toEqual(expected);
  if (action === 'reinsert') {
    expect(changes[0]!.key).toBe(changes[1]!.key);
    expect(sandbox.digest()).toBe(before);
  } else {
    expect(sandbox.digest()).not.toBe(before);
  }
  await call('POST', QUERY, '{}');
  expect(changes).toHaveLength(2 * expected.length);
  expect([sandbox.writes, sandbox.requests]).toEqual([0, 2]);
});

test.each([
  ['insert-many', 650],
  ['delete-many', 350],
] as const)('a writer can %s', async (action, left) => {
  const { sandbox, call, changes } = await watched({ perRequest: 1, actions: [action], many: 150 });
  await call('POST', QUERY, '{}');
  expect([changes.length, sandbox.documentCount('users')]).toEqual([150, left]);
  if (action === 'delete-many') {
    const numbers = changes
      .map((change) => Number(change.key.slice(1)))
      .toSorted((one, other) => one - other);
    expect(numbers.at(-1)! - numbers[0]!).toBe(149);
  }
});

/** What a place on a page of 20 is. */
const EDGES: Record<number, string> = { 0: 'start', 1: 'start', 2: 'start', 17: 'end', 18: 'end', 19: 'end' };

test('a writer can delete exactly what stands at the edges of the last page', async () => {
  const { call, changes } = await watched({ perRequest: 1, actions: ['delete-edge'] });
  const edges: (string | undefined)[] = [];
  let last: string[] = [];
  for (let offset = 0; offset < 200; offset += 20) {
    const page = idsOf(await call('POST', QUERY, `{"sort":{"id":"asc"},"limit":20,"offset":${offset}}`));
    for (const { key } of changes.splice(0)) edges.push(EDGES[last.indexOf(key)]);
    last = page;
  }
  expect(new Set(edges)).toEqual(new Set(['start', 'end']));
});

test('rates are means, and time counts by the clock', async () => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
  const { call, changes } = await watched({ perSecond: 2, actions: ['insert'] }, { clock });
  await call('POST', QUERY, '{}');
  expect(changes).toHaveLength(0);
  now += 5_000;
  await call('POST', QUERY, '{}');
  expect(changes).toHaveLength(10);
  const often = await watched({ perRequest: 0.25, actions: ['insert'] });
  for (let n = 0; n < 200; n++) await often.call('POST', QUERY, '{}');
  expect(often.changes.length).toBeGreaterThan(25);
  expect(often.changes.length).toBeLessThan(75);
});

test('the same seed writes the same, another seed something else', async () => {
  const history = async (seed: number) => {
    const actions: WriterAction[] = ['insert', 'update', 'delete', 'delete-many', 'reinsert'];
    const { call, changes } = await watched({ perRequest: 3, actions, many: 5, seed });
    for (let n = 0; n < 10; n++) await call('POST', QUERY, '{}');
    return changes.map(({ kind, sequence }) => `${kind} ${sequence}`).join();
  };
  const first = await history(7);
  expect(await history(7)).toBe(first);
  expect(await history(8)).not.toBe(first);
});

test('a writer of a collection that is not there does nothing', async () => {
  const { sandbox, call } = await sandboxForTest();
  sandbox.misbehave({ writers: [{ collection: 'nobody', perRequest: 5 }] });
  expect((await call('POST', QUERY, '{}')).status).toBe(200);
  expect(sandbox.collections).toEqual([]);
});
