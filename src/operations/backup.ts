import { readCatalog } from '../catalog/catalog.ts';
import type { Compression } from '../kernel/codec.ts';
import { BackupError, combinedExit, toBackupError } from '../kernel/errors.ts';
import type { OperationContext, OperationEvent } from '../kernel/events.ts';
import { randomHex } from '../kernel/random.ts';
import { runWorkers } from '../kernel/workers.ts';
import { compactTime } from '../model/backup-id.ts';
import { FOURTEEN_COLLECTIONS, MIRROR_COLLECTION } from '../model/collections.ts';
import type { Manifest } from '../model/manifest.ts';
import {
  type BackupReport,
  type CollectionBackup,
  exitOf,
  type ReportedError,
  type ReportedWarning,
  reportError,
} from '../model/report.ts';
import { claimStore, openScratch, type Repository } from '../repository.ts';
import type { ListedCollection, Source } from '../sources/source.ts';
import { backupCollection } from './backup-collection.ts';

export interface BackupRequest {
  /** Null: every collection of the project. */
  readonly collections: readonly string[] | null;
  readonly exclude: readonly string[];
  /** Used where the server cannot list its collections; empty: the fourteen of the specification. */
  readonly configuredCollections: readonly string[];
  readonly dryRun: boolean;
  readonly compression: Compression;
  /** Collections at once. */
  readonly concurrency: number;
  readonly consistency: 'window' | 'point';
  /** Use a store that holds another project's backups, or other files. */
  readonly adoptStore: boolean;
  /** Read every stored byte again before it is committed; only benchmarks turn it off. */
  readonly readBack: boolean;
}

/** More than this at once only costs memory: each holds a few pages and blocks, and the compressor has two cores or four. */
const COLLECTIONS_AT_ONCE_MAX = 3;

/** A collection to be backed up, and what is known of its name. */
interface Candidate extends ListedCollection {
  /** A collection that no one has ever heard of must hold something to be believed in. */
  readonly known: boolean;
  readonly inRepository: boolean;
  /** Said by a server that lists its collections: it is not there. */
  readonly unlisted: boolean;
}

/**
 * Backs up collections, several at once; one that fails never stops the others. Throws only where nothing could be
 * begun: the source or the store cannot be used at all.
 */
export async function backup(
  repository: Repository,
  source: Source,
  request: BackupRequest,
  context: OperationContext = {},
): Promise<BackupReport> {
  const { clock, random } = repository.platform;
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
  const writeMarker = await claimStore(repository, source.identity, request.adoptStore, context.signal);
  const held = await heldBackups(repository, context.signal);
  const candidates = chooseCollections(request, listed, new Set(held.documentCounts.keys()));
  const scratch = await openScratch(repository);
  onEvent({
    type: 'run:started',
    operation: 'backup',
    run_id: runId,
    objects: candidates.map(({ name }) => name),
  });

  const results: CollectionBackup[] = [];
  const queue = [...candidates];
  const backUpNext = async (): Promise<void> => {
    for (let candidate = queue.shift(); candidate !== undefined; candidate = queue.shift()) {
      const { name, known, inRepository } = candidate;
      const started = clock.monotonic();
      onEvent({ type: 'object:started', object: name });
      let result: CollectionBackup;
      try {
        if (candidate.unlisted) throw absent(candidate);
        const manifest = await backupCollection(repository, source, {
          collection: candidate,
          runId,
          compression: request.compression,
          dryRun: request.dryRun,
          readBack: request.readBack,
          point: request.consistency === 'point',
          beforeStoring: writeMarker,
          takenIds: held.ids,
          backUpEmpty: listed !== null || inRepository || (known && !FOURTEEN_COLLECTIONS.includes(name)),
          scratch,
          signal: context.signal,
          onEvent,
        });
        if (manifest === null) throw absent(candidate);
        result = successful(manifest, request.dryRun, clock.monotonic() - started);
        const before = held.documentCounts.get(name) ?? 0;
        if (manifest.document_count === 0 && before > 0) {
          const message = `collection ${name} is empty; the newest backup of it held ${before} documents`;
          onEvent({ type: 'warning', object: name, code: 'COLLECTION_EMPTIED', message });
        }
        onEvent({ type: 'object:finished', object: name, outcome: manifest.status });
      } catch (thrown) {
        context.signal?.throwIfAborted();
        const failure = failureOf(thrown, candidate);
        if (failure instanceof NotThere) {
          result = withoutBackup(name, 'skipped', clock.monotonic() - started);
          onEvent({ type: 'warning', object: name, code: 'COLLECTION_SKIPPED', message: failure.message });
          onEvent({ type: 'object:finished', object: name, outcome: 'skipped' });
        } else {
          const kept = 'Earlier backups of this collection are untouched.';
          const error = toBackupError(failure, { operation: 'backup', object: name, kept });
          result = withoutBackup(name, 'failed', clock.monotonic() - started, error);
          onEvent({ type: 'object:failed', object: name, code: error.code, message: error.message });
        }
      }
      results.push(result);
    }
  };
  await runWorkers(Math.max(1, Math.min(request.concurrency, COLLECTIONS_AT_ONCE_MAX)), backUpNext);

  results.sort((a, b) => order(candidates, a) - order(candidates, b));
  const errors = results.flatMap((result) => errorsOf(result));
  if (results.every(({ outcome }) => outcome === 'skipped')) errors.push(reportError(nothingThere(source)));
  const exits = results.filter(({ outcome }) => outcome !== 'skipped').map(exitOfCollection);
  if (exits.length === 0) exits.push(3);
  return {
    operation: 'backup',
    run_id: runId,
    dry_run: request.dryRun,
    exit_code: combinedExit(exits),
    duration_ms: Math.round(clock.monotonic() - begun),
    backups: results,
    warnings,
    errors,
  };
}

