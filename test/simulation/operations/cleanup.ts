import type { CleanupReport } from '../../../src/model/report.ts';
import { type RetentionRule, SPECIFIED_RULES } from '../../../src/model/retention-policy.ts';
import { type CleanupRequest, cleanup } from '../../../src/operations/cleanup/cleanup.ts';
import { markBackup } from '../../../src/operations/mark.ts';
import { type Attempt, Violation } from '../attempt.ts';
import { assertExplained, exitOf } from '../codes.ts';
import { type Faults, NO_FAULTS } from '../faults.ts';
import {
  assertSwept,
  doubtOf,
  isFrozen,
  isGoodFull,
  judgeRemovals,
  type StoreBefore,
  storeBefore,
} from '../removals.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import { drawIncremental, runBackup } from './backup.ts';
import type { Operation } from './operation.ts';
import { refusals } from './reading.ts';

/** Days pass, some backups are pinned, old ones are removed; what a crash left of that is removed later. */
export const cleanupOperation: Operation = {
  name: 'cleanup',
  aims: 'cleanup',
  weight: 5,
  usesTool: true,
  concurrent: false,
  async run(world, faults) {
    const { dice } = world;
    const store = world.pickStoreWithBackup();
    const attempts: Attempt<unknown>[] = [];
    await daysPass(world, [0, 1, 8]);
    const collections = [dice.pick(world.settings.collections)];
    for (let times = 1 + dice.below(4); times > 0; times--) {
      attempts.push(
        await runBackup(world, store, NO_FAULTS, { collections, incremental: drawIncremental(dice) }),
      );
      store.observer.look();
      await daysPass(world, [0, 1, 8, 8, 40]);
    }
    if (dice.chance(0.3)) attempts.push(await runMark(world, store, NO_FAULTS));
    const request = drawRequest(world, store);
    attempts.push(await runCleanup(world, store, faults, request));
    if (dice.chance(0.5)) return attempts;
    await daysPass(world, [0, 8, 40]);
    attempts.push(await runCleanup(world, store, NO_FAULTS, request));
    return attempts;
  },
};

/** A cleanup while backups are made: what they are built on and have stored so far stays. */
export const cleanupBesideBackup: Operation = {
  name: 'cleanup beside a backup',
  aims: 'backup',
  weight: 1,
  usesTool: true,
  concurrent: false,
  async run(world, faults) {
    const store = world.pickStoreWithBackup();
    await daysPass(world, [0, 1, 8]);
    const rules = drawRules(world);
    const before = storeBefore(world, store);
    const incremental = drawIncremental(world.dice);
    // a power cut of this world ends one run only, and would bring back what the other one is removing
    const survivable = world.settings.powerCuts > 0 ? NO_FAULTS : faults;
    const request = { rules, confirmed: true, dryRun: false };
    const [made, cleaned] = await Promise.all([
      runBackup(world, store, survivable, { incremental }),
      clean(world, store, NO_FAULTS, request),
    ]);
    judgeRemovals(world, cleaned, before, request);
    return [made, cleaned];
  },
};

async function daysPass({ dice, scheduler }: World, days: readonly number[]): Promise<void> {
  await scheduler.sleep({ name: 'nobody', frozenUntil: 0 }, dice.pick(days) * 86_400_000);
}

function drawRules({ dice }: World): readonly RetentionRule[] {
  const period = dice.pick(['day', 'week', 'month', 'year'] as const);
  return dice.pick([
    SPECIFIED_RULES,
    [{ kind: 'last', count: 1 + dice.below(3) }],
    [{ kind: 'within', days: dice.pick([0, 1, 7, 30]) }],
    [{ kind: 'first-of', period, count: 1 + dice.below(3) }],
    [],
  ]);
}

function drawRequest(world: World, store: WorldStore): CleanupRequest {
  const { dice, settings } = world;
  const base = { rules: drawRules(world), confirmed: dice.chance(0.8), dryRun: dice.chance(0.1) };
  const id = store.pickBackup();
  if (id !== null && dice.chance(0.2)) return { ...base, backupId: id };
  return {
    ...base,
    ...(dice.chance(0.3) && { days: dice.pick([0, 1, 7, 30]), overridePolicy: dice.chance(0.5) }),
    ...(dice.chance(0.3) && { collections: [dice.pick(settings.collections)] }),
  };
}

