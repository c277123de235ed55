import type { RestoreReport } from '../../../src/model/report.ts';
import { planRestore, validateBackup } from '../../../src/operations/restore.ts';
import { type Attempt, Violation } from '../attempt.ts';
import { assertExplained, damageFirst } from '../codes.ts';
import type { Faults } from '../faults.ts';
import { idOf, markOf, type Version } from '../history.ts';
import { carryOut } from '../kept-restores.ts';
import { membersOf } from '../members.ts';
import { type SeenBackup, stored } from '../observer.ts';
import type { StoredDocument } from '../stored-backup.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import { loseSome } from './loss.ts';
import type { Operation } from './operation.ts';
import { assertSound, crossings, readSomeBackup, refusals } from './reading.ts';

export const restoreOperation: Operation = {
  name: 'restore',
  aims: 'restore',
  weight: 8,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const store = world.pickStoreWithBackup();
    const id = store.pickBackup();
    if (id === null) return [];
    const toCollection = world.dice.chance(0.2) ? 'elsewhere' : undefined;
    const collection = store.observer.backups.get(id)?.manifest.collection;
    if (collection !== undefined && world.dice.chance(0.8)) loseSome(world, collection);
    return [await runRestore(world, store, faults, id, toCollection)];
  },
};

export const restoreDryRun: Operation = {
  name: 'restore --dry-run',
  aims: 'plan',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const reading = await readSomeBackup(
      world,
      faults,
      async ({ repository, openTarget, signal }, backupId) => {
        const plan = await planRestore(repository, await openTarget(), { backupId }, { signal });
        await plan.close();
        return plan.report;
      },
    );
    if (reading === null) return [];
    const { id, attempt } = reading;
    const seen = attempt.store.observer.backups.get(id);
    const collection = seen?.manifest.collection ?? '';
    assertExplained(attempt, restoreCodes(world, attempt, id, collection), damageFirst);
    if (attempt.report !== null) assertSound(attempt, id);
    return [attempt];
  },
};

export const validateOperation: Operation = {
  name: 'restore --validate-only',
  aims: 'read',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const reading = await readSomeBackup(world, faults, ({ repository, signal }, id) =>
      validateBackup(repository, id, { signal }),
    );
    if (reading === null) return [];
    const { id, attempt } = reading;
    const { store } = attempt;
    const reasons = [...refusals(store, id), ...incompleteness(store, id), ...crossings(attempt)];
    assertExplained(attempt, reasons, damageFirst);
    if (attempt.report !== null) assertSound(attempt, id);
    return [attempt];
  },
};

export async function runRestore(
  world: World,
  store: WorldStore,
  faults: Faults,
  backupId: string,
  toCollection?: string,
): Promise<Attempt<RestoreReport>> {
  const request = { backupId, ...(toCollection !== undefined && { toCollection }) };
  const attempt = await carryOut(world, store, faults, async ({ repository, openTarget, signal }) =>
    planRestore(repository, await openTarget(), request, { signal }),
  );
  const seen = store.observer.backups.get(backupId);
  const changes = world.history.changesBy(attempt.process.name);
  if (seen === undefined || refusals(store, backupId).length > 0) {
    if (changes.length > 0) throw new Violation(`the damaged ${backupId} was restored`);
  } else {
    judge(world, attempt, seen, toCollection ?? seen.manifest.collection);
  }
  const collection = toCollection ?? seen?.manifest.collection ?? '';
  assertExplained(attempt, restoreCodes(world, attempt, backupId, collection), damageFirst);
  if (attempt.report !== null) assertSound(attempt, backupId);
  return attempt;
}

/** The codes with which a restore may end whatever the faults, seeing the backup, the server, and what others did. */
export function restoreCodes(
  world: World,
  attempt: Attempt<unknown>,
  id: string,
  collection: string,
): string[] {
  const { history } = world;
  const { store, from, to } = attempt;
  const codes = [...refusals(store, id), ...incompleteness(store, id), ...crossings(attempt)];
  const scan = world.scanCodes(collection, attempt);
  codes.push(...scan);
  if (scan.includes('SOURCE_UNPROVEN')) codes.push('RESTORE_REFUSED', 'RESTORE_PARTIAL');
  if (history.touchedByOthers(collection, attempt).size > 0) {
    codes.push('RESTORE_CHANGED', 'RESTORE_DIFFERENT', 'RESTORE_PARTIAL', 'RESTORE_AMBIGUOUS');
  }
  if (world.settings.reformats) codes.push('RESTORE_DIFFERENT');
  const documents = store.observer.backups.get(id)?.documents ?? [];
  // one without an id that got a new key by a restore before is updated, and keeps what it had besides
  const isNameless = ({ payload }: StoredDocument): boolean => !idOf(payload).startsWith('"');
  if (world.settings.putMerges && documents.some(isNameless)) codes.push('RESTORE_DIFFERENT');
  for (const there of history.moments(collection, from, to)) {
    const times = timesOfIds(documents, there);
    if (isAmbiguous(documents, there, times)) codes.push('RESTORE_AMBIGUOUS');
    // which of two of one id has kept more than it was sent is not found out
    if (world.settings.putMerges && Math.max(0, ...times.values()) > 1) codes.push('RESTORE_DIFFERENT');
  }
  return codes;
}

