import { BackupError } from '../kernel/errors.ts';
import type { FileWriter } from '../kernel/files.ts';
import type { Platform } from '../kernel/platform.ts';

/** Writes a file that must not be there yet: afterwards it is there whole or, after a failure, not at all. @param flag that named it */
export async function toNewFile<Result>(
  { files }: Platform,
  path: string,
  flag: string,
  work: (write: (bytes: Uint8Array) => Promise<void>) => Promise<Result>,
): Promise<Result> {
  let writer: FileWriter;
  try {
    writer = await files.create(path, 0o600);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BackupError(
      'USAGE_INVALID',
      code === 'EEXIST' ? `${path} already exists` : `${path} cannot be written: ${code ?? String(cause)}`,
      { object: path, kept: 'Nothing was written.', cure: `Choose another file for ${flag}.`, cause },
    );
  }
  try {
    try {
      const result = await work((bytes) => writer.write(bytes));
      await writer.sync();
      return result;
    } finally {
      await writer.close();
    }
  } catch (thrown) {
    await files.remove(path);
    throw thrown;
  }
}