/** Removes backups, and judges what was removed. */
export async function runCleanup(
  world: World,
  store: WorldStore,
  faults: Faults,
  request: CleanupRequest,
): Promise<Attempt<CleanupReport>> {
  const before = storeBefore(world, store);
  const attempt = await clean(world, store, faults, request);
  assertExplained(attempt, reasons(store, before, attempt, request));
  const removed = judgeRemovals(world, attempt, before, request);
  const { report } = attempt;
  if (report === null) return attempt;
  judgeReport(report, before, removed);
  if (report.exit_code === 0 && !request.dryRun && request.backupId === undefined && !attempt.lostPower)
    assertSwept(attempt, removed);
  return attempt;
}

async function clean(world: World, store: WorldStore, faults: Faults, request: CleanupRequest) {
  const attempt = await world.attempt(store, faults, ({ repository, signal }) =>
    cleanup(repository, request, { signal }),
  );
  world.assertServerUntouched(attempt);
  return attempt;
}

/** Why a cleanup may refuse. */
function reasons(
  { observer }: WorldStore,
  before: StoreBefore,
  attempt: Attempt<unknown>,
  { backupId, confirmed, dryRun }: CleanupRequest,
): readonly string[] {
  const codes = before.visible.length === 0 && !observer.exists ? ['STORE_MISSING'] : [];
  // a manifest that cannot be read at the moment is one that cannot be read
  if (attempt.suffered.some(({ place }) => place === 'store')) codes.push('CLEANUP_REFUSED');
  // a freeze takes the clock past the time that was in doubt
  if (doubtOf(before, attempt.began, backupId) !== null) return [...codes, 'CLEANUP_REFUSED'];
  if (backupId === undefined) return confirmed || dryRun ? codes : [...codes, 'CLEANUP_REFUSED'];
  if (!before.visible.includes(backupId)) return [...codes, 'BACKUP_MISSING'];
  const all = before.visible.map((id) => before.backups.get(id)!.manifest);
  const { collection } = before.backups.get(backupId)!.manifest;
  const isLast = !all.some(
    (one) => one.collection === collection && one.backup_id !== backupId && isGoodFull(before, one.backup_id),
  );
  const isNeeded =
    before.pinned.has(backupId) ||
    isFrozen(before, collection) ||
    all.some((one) => one.base_backup_id === backupId) ||
    (isLast && isGoodFull(before, backupId));
  return isNeeded ? [...codes, 'CLEANUP_REFUSED'] : codes;
}

function judgeReport(report: CleanupReport, before: StoreBefore, removed: readonly string[]): void {
  for (const { backup_id, outcome } of report.backups) {
    if (!before.visible.includes(backup_id)) throw new Violation(`cleanup speaks of ${backup_id}`);
    const isGone = removed.includes(backup_id);
    if (!report.dry_run && outcome !== 'failed' && isGone !== (outcome === 'removed'))
      throw new Violation(`cleanup says that ${backup_id} is ${outcome}`);
  }
  for (const id of removed) {
    if (!report.backups.some(({ backup_id }) => backup_id === id))
      throw new Violation(`cleanup says nothing of ${id}, which it removed`);
  }
  const exits = new Set(report.errors.map(({ code }) => exitOf(code)));
  if (report.backups.some(({ outcome }) => outcome === 'removed')) exits.add(0);
  const expected = exits.size > 1 ? 3 : ([...exits][0] ?? 0);
  if (report.exit_code !== expected)
    throw new Violation(`cleanup ends with ${report.exit_code} and not ${expected}`);
}

/** Pins a backup, or unpins it. */
async function runMark(world: World, store: WorldStore, faults: Faults): Promise<Attempt<unknown>> {
  const id = store.pickBackup() ?? 'users_full_20260101_000000';
  const action = world.dice.pick(['pin', 'pin', 'unpin'] as const);
  const attempt = await world.attempt(store, faults, ({ repository, signal }) =>
    markBackup([repository], action, id, null, { signal }),
  );
  assertExplained(attempt, [...refusals(store, id), 'BACKUP_MISSING']);
  const isPinned = store.observer.keys.includes(`marks/${id}.pin.json`);
  if (attempt.report !== null && isPinned !== (action === 'pin'))
    throw new Violation(`${id} is ${isPinned ? '' : 'not '}pinned after ${action}`);
  return attempt;
}
