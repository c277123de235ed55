import { type Catalog, hasOpenAnomaly, isGood, readCatalog } from '../../catalog/catalog.ts';
import { openManifestCache } from '../../catalog/manifest-cache.ts';
import {
  collectionOf,
  decideRetention,
  type RetainedBackup,
  type RetentionDecision,
  type RetentionPolicy,
  SHORT_LIVED_DAYS,
} from '../../catalog/retention.ts';
import { BackupError, combinedExit, toBackupError } from '../../kernel/errors.ts';
import type { OperationContext } from '../../kernel/events.ts';
import type { Manifest } from '../../model/manifest.ts';
import { type CleanedBackup, type CleanupReport, exitOf, reportError } from '../../model/report.ts';
import type { RetentionRule } from '../../model/retention-policy.ts';
import { parseInstant } from '../../model/time.ts';
import type { Repository } from '../../repository.ts';
import { removeIfThere } from '../../stores/store.ts';
import { leased } from '../leased.ts';
import { leftovers } from './leftovers.ts';
import { removeBackup } from './removal.ts';

export interface CleanupRequest {
  readonly rules: readonly RetentionRule[];
  /** Removes only what is older than so many days. */
  readonly days?: number;
  /** With `days`: also what the rules would keep. */
  readonly overridePolicy?: boolean;
  /** Removes just this backup. */
  readonly backupId?: string;
  /** Only backups of these collections. */
  readonly collections?: readonly string[];
  /** Nobody has asked for it, a backup has been made: what was adopted stays. */
  readonly automatic?: boolean;
  /** Removes many at once as well. */
  readonly confirmed: boolean;
  readonly dryRun: boolean;
}

/** A backup that lies further ahead is of a clock that is, or was, wrong. */
const FUTURE_MS_MAX = 5 * 60 * 1000;
/** What a run has just made says nothing of the time before it. */
const JUST_NOW_MS = 12 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** A pause of a weekend and some days, or of several times what is usual between backups, is no gap. */
const GAP_DAYS_MIN = 8;
const GAP_SPACINGS = 4;
/** More of one collection than this, and more than half of it, is no daily business. */
const REMOVALS_USUAL = 5;

/**
 * Removes backups that the rules do not keep (design.md §8), then what interrupted runs have left and what old restores
 * kept. Nothing is removed while anything is in doubt: a list that fails, a manifest that cannot be read, a backup of the
 * future. Throws CLEANUP_REFUSED, BACKUP_MISSING, a store's error; what fails for one backup is in the report.
 */
export async function cleanup(
  home: Repository,
  request: CleanupRequest,
  context: OperationContext = {},
): Promise<CleanupReport> {
  const { clock } = home.platform;
  const { signal } = context;
  const begun = clock.monotonic();
  await using lease = await leased(home, request.dryRun ? null : 'exclusive', 'cleanup', signal);
  const { repository } = lease;
  const now = clock.now();
  // decided from copies where the store is slow; what goes is read again in the store just before
  const cache = openManifestCache(repository);
  const catalog = await readCatalog(repository, signal, { cache, wantUnfinished: false });
  assertNothingInDoubt(catalog, now, request.backupId);
  const decisions = decide(catalog, request, now);
  const going = decisions.filter(({ keep }) => !keep);
  if (!request.confirmed && !request.dryRun && request.backupId === undefined) {
    assertUsual(decisions);
    if (going.length > 0) assertNoGap(catalog, now);
  }
  context.onEvent?.({
    type: 'run:started',
    operation: 'cleanup',
    objects: going.map(({ backup }) => backup.backupId),
  });

  const manifests = new Map(catalog.backups.map((manifest) => [manifest.backup_id, manifest]));
  const results = new Map<string, CleanedBackup>();
  const needed = new Set<string>();
  for (const decision of dependentsFirst(going)) {
    const manifest = manifests.get(decision.backup.backupId)!;
    let error: BackupError | null = null;
    try {
      if (needed.has(manifest.backup_id)) throw stillNeeded(manifest.backup_id);
      if (!request.dryRun) await removeBackup(repository, manifest, signal);
    } catch (thrown) {
      signal?.throwIfAborted();
      if (manifest.base_backup_id !== null) needed.add(manifest.base_backup_id);
      error = toBackupError(thrown, { operation: 'cleanup', object: manifest.backup_id });
    }
    results.set(manifest.backup_id, resultOf(decision, manifest, error));
    const outcome = error === null ? 'removed' : 'failed';
    context.onEvent?.({ type: 'object:finished', object: manifest.backup_id, outcome });
  }
  const swept: string[] = [];
  const troubles: BackupError[] = [];
  if (request.backupId === undefined) {
    try {
      for await (const key of leftovers(repository, catalog, now, signal)) {
        if (!request.dryRun) await removeIfThere(repository.store, key, signal);
        swept.push(key);
      }
    } catch (thrown) {
      signal?.throwIfAborted();
      troubles.push(toBackupError(thrown, { operation: 'cleanup' }));
    }
  }

  const backups = decisions.map(
    (decision) =>
      results.get(decision.backup.backupId) ??
      resultOf(decision, manifests.get(decision.backup.backupId)!, null),
  );
  const errors = [...backups.flatMap(({ error }) => error ?? []), ...troubles.map(reportError)];
  const removed = backups.filter(({ outcome }) => outcome === 'removed');
  return {
    operation: 'cleanup',
    dry_run: request.dryRun,
    exit_code: combinedExit([...removed.map(() => 0), ...errors.map(exitOf)]),
    duration_ms: Math.round(clock.monotonic() - begun),
    backups,
    leftovers: swept,
    freed_bytes: removed.reduce((sum, { size }) => sum + size, 0),
    warnings: [],
    errors,
  };
}