/** What two payloads have in common that are the same to this server: one that merges keeps the order of members. */
export function samenessOf({ settings }: World): (payload: string) => string {
  if (settings.reformats) return markOf;
  return settings.putMerges ? (text) => [...membersOf(text)].map(String).sort().join() : (text) => text;
}

/** How often each id is in the backup or in the target, whichever is more. */
function timesOfIds(documents: readonly StoredDocument[], there: readonly Version[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const payloads of [documents.map(({ payload }) => payload), there.map(({ text }) => text)]) {
    for (const [id, same] of Map.groupBy(payloads, idOf))
      times.set(id, Math.max(same.length, times.get(id) ?? 0));
  }
  return times;
}

/** Whether nobody can say which document is which: several have one id, and not all of the backup's are there under their keys. */
function isAmbiguous(
  documents: readonly StoredDocument[],
  there: readonly Version[],
  times: ReadonlyMap<string, number>,
): boolean {
  const keys = new Set(there.map(({ key }) => key));
  return documents.some(({ key, payload }) => times.get(idOf(payload))! > 1 && !keys.has(key));
}

function incompleteness({ observer }: WorldStore, id: string): string[] {
  return observer.backups.get(id)?.manifest.status === 'incomplete' ? ['SOURCE_UNPROVEN'] : [];
}

/** What was written are the backup's documents, each at most once; where success is reported, all of them are there. */
function judge(world: World, attempt: Attempt<RestoreReport>, seen: SeenBackup, collection: string): void {
  const { history, settings } = world;
  const changes = history.changesBy(attempt.process.name);
  /** What is the same to the server: where it makes other bytes of a document, only its mark stays. */
  const sameness = settings.reformats || settings.putMerges ? markOf : (text: string) => text;
  const payloads = new Set(seen.payloads.map(sameness));
  const ids = new Set(seen.payloads.map(idOf));
  const inserted = new Map<string, number>();
  for (const { kind, collection: changed, text, before } of changes) {
    if (changed !== collection) throw new Violation(`a restore of ${collection} changed ${changed}`);
    if (kind === 'delete' || text === null) {
      // where an update only adds, a document is replaced by deleting and inserting it
      if (!settings.putMerges || !ids.has(idOf(before!))) throw new Violation('a restore deleted a document');
      inserted.set(idOf(before!), (inserted.get(idOf(before!)) ?? 0) - 1);
      continue;
    }
    if (!payloads.has(sameness(stored(text)))) {
      throw new Violation(`a restore wrote what the backup does not hold: ${text}`);
    }
    if (kind === 'insert') inserted.set(idOf(text), (inserted.get(idOf(text)) ?? 0) + 1);
  }
  const touched = history.touchedByOthers(collection, attempt);
  const steady = history.steady(collection, attempt.from, attempt.to);
  for (const [id, times] of inserted) {
    // what has no id is known by its content alone
    const isNameless = !id.startsWith('"');
    if (touched.has(id) || times <= 0 || (isNameless && settings.reformats)) continue;
    // a backup of a time of change may hold two of one id, and then so may the target
    const wanted = seen.payloads.filter((other) => idOf(other) === id).length;
    const there = steady.filter(({ text }) => idOf(text) === id).map(({ text }) => stored(text));
    const before = there.filter((text) => !isNameless || payloads.has(sameness(text))).length;
    if (before + times > Math.max(wanted, before)) {
      throw new Violation(`a restore made ${id} ${times} times, and it was there ${before} times`);
    }
  }
  const { report } = attempt;
  if (report === null) return;
  if ((report.exit_code === 0) !== (report.errors.length === 0)) {
    throw new Violation(`a restore with ${report.errors.length} errors ends with ${report.exit_code}`);
  }
  if (report.exit_code !== 0) return;
  const exactly = samenessOf(world);
  const there = new Set(
    [...world.server.documents(collection)].map(({ data }) => exactly(stored(data.toString('latin1')))),
  );
  const absent = seen.payloads.filter((text) => !there.has(exactly(text)) && !touched.has(idOf(text)));
  if (absent.length > 0)
    throw new Violation(`a restore reports success, and this is not there: ${absent[0]}`);
}
