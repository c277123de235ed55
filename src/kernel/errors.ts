/**
 * Every failure that reaches a user: a stable code, what failed, what was kept, and what to do.
 *
 * The code decides the exit status (docs/errors.md, tested against this table). Messages are lower case,
 * without a final stop, and name the object; the cure is one full sentence. Nothing matches on message text.
 */

interface CodeFacts {
  /** Exit status of the command line when this error alone ended it. */
  readonly exit: number;
  readonly meaning: string;
}

export const ERROR_CODES = {
  INTERNAL: { exit: 1, meaning: 'a defect of the tool itself' },
  FORMAT_UNKNOWN: { exit: 1, meaning: 'written by a newer version of the format than this tool reads' },
  STATE_FAILED: { exit: 1, meaning: 'the local state directory cannot be used' },
  USAGE_INVALID: { exit: 2, meaning: 'the command line cannot be understood' },
  CONFIG_INVALID: { exit: 2, meaning: 'a configured value is missing or cannot be used' },
  SOURCE_COLLECTION_UNKNOWN: { exit: 3, meaning: 'a collection that no list knows and that holds nothing' },
  SOURCE_COLLECTION_VANISHED: { exit: 3, meaning: 'a collection that was there is gone' },
  SOURCE_DOCUMENT_UNREADABLE: { exit: 3, meaning: 'the server cannot deliver one document' },
  SOURCE_UNPROVEN: { exit: 3, meaning: 'the scan could not prove that it saw every document' },
  RESTORE_AMBIGUOUS: { exit: 3, meaning: 'documents that cannot be matched one to one with the target' },
  RESTORE_UNADDRESSABLE: { exit: 3, meaning: 'documents that the target cannot address one by one' },
  RESTORE_CHANGED: {
    exit: 3,
    meaning: 'documents that others wrote meanwhile (or, of an undo, since that restore), left alone',
  },
  RESTORE_PARTIAL: { exit: 3, meaning: 'some documents could not be written' },
  ADOPT_REFUSED: { exit: 3, meaning: 'a file that is no whole archive of the predecessor' },
  MANIFEST_DAMAGED: { exit: 4, meaning: 'a manifest is not what was written' },
  ARCHIVE_DAMAGED: { exit: 4, meaning: 'an archive is not what was written' },
  INDEX_DAMAGED: { exit: 4, meaning: 'an index is not what was written' },
  MARKER_DAMAGED: { exit: 4, meaning: 'the marker repository.json is not what was written' },
  CHAIN_BROKEN: {
    exit: 4,
    meaning: 'the full backup that an incremental one is built on is gone or another',
  },
  RECORD_DAMAGED: { exit: 4, meaning: 'the record of a restore is not what was written' },
  MIRROR_FAILED: { exit: 3, meaning: 'the collection backup_metadata could not be brought up to date' },
  BACKUP_STALE: { exit: 3, meaning: 'a collection has no backup young enough' },
  RESTORE_DIFFERENT: { exit: 4, meaning: 'the target does not hold what was restored' },
  BACKUP_MISSING: { exit: 5, meaning: 'no such backup' },
  RESTORE_MISSING: { exit: 5, meaning: 'no such restore' },
  CATALOG_LOCKED: { exit: 6, meaning: 'another run holds the store' },
  STORE_UNREACHABLE: { exit: 7, meaning: 'the store cannot be reached' },
  STORE_FORBIDDEN: { exit: 7, meaning: 'the store refuses access' },
  STORE_FULL: { exit: 7, meaning: 'the store has no space left' },
  STORE_EXISTS: { exit: 7, meaning: 'an object of this name already exists' },
  STORE_MISSING: { exit: 7, meaning: 'an object is not in the store' },
  STORE_FAILED: { exit: 7, meaning: 'the store failed' },
  STORE_DAMAGED: { exit: 7, meaning: 'the store does not give back what was written to it' },
  SOURCE_UNREACHABLE: { exit: 8, meaning: 'the server cannot be reached' },
  SOURCE_UNAUTHORIZED: { exit: 8, meaning: 'the server does not accept the credentials' },
  SOURCE_FORBIDDEN: { exit: 8, meaning: 'the credentials lack a right' },
  SOURCE_NOT_FOUND: { exit: 8, meaning: 'the server does not know this path, project or collection' },
  SOURCE_RATE_LIMITED: { exit: 8, meaning: 'the server kept answering 429' },
  SOURCE_REFUSED: { exit: 8, meaning: 'the server refuses a request for good' },
  SOURCE_FAILED: { exit: 8, meaning: 'the server kept failing' },
  SOURCE_MALFORMED: { exit: 8, meaning: 'an answer is not what the protocol says' },
  SOURCE_TOO_LARGE: { exit: 8, meaning: 'an answer is larger than was allowed for' },
  SOURCE_DIALECT_UNKNOWN: { exit: 8, meaning: 'no dialect of ZeroDB was recognised' },
  SOURCE_OFFSET_IGNORED: { exit: 8, meaning: 'the server ignores the offset: every page is page one' },
  SOURCE_MIXED_SHAPES: { exit: 8, meaning: 'one collection holds documents of different shapes' },
  STORE_FOREIGN: { exit: 9, meaning: "the store belongs to another project's backups" },
  RESTORE_REFUSED: { exit: 9, meaning: 'a restore that might lose data was not confirmed' },
  PLAN_OUTDATED: { exit: 9, meaning: 'the target is no longer as the saved plan says' },
  CLEANUP_REFUSED: { exit: 9, meaning: 'removing backups that might still be needed' },
  INTERRUPTED: { exit: 130, meaning: 'stopped by SIGINT' },
  TERMINATED: { exit: 143, meaning: 'stopped by SIGTERM' },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorFacts {
  /** What was being done: `backup`, `restore`, `verify`, … */
  readonly operation?: string;
  /** Collection, backup id, document key or store key that the error is about. */
  readonly object?: string;
  /** What is safe in spite of the failure. */
  readonly kept?: string;
  /** One full sentence: what the user can do. */
  readonly cure?: string;
  /** True if the same request may succeed later. Set by whoever saw the failure. */
  readonly temporary?: boolean;
  readonly cause?: unknown;
}

export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: ErrorCode;
  readonly operation: string | undefined;
  readonly object: string | undefined;
  readonly kept: string | undefined;
  readonly cure: string | undefined;
  readonly temporary: boolean;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.operation = facts.operation;
    this.object = facts.object;
    this.kept = facts.kept;
    this.cure = facts.cure;
    this.temporary = facts.temporary ?? false;
  }

  get exit(): number {
    return ERROR_CODES[this.code].exit;
  }

  /** The same failure with facts that only a caller further up knows; facts already set stay. */
  with(facts: ErrorFacts): BackupError {
    return new BackupError(this.code, this.message, {
      operation: this.operation ?? facts.operation,
      object: this.object ?? facts.object,
      kept: this.kept ?? facts.kept,
      cure: this.cure ?? facts.cure,
      temporary: this.temporary,
      cause: this.cause,
    } as ErrorFacts);
  }
}

/** Any thrown value as a BackupError; what is not one is a defect of the tool (`INTERNAL`). */
export function toBackupError(thrown: unknown, facts: ErrorFacts = {}): BackupError {
  if (thrown instanceof BackupError) return thrown.with(facts);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new BackupError('INTERNAL', message, {
    cure: 'This is a defect of zerodb-backup: please report it with the output of --verbose.',
    ...facts,
    cause: thrown,
  });
}

/** Exit status for a run over several objects: where all failed alike that status, otherwise 3. */
export function combinedExit(exits: readonly number[]): number {
  const failed = exits.filter((exit) => exit !== 0);
  if (failed.length === 0) return 0;
  return failed.length === exits.length && failed.every((exit) => exit === failed[0]) ? failed[0]! : 3;
}