interface Held {
  /** Ids that are taken. */
  readonly ids: Set<string>;
  /** Documents of the newest backup of each collection. */
  readonly documentCounts: ReadonlyMap<string, number>;
}

/** What the store holds already. A store that does not exist yet holds nothing: claimStore has looked. */
async function heldBackups(repository: Repository, signal?: AbortSignal): Promise<Held> {
  try {
    const { backups, damaged, unfinished, adopted } = await readCatalog(repository, signal);
    const ids = [
      ...backups.map((manifest) => manifest.backup_id),
      ...damaged.map(({ backupId }) => backupId),
      ...unfinished,
      ...adopted,
    ];
    const documentCounts = new Map<string, number>();
    // newest first
    for (const { collection, document_count } of backups) {
      if (!documentCounts.has(collection)) documentCounts.set(collection, document_count);
    }
    return { ids: new Set(ids), documentCounts };
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_MISSING')) throw thrown;
    return { ids: new Set(), documentCounts: new Map() };
  }
}

/** The names rule of design.md §6. */
function chooseCollections(
  request: BackupRequest,
  listed: readonly ListedCollection[] | null,
  held: ReadonlySet<string>,
): Candidate[] {
  const configured = request.configuredCollections;
  const fallback = configured.length > 0 ? configured : FOURTEEN_COLLECTIONS;
  // a collection that this store holds and the server no longer knows must not go unnoticed
  const everything = listed === null ? fallback : [...listed.map(({ name }) => name), ...held];
  const names = new Set(request.collections ?? everything);
  for (const excluded of [...request.exclude, MIRROR_COLLECTION]) names.delete(excluded);
  return [...names].map((name) => {
    const entry = listed?.find((candidate) => candidate.name === name);
    const inRepository = held.has(name);
    return {
      name,
      definition: entry?.definition ?? null,
      inRepository,
      known:
        entry !== undefined ||
        inRepository ||
        configured.includes(name) ||
        FOURTEEN_COLLECTIONS.includes(name),
      unlisted: listed !== null && entry === undefined,
    };
  });
}

/** Not an error: one of the fourteen that this project does not have and never had. */
class NotThere extends BackupError {}

function absent({ name, known, inRepository }: Candidate): BackupError {
  if (inRepository) {
    return new BackupError(
      'SOURCE_COLLECTION_VANISHED',
      `collection ${name} is in this store, and the server no longer has it`,
      {
        object: name,
        kept: 'Its backups are untouched.',
        cure: 'If it was dropped on purpose, pass it to --exclude; otherwise restore it.',
      },
    );
  }
  if (known)
    return new NotThere('SOURCE_COLLECTION_UNKNOWN', `collection ${name} is not there, or is empty`, {
      object: name,
    });
  return new BackupError(
    'SOURCE_COLLECTION_UNKNOWN',
    `collection ${name} is unknown or empty: check the name`,
    {
      object: name,
      cure: 'Names are case-sensitive; a new collection that is still empty can be listed under `collections` in the configuration.',
    },
  );
}

function failureOf(thrown: unknown, candidate: Candidate): unknown {
  return thrown instanceof BackupError && thrown.code === 'SOURCE_NOT_FOUND' ? absent(candidate) : thrown;
}

function nothingThere(source: Source): BackupError {
  return new BackupError(
    'SOURCE_COLLECTION_UNKNOWN',
    `${source.identity.host} holds none of the collections asked for`,
    {
      kept: 'Nothing was written.',
      cure: 'Check the project id and the base URL, or name your collections under `collections` in the configuration.',
    },
  );
}

function successful(manifest: Manifest, dryRun: boolean, durationMs: number): CollectionBackup {
  return {
    collection: manifest.collection,
    outcome: manifest.status,
    backup_id: dryRun ? null : manifest.backup_id,
    document_count: manifest.document_count,
    raw_size: manifest.raw_size,
    file_size: manifest.file_size,
    consistency: manifest.consistency,
    missing: manifest.missing,
    duration_ms: Math.round(durationMs),
  };
}

function withoutBackup(
  collection: string,
  outcome: 'failed' | 'skipped',
  durationMs: number,
  error?: BackupError,
): CollectionBackup {
  return {
    collection,
    outcome,
    backup_id: null,
    document_count: 0,
    raw_size: 0,
    file_size: 0,
    consistency: null,
    missing: [],
    duration_ms: Math.round(durationMs),
    ...(error === undefined ? {} : { error: reportError(error) }),
  };
}

function errorsOf(result: CollectionBackup): ReportedError[] {
  if (result.error !== undefined) return [result.error];
  if (result.outcome !== 'incomplete') return [];
  const error = new BackupError(
    'SOURCE_UNPROVEN',
    `the backup of ${result.collection} is incomplete: ${result.missing.join('; ')}`,
    {
      object: result.collection,
      kept: 'What was received is kept, marked incomplete; it never takes the place of a complete backup.',
      cure: 'Run the backup again, best when fewer writers are at work.',
    },
  );
  return [reportError(error)];
}

function exitOfCollection(result: CollectionBackup): number {
  if (result.error !== undefined) return exitOf(result.error);
  return result.outcome === 'incomplete' ? 3 : 0;
}

function order(candidates: readonly Candidate[], result: CollectionBackup): number {
  return candidates.findIndex(({ name }) => name === result.collection);
}
