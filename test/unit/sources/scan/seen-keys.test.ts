import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { openScratchIn } from '../../../../src/kernel/scratch.ts';
import { SIZES } from '../../../../src/kernel/sizes.ts';
import { localFiles } from '../../../../src/platform/local-files.ts';
import { SeenKeys } from '../../../../src/sources/scan/seen-keys.ts';

it.each([1, 7, 300, 10_000])(
  'every key is known again, with room for %i in memory',
  async (rememberedKeys) => {
    const scratch = await openScratchIn(localFiles, tmpdir(), { ...SIZES, rememberedKeys });
    const seen = new SeenKeys(scratch);
    const hashOf = (number: number): string =>
      createHash('sha256').update(`${number}`).digest().toString('latin1');
    const numbers = Array.from({ length: 1000 }, (_, number) => number);
    try {
      for (const number of numbers) expect(await seen.add(hashOf(number))).toBe(true);
      const takenForNew: number[] = [];
      for (const number of numbers) if (await seen.add(hashOf(number))) takenForNew.push(number);
      expect(takenForNew).toEqual([]);
      expect(seen.count).toBe(numbers.length);
    } finally {
      await seen.close();
    }
  },
);
