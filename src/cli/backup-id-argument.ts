import { BackupError } from '../kernel/errors.ts';

/** An id as it was given. Throws USAGE_INVALID for an empty one, which an unset shell variable gives. */
export function backupIdArgument(text: string): string {
  if (text.trim() !== '') return text.trim();
  throw new BackupError('USAGE_INVALID', 'the backup id is empty', {
    kept: 'Nothing was done.',
    cure: 'Name a backup: `zerodb-backup list` shows them. An empty shell variable also ends up here.',
  });
}
