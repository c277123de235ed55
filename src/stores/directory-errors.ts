import { BackupError, type ErrorCode } from '../kernel/errors.ts';
import { diskCodeOf } from '../kernel/files.ts';

const MISSING_CURE = 'Run `verify` to see which backups are hit.';

/** What the operating system says, in a store's words. */
const CODES: Record<string, { code: ErrorCode; cure: string }> = {
  ENOENT: { code: 'STORE_MISSING', cure: MISSING_CURE },
  EEXIST: {
    code: 'STORE_EXISTS',
    cure: 'Another run has just made a backup of this name; run the command again.',
  },
  ENOSPC: { code: 'STORE_FULL', cure: 'Free space on this file system, or point --store to another one.' },
  EDQUOT: {
    code: 'STORE_FULL',
    cure: 'Raise the quota of this user, or point --store to another file system.',
  },
  EFBIG: {
    code: 'STORE_FULL',
    cure: 'Raise the limit on the size of files, or point --store to another file system.',
  },
  EACCES: { code: 'STORE_FORBIDDEN', cure: 'Give this user the right to read and write the directory.' },
  EPERM: {
    code: 'STORE_FORBIDDEN',
    cure: 'Give this user the right to read and write the directory; it must be on a file system with hard links.',
  },
  EROFS: {
    code: 'STORE_FORBIDDEN',
    cure: 'Mount the file system for writing, or point --store to another one.',
  },
  EMFILE: { code: 'STORE_FAILED', cure: 'Raise the limit on open files (`ulimit -n`).' },
  ENOTDIR: { code: 'STORE_FAILED', cure: 'Point --store to a directory.' },
};

/** A failure of the disk as a store's; anything else (a source's failure, say) stays as it is. */
export function storeError(thrown: unknown, message: string, key: string): unknown {
  const errno = thrown instanceof BackupError ? null : diskCodeOf(thrown);
  if (errno === null) return thrown;
  const { code, cure } = CODES[errno] ?? {
    code: 'STORE_FAILED' as const,
    cure: 'Look at the disk and run `verify`.',
  };
  return new BackupError(code, `${message}: ${errno}`, { object: key, cure, cause: thrown });
}

export function noSuchObject(root: string, key: string): BackupError {
  return new BackupError('STORE_MISSING', `there is no ${root}/${key}`, { object: key, cure: MISSING_CURE });
}
