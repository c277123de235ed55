import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedRuns, sortRecords } from '../../../src/kernel/sorted-runs.ts';
import { SCRATCH } from '../../support/archives.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const reference = (records: readonly Buffer[]): Buffer =>
  Buffer.concat(records.toSorted((a, b) => a.compare(b)));

/** Few values a byte, so that records share long beginnings. */
function randomRecords(count: number, width: number, values: number): Buffer[] {
  const bytes = Buffer.from(seededRandom(count + width).bytes(count * width));
  for (let at = 0; at < bytes.length; at++) bytes[at]! %= values;
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * width, (at + 1) * width));
}

async function sortedByRuns(records: readonly Buffer[], width: number, runRecords: number): Promise<Buffer> {
  const runs = new SortedRuns(SCRATCH, width, runRecords);
  try {
    for (const record of records) {
      runs.slot().set(record);
      runs.added();
      if (runs.full) await runs.flush();
    }
    expect(runs.count).toBe(records.length);
    const read = async (): Promise<Buffer> =>
      Buffer.concat(await Array.fromAsync(runs.sorted(), (piece) => Buffer.from(piece)));
    const first = await read();
    expect((await read()).equals(first), 'it can be read again').toBe(true);
    return first;
  } finally {
    await runs.close();
  }
}

describe('records sorted by their bytes', () => {
  it.each([0, 1, 2, 999, 1000, 1001, 20_000])('in memory: %i', (count) => {
    for (const width of [8, 12, 28, 3]) {
      for (const values of [2, 256]) {
        const records = randomRecords(count, width, values);
        expect(sortRecords(Buffer.concat(records), width).equals(reference(records))).toBe(true);
      }
    }
  });

  it('in runs on disk', async () => {
    const record = fc.uint8Array({ minLength: 12, maxLength: 12, max: 3 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 300 }),
        fc.integer({ min: 1, max: 70 }),
        async (records, run) => {
          expect((await sortedByRuns(records, 12, run)).equals(reference(records))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('that came after a first reading', async () => {
    const records = randomRecords(300, 12, 2);
    for (const runRecords of [20, 1000]) {
      const runs = new SortedRuns(SCRATCH, 12, runRecords);
      for (const [count, record] of records.entries()) {
        if (runs.full) await runs.flush();
        runs.slot().set(record);
        runs.added();
        if (count % 70 !== 0) continue;
        const pieces = await Array.fromAsync(runs.sorted(), (piece) => Buffer.from(piece));
        expect(Buffer.concat(pieces).equals(reference(records.slice(0, count + 1)))).toBe(true);
      }
      await runs.close();
    }
  });

  it('in runs that are longer than what is read of them at once', async () => {
    const records = randomRecords(30_000, 28, 256);
    expect((await sortedByRuns(records, 28, 7000)).equals(reference(records))).toBe(true);
  });
});
