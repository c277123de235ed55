import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { changesNamed } from '../support/planted-changes.ts';
import { DEFECTS } from './defects.ts';
import { live } from './life.ts';
import { drawSettings } from './settings.ts';
import { promiseOf } from './shrink.ts';

it('the same seed gives the same life, step by step, and another seed another', async () => {
  const sums = new Map<number, number>();
  for (const seed of [1, 2, 3, 7, 8]) {
    const life = await live(drawSettings(seed));
    const again = await live(drawSettings(seed));
    expect(again.traceSum).toBe(life.traceSum);
    expect(again.operations).toEqual(life.operations);
    sums.set(seed, life.traceSum);
  }
  expect(new Set(sums.values()).size).toBe(sums.size);
});

it('no promise is broken in the first worlds', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { violation } = await live(drawSettings(seed));
    expect(violation, `npm run simulate -- --seeds 1 --seed ${seed}`).toBeNull();
  }
});

it('a life is the same without the rounds that are left out, but for them', async () => {
  const { operations } = await live(drawSettings(5));
  const fewer = await live(drawSettings(5), { without: new Set([0]) });
  expect(fewer.operations).toHaveLength(operations.length - 1);
});

it.each(Object.keys(DEFECTS))('the defect can be planted: %s', (name) => {
  expect(() => changesNamed(DEFECTS, name)).not.toThrow();
});

it('a defect whose text is gone is an error', () => {
  expect(() => changesNamed(DEFECTS, 'no such defect')).toThrow(/no defect is called/);
});

it.each(['0', 'x', '1.5', ''])('a number of worlds that is none is an error of usage: "%s"', (seeds) => {
  const simulate = fileURLToPath(new URL('simulate.ts', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [simulate, '--seeds', seeds], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringContaining('--seeds takes a whole number')]);
});

it('a violation is known again by the promise and the object, whatever the time and the document', () => {
  const lost = (id: string, what: string) => promiseOf(new Error(`${id} is complete, but ${what} are lost`));
  const first = lost('users_full_20260314_092653', '1 documents: {"id":"1"}');
  expect(lost('users_full_20260315_000000', '2 documents: {"id":"2"}')).toBe(first);
  expect(lost('events_full_20260314_092653', '1 documents: {"id":"1"}')).not.toBe(first);
  expect(promiseOf(new Error('users_full_20260314_092653 is gone'))).not.toBe(first);
});
