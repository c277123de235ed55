import { type Catalog, hasOpenAnomaly, isGood, readCatalog } from '../../catalog/catalog.ts';
import { decideRetention, type RetainedBackup, type RetentionDecision } from '../../catalog/retention.ts';
import { BackupError, combinedExit, toBackupError } from '../../kernel/errors.ts';
import type { OperationContext } from '../../kernel/events.ts';
import type { Manifest } from '../../model/manifest.ts';
import { type CleanedBackup, type CleanupReport, exitOf, reportError } from '../../model/report.ts';
import type { RetentionRule } from '../../model/retention-policy.ts';
import { parseInstant } from '../../model/time.ts';
import type { Repository } from '../../repository.ts';
import { leftovers } from './leftovers.ts';
import { removeBackup, removeObject } from './removal.ts';

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
/** More of one collection than this, and more than half of it, is no daily business. */
const REMOVALS_USUAL = 5;

/**
 * Removes backups that the rules do not keep (design.md §8), then what interrupted runs have left and what old restores
 * kept. Nothing is removed while anything is in doubt: a list that fails, a manifest that cannot be read, a backup of the
 * future. Throws CLEANUP_REFUSED, BACKUP_MISSING, a store's error; what fails for one backup is in the report.
 */
export async function cleanup(
  repository: Repository,
  request: CleanupRequest,
  context: OperationContext = {},
): Promise<CleanupReport> {
  const { clock } = repository.platform;
  const { signal } = context;
  const begun = clock.monotonic();
  const now = clock.now();
  const catalog = await readCatalog(repository, signal);
  assertNothingInDoubt(catalog, now);
  const decisions = decide(catalog, request, now);
  const going = decisions.filter(({ keep }) => !keep);
  assertUsual(decisions, request);
  context.onEvent?.({
    type: 'run:started',
    operation: 'cleanup',
    objects: going.map(({ backup }) => backup.backupId),
  });

  const manifests = new Map(catalog.backups.map((manifest) => [manifest.backup_id, manifest]));
  const results = new Map<string, CleanedBackup>();
  for (const decision of dependentsFirst(going)) {
    const manifest = manifests.get(decision.backup.backupId)!;
    let error: BackupError | null = null;
    try {
      if (!request.dryRun) await removeBackup(repository, manifest, signal);
    } catch (thrown) {
      signal?.throwIfAborted();
      error = toBackupError(thrown, { operation: 'cleanup', object: manifest.backup_id });
    }
    results.set(manifest.backup_id, resultOf(decision, manifest, error));
    const outcome = error === null ? 'removed' : 'failed';
    context.onEvent?.({ type: 'object:finished', object: manifest.backup_id, outcome });
  }
  const swept = request.backupId === undefined ? await leftovers(repository, catalog, now, signal) : [];
  if (!request.dryRun) for (const key of swept) await removeObject(repository, key, signal);

  const backups = decisions.map(
    (decision) =>
      results.get(decision.backup.backupId) ??
      resultOf(decision, manifests.get(decision.backup.backupId)!, null),
  );
  const errors = backups.flatMap(({ error }) => error ?? []);
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
  const adopted = new Set(backups.flatMap((one) => (one.adopted_from === undefined ? [] : one.backup_id)));
  const retained = backups.map((manifest): RetainedBackup => {
    const kinds = marks.get(manifest.backup_id);
    if (kinds !== undefined && hasOpenAnomaly(kinds)) {
      frozen.set(
        manifest.collection,
        `nothing of ${manifest.collection} is removed until the anomaly of ${manifest.backup_id} is acknowledged`,
      );
    }
    return {
      backupId: manifest.backup_id,
      collection: manifest.collection,
      backupType: manifest.backup_type,
      createdAt: parseInstant(manifest.created_at),
      good: isGood(manifest, marks),
      baseBackupId: manifest.base_backup_id,
      pinned: kinds?.has('pin') === true,
    };
  });
  if (backupId !== undefined) return [decideOne(retained, backupId, now, frozen)];
  const effective =
    days !== undefined && overridePolicy === true ? [{ kind: 'within', days } as const] : rules;
  return decideRetention(retained, effective, now, frozen)
    .filter(({ backup }) => collections?.includes(backup.collection) ?? true)
    .map((decision) => {
      if (!decision.keep && automatic === true && adopted.has(decision.backup.backupId)) {
        return { ...decision, keep: true, reasons: ['adopted: only `cleanup` removes it'] };
      }
      if (decision.keep || days === undefined || decision.ageDays > days) return decision;
      return { ...decision, keep: true, reasons: [`not older than ${days} days, as asked`] };
    });
}

/** What no policy gives up stays here as well. */
function decideOne(
  backups: readonly RetainedBackup[],
  backupId: string,
  now: number,
  frozen: ReadonlyMap<string, string>,
): RetentionDecision {
  const decision = decideRetention(backups, [], now, frozen).find(
    ({ backup }) => backup.backupId === backupId,
  );
  if (decision === undefined) {
    throw new BackupError('BACKUP_MISSING', `there is no backup ${backupId}`, {
      object: backupId,
      cure: 'Run `zerodb-backup list` to see what there is.',
    });
  }
  const { collection } = decision.backup;
  const usedBy = backups.filter(({ baseBackupId }) => baseBackupId === backupId);
  const otherFull = backups.some(
    (one) =>
      one.collection === collection && one.backupType === 'full' && one.good && one.backupId !== backupId,
  );
  const why = decision.backup.pinned
    ? 'it is pinned: `unpin` it first'
    : frozen.has(collection)
      ? frozen.get(collection)!
      : usedBy.length > 0
        ? `${usedBy.map((one) => one.backupId).join(', ')} is built on it: remove that first`
        : decision.backup.backupType === 'full' && decision.backup.good && !otherFull
          ? `it is the last good full backup of ${collection}`
          : null;
  if (why !== null) throw refused(`${backupId} is not removed: ${why}`, 'Nothing else stands in the way.');
  return { ...decision, keep: false, reasons: ['asked for'] };
}

function assertNothingInDoubt({ damaged, backups }: Catalog, now: number): void {
  const [unreadable] = damaged;
  if (unreadable !== undefined) {
    throw refused(
      `the manifest of ${unreadable.backupId} cannot be read (${unreadable.error.message}): what it needs is not known`,
      'Bring it back from another copy of the store, or move it out of the store; `verify` says more.',
    );
  }
  const ahead = backups.find(({ created_at }) => parseInstant(created_at) > now + FUTURE_MS_MAX);
  if (ahead !== undefined) {
    throw refused(
      `${ahead.backup_id} was made at ${ahead.created_at}, which is yet to come: a clock is or was wrong`,
      'Set the clock of this machine; if it was another one that was wrong, remove that backup with --id.',
    );
  }
}

/** A wrong clock or a mistyped policy must not empty a store. */
function assertUsual(
  decisions: readonly RetentionDecision[],
  { confirmed, dryRun, backupId }: CleanupRequest,
): void {
  if (confirmed || dryRun || backupId !== undefined) return;
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
