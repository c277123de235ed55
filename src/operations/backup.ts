import type { Compression } from '../kernel/codec.ts';
import { BackupError, combinedExit, toBackupError } from '../kernel/errors.ts';
import type { OperationContext, OperationEvent } from '../kernel/events.ts';
import { randomHex } from '../kernel/random.ts';
import { runWorkers } from '../kernel/workers.ts';
import { type AnomalyLimits, findAnomaly } from '../model/anomaly.ts';
import { compactTime } from '../model/backup-id.ts';
import { FOURTEEN_COLLECTIONS } from '../model/collections.ts';
import type { Manifest } from '../model/manifest.ts';
import {
  type BackupReport,
  type CollectionBackup,
  type ReportedError,
  type ReportedWarning,
  reportError,
} from '../model/report.ts';
import type { RetentionRule } from '../model/retention-policy.ts';
import { parseInstant } from '../model/time.ts';
import { openScratch, type Repository } from '../repository.ts';
import type { Source } from '../sources/source.ts';
import type { Target } from '../sources/target.ts';
import { backupCollection } from './backup-collection.ts';
import { errorsOf, exitOfResult, notMade, resultOf } from './backup-results.ts';
import {
  absent,
  type Candidate,
  chooseCollections,
  createdMeanwhile,
  failureOf,
  NotThere,
  nothingThere,
  type Wanted,
} from './candidates.ts';
import { cleanup } from './cleanup/cleanup.ts';
import { roomToGain } from './cleanup/room.ts';
import { type BaseBackup, type Destinations, oneStore, severalStores } from './destinations.ts';
import { type MirrorChange, mirror } from './mirror.ts';

export interface BackupRequest extends Wanted {
  readonly dryRun: boolean;
  /** What differs from the newest good full backup; null: full backups. */
  readonly incremental: IncrementalPolicy | null;
  readonly compression: Compression;
  /** Collections at once. */
  readonly concurrency: number;
  readonly consistency: 'window' | 'point';
  /** Use a store that holds another project's backups, or other files. */
  readonly adoptStore: boolean;
  /** What is strange enough for somebody to look at it first. */
  readonly anomalyLimits: AnomalyLimits;
  /** What keeps backups: the others of collections that were backed up are removed afterwards; null: nothing is. */
  readonly retention: readonly RetentionRule[] | null;
  /** Where an entry of each backup is written for people to query (operations/mirror.ts); null: nowhere. */
  readonly mirrorIn: Target | null;
  /** Read every stored byte again before it is committed; only benchmarks turn it off. */
  readonly readBack: boolean;
}

/** More than this at once only costs memory: each holds a few pages and blocks, and the compressor has two cores or four. */
const COLLECTIONS_AT_ONCE_MAX = 3;

export interface IncrementalPolicy {
  /** A full backup is made instead where the base is older. */
  readonly baseAgeMaxMs: number;
  /** And where the increment would be more than this part of its base. */
  readonly sizeMax: number;
}

/** Several stores that a run brings its backups to, and the place where they are made. */
export interface SeveralStores {
  readonly spool: Repository;
  readonly stores: readonly Repository[];
}

/**
 * Backs up collections, several at once; one that fails never stops the others. With several stores each of them gets
 * its copy, and one that fails never stops the others either. Throws only where nothing could be begun: the source, or
 * every store, cannot be used at all.
 */
