import { BackupError } from './errors.ts';
import { diskCodeOf, type Files, type TemporaryFile } from './files.ts';
import { SIZES, type Sizes } from './sizes.ts';
import type { Scratch } from './sorted-runs.ts';

/** Temporary files in a directory, which is made where it is not there; failures of the disk are STATE_FAILED, but for those of closing. */
export async function openScratchIn(files: Files, directory: string, sizes: Sizes = SIZES): Promise<Scratch> {
  const attempt = async <Result>(action: () => Promise<Result>): Promise<Result> => {
    try {
      return await action();
    } catch (thrown) {
      throw stateError(thrown, directory);
    }
  };
  await attempt(() => files.makeDirectory(directory, 0o700));
  return {
    sizes,
    async openTemporary(): Promise<TemporaryFile> {
      const file = await attempt(() => files.openTemporary(directory));
      return {
        write: (bytes, offset) => attempt(() => file.write(bytes, offset)),
        read: (into, offset) => attempt(() => file.read(into, offset)),
        // nothing of it is needed any more
        close: () => attempt(() => file.close()).catch(ignoreStateFailure),
      };
    },
  };
}

function ignoreStateFailure(thrown: unknown): void {
  if (!(thrown instanceof BackupError && thrown.code === 'STATE_FAILED')) throw thrown;
}

function stateError(thrown: unknown, directory: string): unknown {
  const code = thrown instanceof BackupError ? null : diskCodeOf(thrown);
  if (code === null) return thrown;
  return new BackupError('STATE_FAILED', `cannot use the state directory ${directory}: ${code}`, {
    object: directory,
    kept: 'Backups in the store are untouched.',
    cure: 'Free space there or make it writable, or point --state-dir to another directory.',
    cause: thrown,
  });
}
