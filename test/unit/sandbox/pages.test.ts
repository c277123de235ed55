import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSandboxCore } from '../../../src/sandbox/sandbox.ts';

/** Two answers to one question: SQLite's own pages with their marks, and a list that is sorted and cut here. */
const KEYS = ['a', 'b', 'B', 'é', '～', '😀', '10', '9', '"', '\\', 'a\u0000b', 'ab', 'aa', 'z'];

const step = fc.oneof(
  fc.record({
    kind: fc.constant('insert' as const),
    key: fc.constantFrom(...KEYS),
    second: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('delete' as const), key: fc.constantFrom(...KEYS) }),
  fc.record({
    kind: fc.constant('query' as const),
    sort: fc.constantFrom('asc', 'desc', null),
    limit: fc.integer({ min: 1, max: 5 }),
    offset: fc.integer({ min: 0, max: 12 }),
    above: fc.option(fc.constantFrom(...KEYS)),
  }),
);

test.each(['newest', 'oldest'] as const)('pages are slices of the sorted list, %s first', (rowOrder) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const core = createSandboxCore({ rowOrder, apiKey: 'key' });
      let model: { key: string; second: number; inserted: number }[] = [];
      let inserted = 0;
      for (const one of steps) {
        if (one.kind === 'delete') {
          core.delete('c', one.key);
          model = model.filter(({ key }) => key !== one.key);
        } else if (one.kind === 'insert') {
          if (model.some(({ key }) => key === one.key)) continue;
          core.insert('c', '{}', { key: one.key, createdAt: `2025-01-01T00:00:0${one.second}.000000Z` });
          model.push({ key: one.key, second: one.second, inserted: inserted++ });
        } else {
          const age = (rowOrder === 'newest' ? -1 : 1) as number;
          const matching = model.filter(({ key }) => one.above === null || bytes(key, one.above) > 0);
          const sorted = matching.toSorted((left, right) =>
            one.sort === null
              ? age * (left.second - right.second) || left.inserted - right.inserted
              : (one.sort === 'asc' ? 1 : -1) * bytes(left.key, right.key),
          );
          const answer = query(core, {
            limit: one.limit,
            offset: one.offset,
            ...(one.sort !== null && { sort: { id: one.sort } }),
            ...(one.above !== null && { filters: { id: { $gt: one.above } } }),
          });
          expect(answer.documents.map(({ id }) => id)).toEqual(
            sorted.slice(one.offset, one.offset + one.limit).map(({ key }) => key),
          );
          expect(answer.total).toBe(sorted.length);
        }
      }
    }),
    { numRuns: 200 },
  );
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