export async function backup(
  home: Repository | SeveralStores,
  source: Source,
  request: BackupRequest,
  context: OperationContext = {},
): Promise<BackupReport> {
  const { clock, random } = ('spool' in home ? home.spool : home).platform;
  const begun = clock.monotonic();
  const runId = `${compactTime(clock.now())}_${randomHex(random, 4)}`;
  const warnings: ReportedWarning[] = [];
  const onEvent = (event: OperationEvent): void => {
    if (event.type === 'warning') {
      warnings.push({
        code: event.code,
        message: event.message,
        ...(event.object === undefined ? {} : { object: event.object }),
      });
    }
    context.onEvent?.(event);
  };

  const listed = await source.listCollections(context.signal);
  await using destinations = await openDestinations(home, source, request, context.signal);
  const { held, repository } = destinations;
  const candidates = chooseCollections(request, listed, new Set(held.newest.keys()));
  const scratch = await openScratch(repository);
  onEvent({
    type: 'run:started',
    operation: 'backup',
    run_id: runId,
    objects: candidates.map(({ name }) => name),
  });

  const delivered = await destinations.deliverOutstanding(context.signal);
  const notIncluded = await source.notIncluded(context.signal);

  const results: CollectionBackup[] = [];
  const made: Manifest[] = [];
  let queue = [...candidates];
  const backUpNext = async (): Promise<void> => {
    for (let candidate = queue.shift(); candidate !== undefined; candidate = queue.shift()) {
      const { name, known, inRepository } = candidate;
      const started = clock.monotonic();
      onEvent({ type: 'object:started', object: name });
      let result: CollectionBackup;
      try {
        if (candidate.listed === false) throw absent(candidate);
        const { base, fullBecause } = chooseBase(request.incremental, destinations, name, clock.now());
        const done = await backupCollection(repository, source, {
          collection: candidate,
          runId,
          compression: request.compression,
          dryRun: request.dryRun,
          readBack: request.readBack,
          point: request.consistency === 'point',
          base,
          incrementLimits: { sizeMax: request.incremental?.sizeMax ?? 0 },
          before: held.newest.get(name) ?? null,
          notIncluded,
          beforeStoring: destinations.prepare,
          beforeCommit: (manifest) => guard(destinations, manifest, base, request, { ...context, onEvent }),
          takenIds: held.ids,
          backUpEmpty: listed !== null || inRepository || (known && !FOURTEEN_COLLECTIONS.includes(name)),
          scratch,
          signal: context.signal,
          onEvent,
        });
        if (done === null) throw absent(candidate);
        const { manifest } = done;
        const stores = request.dryRun ? [] : await destinations.deliver(manifest, context.signal);
        const because = fullBecause ?? done.fullBecause;
        result = {
          ...resultOf(manifest, stores, request.dryRun, clock.monotonic() - started),
          ...(because !== null && { full_because: because }),
        };
        if (result.error === undefined) {
          made.push(manifest);
          onEvent({ type: 'object:finished', object: name, outcome: manifest.status });
        } else {
          const { code, message } = result.error;
          onEvent({ type: 'object:failed', object: name, code, message });
        }
      } catch (thrown) {
        context.signal?.throwIfAborted();
        const failure = failureOf(thrown, candidate);
        if (failure instanceof NotThere) {
          result = notMade(name, 'skipped', clock.monotonic() - started);
          onEvent({ type: 'warning', object: name, code: 'COLLECTION_SKIPPED', message: failure.message });
          onEvent({ type: 'object:finished', object: name, outcome: 'skipped' });
        } else {
          const kept = 'Earlier backups of this collection are untouched.';
          const error = toBackupError(failure, { operation: 'backup', object: name, kept });
          result = notMade(name, 'failed', clock.monotonic() - started, error);
          onEvent({ type: 'object:failed', object: name, code: error.code, message: error.message });
        }
      }
      results.push(result);
    }
  };
  const workers = Math.max(1, Math.min(request.concurrency, COLLECTIONS_AT_ONCE_MAX));
  await runWorkers(workers, backUpNext);
  if (request.collections === null && listed !== null) {
    queue = await createdMeanwhile(source, request, candidates, { ...context, onEvent });
    candidates.push(...queue);
    await runWorkers(workers, backUpNext);
  }
  for (const remark of source.remarks()) onEvent({ type: 'warning', ...remark });
  for (const repository of fullStores(destinations.stores, results)) {
    const message = await roomToGain(repository, request.retention, context.signal);
    onEvent({ type: 'warning', object: repository.store.label, code: 'STORE_FULL', message });
  }

  await destinations.release();
  let gone: ReadonlySet<string> = new Set();
  const clockIsOff = source.remarks().some(({ code }) => code === 'CLOCK_SKEW');
  if (request.retention !== null && !request.dryRun && !clockIsOff) {
    const collections = made
      .filter(({ status }) => status === 'completed')
      .map(({ collection }) => collection);
    gone = await removeOld(destinations.stores, request.retention, collections, { ...context, onEvent });
  }
  if (request.mirrorIn !== null && !request.dryRun) {
    const change = { there: made.filter(({ backup_id }) => !gone.has(backup_id)), gone };
    await mirrorBackups(repository, request.mirrorIn, change, { ...context, onEvent });
  }

  results.sort((a, b) => order(candidates, a) - order(candidates, b));
  const errors = [...delivered, ...results].flatMap((result) => errorsOf(result));
  if (results.every(({ outcome }) => outcome === 'skipped')) errors.push(reportError(nothingThere(source)));
  const exits = results.filter(({ outcome }) => outcome !== 'skipped').map(exitOfResult);
  if (exits.length === 0 || delivered.some((result) => errorsOf(result).length > 0)) exits.push(3);
  return {
    operation: 'backup',
    run_id: runId,
    dry_run: request.dryRun,
    exit_code: combinedExit(exits),
    duration_ms: Math.round(clock.monotonic() - begun),
    backups: results,
    ...(delivered.length > 0 && { delivered }),
    ...(notIncluded.length > 0 && { not_included: notIncluded }),
    warnings,
    errors,
  };
}