function decide(
  { backups, marks }: Catalog,
  { rules, days, overridePolicy, backupId, collections, automatic }: CleanupRequest,
  now: number,
): RetentionDecision[] {
  const frozen = new Map<string, string>();
  const spared = new Map<string, string>();
  const retained = backups.map((manifest): RetainedBackup => {
    const { backup_id, collection, source, adopted_from } = manifest;
    const kinds = marks.get(backup_id);
    const backup = {
      backupId: backup_id,
      collection,
      source: `${source.host} ${source.project ?? ''}`,
      backupType: manifest.backup_type,
      createdAt: parseInstant(manifest.created_at),
      good: isGood(manifest, marks),
      baseBackupId: manifest.base_backup_id,
      pinned: kinds?.has('pin') === true,
    };
    if (kinds !== undefined && hasOpenAnomaly(kinds)) {
      const why = `nothing of ${collection} is removed until the anomaly of ${backup_id} is acknowledged`;
      frozen.set(collectionOf(backup), why);
    }
    if (automatic === true && adopted_from !== undefined) {
      spared.set(backup_id, 'adopted: only `cleanup` removes it');
    }
    return backup;
  });
  if (backupId !== undefined) return [decideOne(retained, backupId, now, frozen)];
  const asked = days === undefined ? {} : { daysAsked: days };
  const policy: RetentionPolicy =
    days !== undefined && overridePolicy === true
      ? { rules: [], shortLivedDays: Math.min(days, SHORT_LIVED_DAYS), spared, ...asked }
      : { rules, spared, ...asked };
  return decideRetention(retained, policy, now, frozen).filter(
    ({ backup }) => collections?.includes(backup.collection) ?? true,
  );
}

/** What no policy gives up stays here as well. */
function decideOne(
  backups: readonly RetainedBackup[],
  backupId: string,
  now: number,
  frozen: ReadonlyMap<string, string>,
): RetentionDecision {
  const decision = decideRetention(backups, { rules: [] }, now, frozen).find(
    ({ backup }) => backup.backupId === backupId,
  );
  if (decision === undefined) {
    throw new BackupError('BACKUP_MISSING', `there is no backup ${backupId}`, {
      object: backupId,
      cure: 'Run `zerodb-backup list` to see what there is.',
    });
  }
  const { collection } = decision.backup;
  const ofIt = collectionOf(decision.backup);
  const usedBy = backups.filter(({ baseBackupId }) => baseBackupId === backupId);
  const otherFull = backups.some(
    (one) => collectionOf(one) === ofIt && one.backupType === 'full' && one.good && one.backupId !== backupId,
  );
  const why = decision.backup.pinned
    ? 'it is pinned: `unpin` it first'
    : frozen.has(ofIt)
      ? frozen.get(ofIt)!
      : usedBy.length > 0
        ? `${usedBy.map((one) => one.backupId).join(', ')} is built on it: remove that first`
        : decision.backup.backupType === 'full' && decision.backup.good && !otherFull
          ? `it is the last good full backup of ${collection}`
          : null;
  if (why !== null) throw refused(`${backupId} is not removed: ${why}`, 'Nothing else stands in the way.');
  return { ...decision, keep: false, reasons: ['asked for'] };
}

