import type { ErrorCode } from '../kernel/errors.ts';
import { type BackupError, ERROR_CODES } from '../kernel/errors.ts';
import type { Manifest } from './manifest.ts';
import type { MarkKind } from './mark.ts';

/** What operations return. Also what `--json` prints in its last line, so members are spelled as users read them. */

export interface ReportedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly object?: string;
  readonly kept?: string;
  readonly cure?: string;
}

export interface ReportedWarning {
  readonly code: string;
  readonly message: string;
  readonly object?: string;
}

export function reportError(error: BackupError): ReportedError {
  return {
    code: error.code,
    message: error.message,
    ...(error.object === undefined ? {} : { object: error.object }),
    ...(error.kept === undefined ? {} : { kept: error.kept }),
    ...(error.cure === undefined ? {} : { cure: error.cure }),
  };
}

export function exitOf(error: ReportedError): number {
  return ERROR_CODES[error.code].exit;
}

/**
 * How one collection fared.
 * - `completed`, `incomplete`: a backup exists (in a dry run: would exist); `missing` says what an incomplete one lacks
 * - `failed`: there is none, `error` says why
 * - `skipped`: nothing to do (one of the fourteen that this project does not have)
 */
export interface CollectionBackup {
  readonly collection: string;
  readonly outcome: 'completed' | 'incomplete' | 'failed' | 'skipped';
  /** Null where no backup was made: failed, skipped, or a dry run. */
  readonly backup_id: string | null;
  readonly backup_type: Manifest['backup_type'] | null;
  /** Why a full backup was made where an incremental one was asked for. */
  readonly full_because?: string;
  /** Documents of the archive: of an incremental backup those that are new or changed. */
  readonly document_count: number;
  /** Documents of the collection, where that is more than its archive holds. */
  readonly state_count?: number;
  readonly deleted_count?: number;
  /** Bytes of JSON. */
  readonly raw_size: number;
  /** Bytes of the archive. */
  readonly file_size: number;
  readonly consistency: Manifest['consistency'] | null;
  readonly missing: readonly string[];
  readonly duration_ms: number;
  readonly error?: ReportedError;
  /** Where there are several stores: how it fared with each of them. */
  readonly stores?: readonly StoredIn[];
}

/** Whether one of several stores has a backup. One that failed gets it with the next run. */
export interface StoredIn {
  readonly store: string;
  readonly outcome: 'stored' | 'failed';
  readonly error?: ReportedError;
}

interface Report {
  readonly exit_code: number;
  readonly duration_ms: number;
  readonly warnings: readonly ReportedWarning[];
  readonly errors: readonly ReportedError[];
}

export interface BackupReport extends Report {
  readonly operation: 'backup';
  readonly run_id: string;
  readonly dry_run: boolean;
  readonly backups: readonly CollectionBackup[];
  /** What the project holds beside documents, as far as its server says so. */
  readonly not_included?: readonly string[];
  /** Backups of earlier runs that one of several stores did not have yet. */
  readonly delivered?: readonly { readonly backup_id: string; readonly stores: readonly StoredIn[] }[];
}

export type VerifyLevel = 'presence' | 'checksum' | 'decode';

/** One entry of a report over several stores. */
interface Stored {
  /** Left out where there is one store. */
  readonly store?: string;
}

export interface VerifiedBackup extends Stored {
  readonly backup_id: string;
  readonly collection: string;
  readonly outcome: 'good' | 'damaged' | 'failed';
  /** Stored bytes that were read. */
  readonly bytes_read: number;
  /** Everything found, one entry an object of the store. */
  readonly errors: readonly ReportedError[];
}

export interface VerifyReport extends Report {
  readonly operation: 'verify';
  readonly level: VerifyLevel;
  readonly backups: readonly VerifiedBackup[];
  /** Collections without a good backup younger than `--max-age`. */
  readonly stale_collections: readonly string[];
  /** Archives without a manifest: what an interrupted run left. Harmless; shown, never an error. */
  readonly unfinished: readonly string[];
}

/**
 * - `replace`: documents of the backup are created or replaced, others left alone
 * - `merge`: members of the backup's documents are put into those of the target
 * - `exact`: as `replace`, and what the backup does not hold is deleted
 * - `undo`: what an earlier restore wrote over is brought back
 */
export type RestoreMode = 'replace' | 'merge' | 'exact' | 'undo';

export interface RestoreCounts {
  /** Not in the target: will be or were inserted. */
  readonly created: number;
  readonly replaced: number;
  /** Of those replaced: deleted and inserted, because the server's update only adds members. */
  readonly recreated: number;
  /** Already equal in the target. */
  readonly same: number;
  /** In the target only; left alone. */
  readonly extra: number;
  readonly deleted: number;
  /** Written by others since the target was read, or since the restore that an undo takes back; left alone. */
  readonly changed: number;
  /** Cannot be matched one to one; untouched. */
  readonly ambiguous: number;
  /** Cannot be named in the target; untouched. */
  readonly unaddressable: number;
  /** The target refused the write. */
  readonly refused: number;
  /** Read back after the restore and not what was restored. */
  readonly different: number;
}

export interface RestoreReport extends Report {
  readonly operation: 'restore';
  /** How far it went: `planned` wrote nothing. */
  readonly stage: 'validated' | 'planned' | 'applied';
  readonly mode: RestoreMode;
  /** By which it can be undone; left out where nothing was written. */
  readonly restore_id?: string;
  /** The restore that an undo takes back. */
  readonly undoes?: string;
  readonly backup_id: string;
  readonly collection: string;
  /** Server that the collection was backed up from; left out of an undo. */
  readonly source?: string;
  /** Collection and server that were written to, or would be. */
  readonly target_collection: string;
  readonly target: string;
  readonly backup_type: Manifest['backup_type'];
  readonly backup_time: string;
  readonly document_count: number;
  readonly counts: RestoreCounts;
  /**
   * What carrying out the plan takes: requests for writing and reading back, and seconds at the rate at which the target
   * answered when it was read, one request after the other. Left out where nothing is to be written.
   */
  readonly estimate?: { readonly requests: number; readonly seconds: number };
  /** How the target's documents compare after the restore, by value where bytes differ. */
  readonly read_back: {
    readonly same_bytes: number;
    readonly same_value: number;
    readonly different: number;
  } | null;
}

