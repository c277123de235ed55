import { median, showRatio } from './figures.ts';
import { TestBed } from './processes.ts';

const DOCUMENTS = 100_000;
const DOCUMENT_BYTES = 430;

/**
 * Our seconds against those of a client that sends the predecessor's requests: same server, same documents, in turn.
 * Ours is the backup that the command line makes by default, read-back included, and the restore with all its proofs.
 *
 * @param delayMs what the server waits before each answer: without it the server's own work is most of a restore
 */
export async function predecessorBenchmark(rounds = 1, documents = DOCUMENTS, delayMs = 0): Promise<void> {
  const settings = { count: documents, ready: documents, bytes: DOCUMENT_BYTES, shape: 'flat' } as const;
  await using bed = await TestBed.open(settings, delayMs);
  const backups: number[] = [];
  const restores: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const store = `store-${round}`;
    const theirBackup = await bed.predecessor('backup', 'users');
    const ourBackup = await bed.tool(store, { operation: 'backup', compression: 'gzip', readBack: true });
    const { backupId } = ourBackup;
    const ourRestore = await bed.tool(store, {
      operation: 'restore',
      backupId,
      toCollection: `ours-${round}`,
    });
    const theirRestore = await bed.predecessor('restore', `theirs-${round}`);
    if (theirRestore.documents !== documents) throw new Error('the predecessor restored another number');
    backups.push(ourBackup.seconds / theirBackup.seconds);
    restores.push(ourRestore.seconds / theirRestore.seconds);
    console.log(
      `  round ${round + 1}: backup ${seconds(ourBackup)} against ${seconds(theirBackup)}, ` +
        `restore ${seconds(ourRestore)} against ${seconds(theirRestore)}`,
    );
  }
  showRatio("backup, our seconds against the predecessor's", median(backups), { most: 0.25 });
  showRatio("restore, our seconds against the predecessor's", median(restores), { most: 0.1 });
}

function seconds(result: { readonly seconds: number }): string {
  return `${result.seconds.toFixed(2)} s`;
}
