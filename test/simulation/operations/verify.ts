import type { VerifyLevel, VerifyReport } from '../../../src/model/report.ts';
import { verify } from '../../../src/operations/verify.ts';
import { type Attempt, Violation } from '../attempt.ts';
import { assertExplained, damageFirst, exitOf } from '../codes.ts';
import type { Faults } from '../faults.ts';
import { isObjectOf, MARKER } from '../observer.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import type { Operation } from './operation.ts';
import { crossings, mayMisread, unsoundness } from './reading.ts';

export const verifyOperation: Operation = {
  name: 'verify',
  aims: 'read',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const level = world.dice.pick(['presence', 'checksum', 'decode'] as const);
    return [await runVerify(world, world.pickStore(), faults, level)];
  },
};

/** Verifies everything. Damage that can be seen at this level is named, and nothing else. */
export async function runVerify(
  world: World,
  store: WorldStore,
  faults: Faults,
  level: VerifyLevel,
): Promise<Attempt<VerifyReport>> {
  const before = new Set(store.observer.visible);
  const reasons = store.observer.exists ? [] : ['STORE_MISSING'];
  const attempt = await world.attempt(store, faults, ({ repository, signal }) =>
    verify(repository, { backupIds: null, level, maxAgeMs: null }, { signal }),
  );
  world.assertServerUntouched(attempt);
  judge(attempt, before, level, reasons);
  return attempt;
}

const CODES = { backups: 'ARCHIVE_DAMAGED', indexes: 'INDEX_DAMAGED', manifests: 'MANIFEST_DAMAGED' };

function judge(
  attempt: Attempt<VerifyReport>,
  before: ReadonlySet<string>,
  level: VerifyLevel,
  reasons: readonly string[],
): void {
  const { observer, damage, isMarkerDamaged } = attempt.store;
  /** At the lowest level only manifests are read; of the others their sizes are looked at. */
  const damaged = [...observer.damaged].filter(
    (key) => level !== 'presence' || key.startsWith('manifests/') || damage.hasOtherSize(key),
  );
  const codes = [...observer.damaged].map((key) => CODES[key.split('/')[0] as keyof typeof CODES]);
  if (isMarkerDamaged) codes.push('MARKER_DAMAGED');
  for (const id of observer.visible) codes.push(...unsoundness(attempt.store, id));
  if (before.size === 0) codes.push('BACKUP_MISSING');
  assertExplained(attempt, [...reasons, ...codes, ...crossings(attempt)]);
  const { report } = attempt;
  if (report === null) return;
  if (report.exit_code !== expectedExit(report)) {
    throw new Violation(`verify ends with ${report.exit_code} and not ${expectedExit(report)}`);
  }
  const outcomes = new Map(report.backups.map((one) => [one.backup_id, one]));
  for (const id of observer.visible) {
    const found = outcomes.get(id);
    const keys = [...damaged.filter((key) => isObjectOf(id, key)), ...troublesOfBase(attempt.store, id)];
    if (found === undefined) {
      if (before.has(id)) throw new Violation(`verify says nothing of ${id}`);
    } else if (keys.length > 0) {
      const isNamed =
        found.outcome === 'damaged' || (found.outcome === 'failed' && attempt.suffered.length > 0);
      if (!isNamed) throw new Violation(`verify takes ${id} for ${found.outcome}: ${keys.join(', ')}`);
    } else if (found.outcome === 'damaged' && !mayMisread(attempt)) {
      const isSeen =
        unsoundness(attempt.store, id).length > 0 || [...observer.damaged].some((key) => isObjectOf(id, key));
      if (!isSeen) throw new Violation(`verify takes ${id} for damaged: ${found.errors[0]?.message}`);
    }
    if ((found?.outcome === 'good') !== (found?.errors.length === 0)) {
      throw new Violation(`verify takes ${id} for ${found?.outcome} with ${found?.errors.length} errors`);
    }
  }
  const isMarkerNamed = report.errors.some(({ object }) => object?.includes(MARKER));
  if (isMarkerDamaged && !isMarkerNamed) throw new Violation('verify says nothing of the marker');
}

/** What every level sees of the base of an incremental backup: its manifest, and the size of its archive. */
function troublesOfBase({ observer, damage }: WorldStore, id: string): readonly string[] {
  const baseId = observer.backups.get(id)?.manifest.base_backup_id ?? null;
  if (baseId === null) return [];
  const key = `manifests/${baseId}.json`;
  if (!observer.visible.includes(baseId) || observer.damaged.has(key)) return [key];
  const { object_path } = observer.backups.get(baseId)!.manifest;
  return damage.hasOtherSize(object_path) ? [object_path] : [];
}

/** Damage before everything; else where all failed alike that code, else 3. */
function expectedExit({ backups, errors }: VerifyReport): number {
  const exits = errors.map(({ code }) => exitOf(code));
  const isPartly = backups.some(({ outcome }) => outcome === 'good');
  const exit = damageFirst(exits);
  return exit === 0 || exit === 4 || !isPartly ? exit : 3;
}