/** A complete backup that is strange is kept, marked and told of: until somebody acknowledges it nothing old is removed. */
async function guard(
  destinations: Destinations,
  made: Manifest,
  base: BaseBackup | null,
  { anomalyLimits, dryRun }: BackupRequest,
  { signal, onEvent }: OperationContext,
): Promise<void> {
  const { backup_id, backup_type, collection, status } = made;
  const before = destinations.held.newest.get(collection);
  if (before === undefined || status !== 'completed') return;
  const builtOn = backup_type === 'incremental' && base !== null ? base.manifest : null;
  const anomaly = findAnomaly(made, before, builtOn, anomalyLimits);
  if (anomaly === null) return;
  const { code, message } = anomaly;
  if (!dryRun) await destinations.noteAnomaly(backup_id, message, signal);
  const until = `no old backup of ${collection} is removed until \`zerodb-backup acknowledge ${backup_id}\``;
  onEvent?.({
    type: 'warning',
    object: collection,
    code,
    message: dryRun ? message : `${message}; ${until}`,
  });
}

function fullStores(stores: readonly Repository[], results: readonly CollectionBackup[]): Repository[] {
  const isFull = ({ error }: { readonly error?: ReportedError }) => error?.code === 'STORE_FULL';
  return stores.filter(({ store }) =>
    results.some(
      (result) => result.stores?.some((one) => one.store === store.label && isFull(one)) ?? isFull(result),
    ),
  );
}

/** The backup is made: what cannot be removed is a warning. A collection without a new backup loses no old one. Ids of those that no store has any more. */
async function removeOld(
  stores: readonly Repository[],
  rules: readonly RetentionRule[],
  collections: readonly string[],
  { signal, onEvent }: OperationContext,
): Promise<ReadonlySet<string>> {
  const removed = new Set<string>();
  const kept = new Set<string>();
  if (collections.length === 0) return removed;
  for (const repository of stores) {
    try {
      const request = { rules, collections, automatic: true, confirmed: false, dryRun: false };
      const { backups, errors } = await cleanup(repository, request, signal === undefined ? {} : { signal });
      for (const { backup_id, outcome } of backups) {
        (outcome === 'removed' ? removed : kept).add(backup_id);
      }
      for (const { code, message, object } of errors) {
        onEvent?.({ type: 'warning', code, message, ...(object !== undefined && { object }) });
      }
    } catch (thrown) {
      signal?.throwIfAborted();
      if (!(thrown instanceof BackupError)) throw thrown;
      const { code, message, cure } = thrown;
      const text = `nothing old was removed from ${repository.store.label}: ${message}${cure === undefined ? '' : `. ${cure}`}`;
      onEvent?.({ type: 'warning', code, message: text, object: repository.store.label });
    }
  }
  return new Set([...removed].filter((id) => !kept.has(id)));
}

/** What an incremental backup is to be built on, or why there is none. */
function chooseBase(
  policy: IncrementalPolicy | null,
  destinations: Destinations,
  collection: string,
  now: number,
): { readonly base: BaseBackup | null; readonly fullBecause: string | null } {
  if (policy === null) return { base: null, fullBecause: null };
  const base = destinations.baseOf(collection);
  if (base === null) return { base, fullBecause: 'there is no good full backup to build on' };
  const { backup_id, window } = base.manifest;
  const ageMs = now - parseInstant(window.start);
  if (ageMs < 0) return { base: null, fullBecause: `${backup_id} is of the future: a clock is wrong` };
  if (ageMs > policy.baseAgeMaxMs) return { base: null, fullBecause: `${backup_id} is too old to build on` };
  return { base, fullBecause: null };
}

/** A mirror that fails is no failure of the backups. */
async function mirrorBackups(
  repository: Repository,
  target: Target,
  change: MirrorChange,
  context: OperationContext,
): Promise<void> {
  try {
    await mirror(repository, async () => target, change, context);
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'MIRROR_FAILED')) throw thrown;
    const { code, message, object, cure } = thrown;
    context.onEvent?.({
      type: 'warning',
      code,
      message: cure === undefined ? message : `${message}. ${cure}`,
      ...(object !== undefined && { object }),
    });
  }
}

function openDestinations(
  home: Repository | SeveralStores,
  source: Source,
  { adoptStore: adopt, dryRun }: BackupRequest,
  signal: AbortSignal | undefined,
): Promise<Destinations> {
  const options = { source: source.identity, adopt, dryRun };
  return 'spool' in home
    ? severalStores(home.spool, home.stores, options, signal)
    : oneStore(home, options, signal);
}

function order(candidates: readonly Candidate[], result: CollectionBackup): number {
  return candidates.findIndex(({ name }) => name === result.collection);
}
