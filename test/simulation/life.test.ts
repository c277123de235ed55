import { expect, it } from 'vitest';
import { changesNamed } from '../support/planted-changes.ts';
import { DEFECTS } from './defects.ts';
import { live } from './life.ts';
import { drawSettings } from './settings.ts';

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