function assertNothingInDoubt({ damaged, backups }: Catalog, now: number, asked: string | undefined): void {
  const [unreadable] = damaged;
  if (unreadable !== undefined) {
    throw refused(
      `the manifest of ${unreadable.backupId} cannot be read (${unreadable.error.message}): what it needs is not known`,
      'Bring it back from another copy of the store, or move it out of the store; `verify` says more.',
    );
  }
  const ahead = backups.find(
    ({ backup_id, created_at }) => backup_id !== asked && parseInstant(created_at) > now + FUTURE_MS_MAX,
  );
  if (ahead !== undefined) {
    throw refused(
      `${ahead.backup_id} was made at ${ahead.created_at}, which is yet to come: a clock is or was wrong`,
      'Set the clock of this machine; if it was another one that was wrong, remove that backup with --id.',
    );
  }
}

/**
 * A clock that has jumped ahead makes every backup old at once. It shows as a gap: nothing was made for far longer than
 * is usual here, but for what was made just now.
 */
function assertNoGap({ backups }: Catalog, now: number): void {
  const times = backups.map(({ created_at }) => parseInstant(created_at)).sort((a, b) => b - a);
  const earlier = times.filter((time) => time < now - JUST_NOW_MS);
  const [newest] = earlier;
  if (newest === undefined) return;
  const days = new Set(earlier.map((time) => Math.floor(time / DAY_MS)));
  const spacing = days.size < 2 ? 1 : (Math.max(...days) - Math.min(...days)) / (days.size - 1);
  const gap = (now - newest) / DAY_MS;
  if (gap <= Math.max(GAP_DAYS_MIN, GAP_SPACINGS * spacing)) return;
  throw refused(
    `no backup was made in the ${Math.floor(gap)} days before: either none ran, or the clock of this machine is ahead`,
    'Look at the clock; if it is right, run `cleanup --yes` once.',
  );
}

function stillNeeded(backupId: string): BackupError {
  return new BackupError('CLEANUP_REFUSED', `${backupId} is not removed: what is built on it could not be`, {
    object: backupId,
    kept: 'It was left alone.',
    cure: 'Run the cleanup again once the store takes removals.',
  });
}

/** A wrong clock or a mistyped policy must not empty a store. */
function assertUsual(decisions: readonly RetentionDecision[]): void {
  for (const [collection, ofIt] of Map.groupBy(decisions, ({ backup }) => backup.collection)) {
    const going = ofIt.filter(({ keep }) => !keep).length;
    if (going <= REMOVALS_USUAL || going * 2 <= ofIt.length) continue;
    throw refused(
      `${going} of ${ofIt.length} backups of ${collection} would be removed at once`,
      'Look at `cleanup --dry-run` and at the clock of this machine; add --yes if it is right.',
    );
  }
}

function refused(message: string, cure: string): BackupError {
  return new BackupError('CLEANUP_REFUSED', message, { kept: 'Nothing was removed.', cure });
}

/** Incremental ones before the full ones that they are built on. */
function dependentsFirst(decisions: readonly RetentionDecision[]): RetentionDecision[] {
  const rank = ({ backup }: RetentionDecision): number => (backup.backupType === 'incremental' ? 0 : 1);
  return decisions.toSorted((a, b) => rank(a) - rank(b) || a.backup.createdAt - b.backup.createdAt);
}

function resultOf(
  { backup, keep, reasons, ageDays }: RetentionDecision,
  manifest: Manifest,
  error: BackupError | null,
): CleanedBackup {
  return {
    backup_id: backup.backupId,
    collection: backup.collection,
    backup_type: backup.backupType,
    age_days: ageDays,
    size: manifest.file_size + manifest.index.size,
    outcome: keep ? 'kept' : error === null ? 'removed' : 'failed',
    reasons,
    ...(error !== null && { error: reportError(error) }),
  };
}
