import type { RestoreReport } from '../../../src/model/report.ts';
import { applyRestore, planRestore, validateBackup } from '../../../src/operations/restore.ts';
import { type Attempt, Violation } from '../attempt.ts';
import type { Faults } from '../faults.ts';
import { idOf } from '../history.ts';
import { type SeenBackup, stored } from '../observer.ts';
import type { World } from '../world.ts';
import type { Operation } from './operation.ts';
import { assertSound, isUnsound, readSomeBackup } from './reading.ts';

export const restoreOperation: Operation = {
  name: 'restore',
  weight: 4,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const id = world.pickBackup();
    if (id === null) return [];
    const toCollection = world.dice.chance(0.3) ? 'elsewhere' : undefined;
    return [await runRestore(world, faults, id, toCollection)];
  },
};

export const restoreDryRun: Operation = {
  name: 'restore --dry-run',
  weight: 2,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const reading = await readSomeBackup(world, faults, async ({ repository, target, signal }, backupId) => {
      const plan = await planRestore(repository, target, { backupId }, { signal });
      await plan.close();
      return plan.report;
    });
    if (reading === null) return [];
    if (reading.attempt.report !== null) assertSound(world, reading.id);
    return [reading.attempt];
  },
};

export const validateOperation: Operation = {
  name: 'restore --validate-only',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const reading = await readSomeBackup(world, faults, ({ repository, signal }, id) =>
      validateBackup(repository, id, { signal }),
    );
    if (reading === null) return [];
    const { id, attempt } = reading;
    if (attempt.report !== null) assertSound(world, id);
    else if (attempt.suffered.size === 0 && !isRefused(world, id)) {
      throw new Violation(`validation refuses ${id}: ${attempt.error?.message}`);
    }
    return [attempt];
  },
};

export async function runRestore(
  world: World,
  faults: Faults,
  backupId: string,
  toCollection?: string,
): Promise<Attempt<RestoreReport>> {
  const request = { backupId, ...(toCollection !== undefined && { toCollection }) };
  const attempt = await world.attempt(faults, async ({ repository, target, signal }) => {
    const plan = await planRestore(repository, target, request, { signal });
    try {
      return await applyRestore(plan, { signal });
    } finally {
      await plan.close();
    }
  });
  const seen = world.observer.backups.get(backupId);
  const changes = world.history.changesBy(attempt.process.name);
  if (seen === undefined || isRefused(world, backupId)) {
    if (changes.length > 0) throw new Violation(`the damaged ${backupId} was restored`);
  } else {
    judge(world, attempt, seen, toCollection ?? seen.manifest.collection);
  }
  if (attempt.report !== null) assertSound(world, backupId);
  return attempt;
}

/** What was written are the backup's documents, each at most once; where success is reported, all of them are there. */
function judge(world: World, attempt: Attempt<RestoreReport>, seen: SeenBackup, collection: string): void {
  const { history } = world;
  const changes = history.changesBy(attempt.process.name);
  const payloads = new Set(seen.payloads);
  const inserted = new Map<string, number>();
  for (const { kind, collection: changed, text } of changes) {
    if (changed !== collection) throw new Violation(`a restore of ${collection} changed ${changed}`);
    if (kind === 'delete' || text === null) throw new Violation('a restore deleted a document');
    if (!payloads.has(text)) throw new Violation(`a restore wrote what the backup does not hold: ${text}`);
    if (kind === 'insert') inserted.set(text, (inserted.get(text) ?? 0) + 1);
  }
  const touched = history.touchedByOthers(collection, attempt);
  for (const [text, times] of inserted) {
    if (touched.has(idOf(text))) continue;
    if (times > 1) throw new Violation(`a restore made a document ${times} times: ${text}`);
    const steady = history.steady(collection, attempt.from, attempt.to);
    // a backup of a time of change may hold two of one id, and then so may the target
    const wanted = seen.payloads.filter((other) => idOf(other) === idOf(text)).length;
    const before = steady.filter((other) => idOf(other) === idOf(text)).length;
    if (before >= wanted) throw new Violation(`a restore made a second ${idOf(text)}: ${text}`);
  }
  const { report } = attempt;
  if (report === null) return;
  if ((report.exit_code === 0) !== (report.errors.length === 0)) {
    throw new Violation(`a restore with ${report.errors.length} errors ends with ${report.exit_code}`);
  }
  if (report.exit_code !== 0) return;
  const there = new Set(
    [...world.server.documents(collection)].map(({ data }) => stored(data.toString('latin1'))),
  );
  const absent = seen.payloads.filter((text) => !there.has(text) && !touched.has(idOf(text)));
  if (absent.length > 0)
    throw new Violation(`a restore reports success, and this is not there: ${absent[0]}`);
}

/** The index is not needed; a damaged marker says that somebody has tampered with the store. */
function isRefused(world: World, id: string): boolean {
  const { damage, observer } = world;
  const isMarkerDamaged = observer.damaged.has('repository.json') && !damage.isGone('repository.json');
  return isMarkerDamaged || isUnsound(world, id);
}
