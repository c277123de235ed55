import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSandboxCore } from '../../../src/sandbox/sandbox.ts';

/** Two answers to one question: SQLite's own pages with their marks, and a list that is sorted and cut here. */
const KEYS = ['a', 'b', 'B', 'é', '～', '😀', '10', '9', '"', '\\', 'a\u0000b', 'ab', 'aa', 'z'];

const key = fc.constantFrom(...KEYS);
const value = fc.integer({ min: 0, max: 3 });
const step = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), key, value, second: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant('update' as const), key, value }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('query' as const),
      by: fc.constantFrom('id', 'id', 'value', null),
      direction: fc.constantFrom('asc' as const, 'asc' as const, 'desc' as const),
      limit: fc.integer({ min: 1, max: 5 }),
      offset: fc.integer({ min: 0, max: 9 }),
      above: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: key }),
      least: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: value }),
    }),
  },
);

interface Modelled {
  readonly key: string;
  readonly second: number;
  readonly inserted: number;
  value: number;
}

test.each(['newest', 'oldest'] as const)('pages are slices of the sorted list, %s first', (rowOrder) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 100 }), (steps) => {
      const core = createSandboxCore({ rowOrder, apiKey: 'key' });
      const model = new Map<string, Modelled>();
      let inserted = 0;
      for (const one of steps) {
        if (one.kind === 'delete') {
          expect(core.delete('c', one.key)).toBe(model.delete(one.key));
        } else if (one.kind === 'update') {
          expect(core.update('c', one.key, `{"value":${one.value}}`)).toBe(model.has(one.key));
          const known = model.get(one.key);
          if (known) known.value = one.value;
        } else if (one.kind === 'query') {
          const above = (document: Modelled) => one.above === null || bytes(document.key, one.above) > 0;
          const matching = [...model.values()].filter(
            (document) => above(document) && document.value >= one.least,
          );
          const sorted = matching.toSorted(orders(rowOrder)[`${one.by ?? 'own'} ${one.direction}`]);
          const id = one.above === null ? {} : { id: { $gt: one.above } };
          const answer = query(core, {
            limit: one.limit,
            offset: one.offset,
            filters: { ...id, ...(one.least > 0 && { value: { $gte: one.least } }) },
            ...(one.by !== null && { sort: { [one.by]: one.direction } }),
          });
          expect(answer.documents.map((document) => document.id)).toEqual(
            sorted.slice(one.offset, one.offset + one.limit).map((document) => document.key),
          );
          expect(answer.total).toBe(sorted.length);
        } else if (!model.has(one.key)) {
          const createdAt = `2025-01-01T00:00:0${one.second}.000000Z`;
          core.insert('c', `{"value":${one.value}}`, { key: one.key, createdAt });
          model.set(one.key, { key: one.key, second: one.second, inserted: ++inserted, value: one.value });
        }
      }
    }),
    { numRuns: 300 },
  );
});

/** What each sort asks for; ties by order of insertion. */
function orders(rowOrder: 'newest' | 'oldest') {
  const sign = rowOrder === 'newest' ? -1 : 1;
  const sorted = (compare: (one: Modelled, other: Modelled) => number) => (one: Modelled, other: Modelled) =>
    compare(one, other) || one.inserted - other.inserted;
  const own = sorted((one, other) => sign * (one.second - other.second));
  return {
    'id asc': sorted((one, other) => bytes(one.key, other.key)),
    'id desc': sorted((one, other) => bytes(other.key, one.key)),
    'value asc': sorted((one, other) => one.value - other.value),
    'value desc': sorted((one, other) => other.value - one.value),
    'own asc': own,
    'own desc': own,
  };
}

test('reading on from the last key needs no counting, and is counted right after a change', () => {
  const core = createSandboxCore({ apiKey: 'key' });
  for (let n = 0; n < 40; n++) core.insert('c', '{}', { key: `k${n + 10}` });
  const from = (above: string | null) =>
    query(core, {
      limit: 10,
      sort: { id: 'asc' },
      ...(above !== null && { filters: { id: { $gt: above } } }),
    });
  expect(from(null).total).toBe(40);
  expect(from('k19').total).toBe(30);
  expect(from('k29').total).toBe(20);
  core.delete('c', 'k11');
  core.delete('c', 'k45');
  expect(from('k39').total).toBe(9);
  expect(from('k49').total).toBe(0);
  expect(from('k19').total).toBe(29);
});

function bytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function query(core: ReturnType<typeof createSandboxCore>, body: object) {
  const answer = core.handle({
    method: 'POST',
    path: '/collections/c/query',
    query: new URLSearchParams(),
    headers: { 'x-api-key': 'key' },
    body: Buffer.from(JSON.stringify(body)),
  });
  return JSON.parse(Buffer.from(answer.body).toString()) as { documents: { id: string }[]; total: number };
}

test('every page is the same whether SQLite makes it or it is put together document by document', () => {
  const core = createSandboxCore({ apiKey: 'key' });
  for (let n = 0; n < 300; n++) {
    core.insert('c', `{"n":${n}}`, { key: `k${(n * 7919) % 300}`, createdAt: `2025-01-01T00:00:${n % 60}Z` });
  }
  const pages = () =>
    [null, 'asc', 'desc'].flatMap((sort) =>
      [0, 1, 99, 100, 198, 299, 300].map((offset) =>
        query(core, { limit: 100, offset, ...(sort !== null && { sort: { id: sort } }) }),
      ),
    );
  const fast = pages();
  core.misbehave({ unreadable: { c: ['no such key'] } });
  expect(pages()).toEqual(fast);
});

test('pages of a collection that was dropped never show in one made after it', () => {
  const core = createSandboxCore({ apiKey: 'key' });
  const keysNow = () =>
    [0, 100, 200].flatMap((offset) => query(core, { limit: 100, offset }).documents.map(({ id }) => id));
  for (const year of [2024, 2025]) {
    core.wipe();
    for (let n = 0; n < 250; n++)
      core.insert('c', `{"n":${n}}`, { key: `k${n}`, createdAt: `${year}-01-01T00:00:00Z` });
    expect(new Set(keysNow()).size).toBe(250);
  }
});
