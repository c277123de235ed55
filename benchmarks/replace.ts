import { median, showRatio } from './figures.ts';
import { TestBed } from './processes.ts';

const DOCUMENT_BYTES = 430;

/**
 * Restoring into a collection of which one document in a hundred differs, against reading that collection as a restore
 * does (scan, hashes, records): everything else, the proof of the backup and what is kept for an undo included, costs
 * the rest.
 */
export async function replaceBenchmark(rounds = 3, documents = 100_000): Promise<void> {
  const settings = { count: documents, ready: documents, bytes: DOCUMENT_BYTES, shape: 'flat' } as const;
  await using bed = await TestBed.open(settings);
  const store = 'store';
  const made = await bed.tool(store, { operation: 'backup', compression: 'gzip', readBack: false });
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const collection = `changed-${round}`;
    const read = await bed.tool(store, { operation: 'read', collection });
    const { backupId } = made;
    const restore = await bed.tool(store, { operation: 'restore', backupId, toCollection: collection });
    console.log(
      `  round ${round + 1}: read ${read.seconds.toFixed(2)} s, restore ${restore.seconds.toFixed(2)} s`,
    );
    ratios.push(restore.seconds / read.seconds);
  }
  showRatio('restore where 1 % differ, against reading the target', median(ratios), { most: 1.5 });
}