export interface ListReport extends Report {
  readonly operation: 'list';
  readonly backups: readonly ListedBackup[];
  readonly total_backups: number;
  readonly collections: number;
  /** Of each collection with a good state, whatever the limit and the type that were asked for. */
  readonly recoverable: readonly RecoverableRange[];
  readonly unfinished: readonly string[];
}

/** Times between which `restore --at` finds a state: ends of the windows of the first and the newest one. */
export interface RecoverableRange {
  readonly collection: string;
  readonly first: string;
  readonly last: string;
}

export interface ListedBackup {
  readonly manifest: Manifest;
  /** False for incomplete ones, for anomalies that nobody has acknowledged, and what a verification found damaged. */
  readonly good: boolean;
  /** What was noted beside it; left out where that is nothing. */
  readonly marks?: readonly MarkKind[];
  /** Those of several stores that were read and do not have it; left out where all have it. */
  readonly missing_from?: readonly string[];
}

/** Why a backup is not good, in a word; null if it is. */
export function flawOf({ manifest, good, marks = [] }: ListedBackup): string | null {
  if (good) return null;
  if (manifest.status === 'incomplete') return 'incomplete';
  return marks.includes('anomaly') && !marks.includes('bad') ? 'anomaly' : 'damaged';
}

export interface ShowReport extends Report {
  readonly operation: 'show';
  readonly manifest: Manifest;
  readonly good: boolean;
  /** What was noted beside it. */
  readonly marks: readonly {
    /** `pin`, `anomaly`, `ack` or `bad`. */
    readonly kind: string;
    readonly reason: string | null;
    readonly created_at: string;
  }[];
  /** Full backup first. */
  readonly chain: readonly string[];
  readonly objects: readonly { readonly key: string; readonly size: number | null }[];
}

export interface ExportReport extends Report {
  readonly operation: 'export';
  readonly backup_id: string;
  readonly document_count: number;
  readonly bytes: number;
}

/** What became of the index of one backup. */
export interface RebuiltIndex extends Stored {
  readonly backup_id: string;
  readonly collection: string;
  /** `rebuilt`: in a dry run it would have been. */
  readonly outcome: 'good' | 'rebuilt' | 'failed';
  /** How the index was found; null where that is not known. */
  readonly index: 'good' | 'missing' | 'damaged' | null;
  readonly error?: ReportedError;
}

export interface RebuildReport extends Report {
  readonly operation: 'rebuild';
  readonly dry_run: boolean;
  readonly backups: readonly RebuiltIndex[];
  /** Entries written to `backup_metadata`; left out where it was not looked at. */
  readonly mirrored?: number;
}

/**
 * What became of one file.
 * - `adopted`: a backup was made of it; in a dry run it would have been
 * - `known`: there is one already, `backup_id`
 * - `ours`: an archive of this tool without its manifest, left by an interrupted run: it is no backup
 * - `failed`: `error` says why
 */
export interface AdoptedArchive extends Stored {
  /** Key in the store, or path. */
  readonly file: string;
  readonly outcome: 'adopted' | 'known' | 'ours' | 'failed';
  /** Null where there is none, and in a dry run for one that would be made. */
  readonly backup_id: string | null;
  readonly collection: string | null;
  readonly status: Manifest['status'] | null;
  readonly document_count: number;
  readonly missing: readonly string[];
  readonly error?: ReportedError;
}

export interface AdoptReport extends Report {
  readonly operation: 'rebuild';
  readonly dry_run: boolean;
  readonly run_id: string;
  readonly backups: readonly AdoptedArchive[];
}

/** One thing that a backup depends on. */
export interface DoctorCheck {
  readonly name: string;
  readonly outcome: 'good' | 'warning' | 'bad';
  /** One line: what was found. */
  readonly message: string;
  /** Of a warning: what can be done. */
  readonly cure?: string;
  /** Of what is bad; with its own cure. */
  readonly error?: ReportedError;
}

export interface DoctorReport extends Report {
  readonly operation: 'doctor';
  readonly checks: readonly DoctorCheck[];
}

/** What a cleanup made of one backup. */
export interface CleanedBackup extends Stored {
  readonly backup_id: string;
  readonly collection: string;
  readonly backup_type: Manifest['backup_type'];
  readonly age_days: number;
  /** Stored bytes. */
  readonly size: number;
  /** `removed`: in a dry run it would have been; `failed`: it was to be, see `error`. */
  readonly outcome: 'kept' | 'removed' | 'failed';
  /** Why it stays, or why it goes. */
  readonly reasons: readonly string[];
  readonly error?: ReportedError;
}

export interface CleanupReport extends Report {
  readonly operation: 'cleanup';
  readonly dry_run: boolean;
  readonly backups: readonly CleanedBackup[];
  /** Objects that belong to no backup, and what restores kept for longer than 30 days: removed, or in a dry run to be. */
  readonly leftovers: readonly string[];
  /** Stored bytes of the backups that were removed. */
  readonly freed_bytes: number;
}

export interface MarkReport extends Report {
  readonly operation: 'pin' | 'unpin' | 'acknowledge';
  readonly backup_id: string;
  readonly outcome: 'pinned' | 'unpinned' | 'was not pinned' | 'acknowledged';
}
