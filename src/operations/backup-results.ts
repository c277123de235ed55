import { BackupError } from '../kernel/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import {
  type CollectionBackup,
  exitOf,
  type ReportedError,
  reportError,
  type StoredIn,
} from '../model/report.ts';

/** A backup that was made, and what became of its copies; one that no store has is a failure. */
export function resultOf(
  manifest: Manifest,
  stores: readonly StoredIn[],
  dryRun: boolean,
  durationMs: number,
): CollectionBackup {
  const { collection } = manifest;
  const errors = stores.flatMap(({ error }) => error ?? []);
  if (stores.length > 0 && errors.length === stores.length) {
    return { ...notMade(collection, 'failed', durationMs), error: errors[0]!, stores };
  }
  return {
    collection,
    outcome: manifest.status,
    backup_id: dryRun ? null : manifest.backup_id,
    backup_type: manifest.backup_type,
    document_count: manifest.document_count,
    ...(manifest.state_count !== undefined && {
      state_count: manifest.state_count,
      deleted_count: manifest.deleted_count,
    }),
    raw_size: manifest.raw_size,
    file_size: manifest.file_size,
    consistency: manifest.consistency,
    missing: manifest.missing,
    duration_ms: Math.round(durationMs),
    ...(stores.length > 0 && { stores }),
  };
}

export function notMade(
  collection: string,
  outcome: 'failed' | 'skipped',
  durationMs: number,
  error?: BackupError,
): CollectionBackup {
  return {
    collection,
    outcome,
    backup_id: null,
    backup_type: null,
    document_count: 0,
    raw_size: 0,
    file_size: 0,
    consistency: null,
    missing: [],
    duration_ms: Math.round(durationMs),
    ...(error === undefined ? {} : { error: reportError(error) }),
  };
}

/** Everything that went wrong with one collection, or with the delivery of an earlier backup. */
export function errorsOf(
  result: Pick<CollectionBackup, 'stores'> & Partial<CollectionBackup>,
): ReportedError[] {
  const { error, stores = [], outcome, collection, missing = [] } = result;
  if (error !== undefined && stores.length === 0) return [error];
  const errors = stores.flatMap((one) => one.error ?? []);
  if (outcome !== 'incomplete') return errors;
  const incomplete = new BackupError(
    'SOURCE_UNPROVEN',
    `the backup of ${collection} is incomplete: ${missing.join('; ')}`,
    {
      ...(collection !== undefined && { object: collection }),
      kept: 'What was received is kept, marked incomplete; it never takes the place of a complete backup.',
      cure: 'Run the backup again, best when fewer writers are at work.',
    },
  );
  return [...errors, reportError(incomplete)];
}

export function exitOfResult(result: CollectionBackup): number {
  if (result.error !== undefined) return exitOf(result.error);
  return errorsOf(result).length > 0 ? 3 : 0;
}
