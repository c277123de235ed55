import { median, showRatio } from './figures.ts';
import type { PredecessorResult } from './predecessor.ts';
import { TestBed } from './processes.ts';

const DOCUMENTS = 100_000;
const DOCUMENT_BYTES = 430;
/** What the Python client restores of them; its seconds are reckoned up from there. */
const PYTHON_RESTORES_MAX = 20_000;

/**
 * Our seconds against those of clients that send the predecessor's requests: same server, same documents, in turn.
 * Ours are the backup that the command line makes by default, read-back included, and the restore with all its proofs.
 * Theirs are that of the predecessor's own language and HTTP library, where Python has it, and one in Node, which is
 * several times kinder to it.
 *
 * @param delayMs what the server waits before each answer: without it the server's own work is most of a restore
 */
export async function predecessorBenchmark(rounds = 1, documents = DOCUMENTS, delayMs = 0): Promise<void> {
  const settings = { count: documents, ready: documents, bytes: DOCUMENT_BYTES, shape: 'flat' } as const;
  await using bed = await TestBed.open(settings, delayMs);
  const ratios = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    const ours = await ourSeconds(bed, round);
    const python = await pythonSeconds(bed, round, documents);
    const node = {
      backup: (await bed.predecessor('backup', 'users')).seconds,
      restore: whole(await bed.predecessor('restore', `node-${round}`), documents),
    };
    for (const [language, theirs] of [['Python', python] as const, ['Node', node] as const]) {
      if (theirs === null) {
        console.log(`  no ${language} with the library requests: nothing to compare with`);
        continue;
      }
      console.log(
        `  round ${round + 1}, ${language}: backup gzip ${seconds(ours.gzip)}, zstd ${seconds(ours.zstd)}, ` +
          `theirs ${seconds(theirs.backup)}; restore ${seconds(ours.restore)}, theirs ${seconds(theirs.restore)}`,
      );
      note(`backup with gzip, our seconds against a client in ${language}`, ours.gzip / theirs.backup);
      note(`backup with zstd, our seconds against a client in ${language}`, ours.zstd / theirs.backup);
      note(`restore, our seconds against a client in ${language}`, ours.restore / theirs.restore);
    }
  }
  for (const [name, values] of ratios)
    showRatio(name, median(values), { most: name.startsWith('restore') ? 0.1 : 0.25 });

  function note(name: string, ratio: number): void {
    ratios.set(name, [...(ratios.get(name) ?? []), ratio]);
  }
}

async function ourSeconds(bed: TestBed, round: number) {
  const gzip = await bed.tool(`gzip-${round}`, { operation: 'backup', compression: 'gzip', readBack: true });
  const zstd = await bed.tool(`zstd-${round}`, { operation: 'backup', compression: 'zstd', readBack: true });
  const { backupId } = gzip;
  const toCollection = `ours-${round}`;
  const restore = await bed.tool(`gzip-${round}`, { operation: 'restore', backupId, toCollection });
  return { gzip: gzip.seconds, zstd: zstd.seconds, restore: restore.seconds };
}

async function pythonSeconds(bed: TestBed, round: number, documents: number) {
  const backup = await bed.predecessorInPython('backup', 'users', documents);
  if (backup === null) return null;
  const some = Math.min(documents, PYTHON_RESTORES_MAX);
  const restore = await bed.predecessorInPython('restore', `python-${round}`, some);
  const secondsOfAll = (whole(restore!, some) * documents) / some;
  return { backup: backup.seconds, restore: secondsOfAll };
}

function whole(restored: PredecessorResult, documents: number): number {
  if (restored.documents !== documents) throw new Error('the predecessor restored another number');
  return restored.seconds;
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}
