import { ARCHIVE_PREFIX } from '../../archive/layout.ts';
import { BackupError } from '../../kernel/errors.ts';
import { diskCodeOf, type Files } from '../../kernel/files.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Repository } from '../../repository.ts';

/** A file that may be an archive of the predecessor. */
export interface FoundFile {
  /** For people: key in the store, or path. */
  readonly label: string;
  readonly fileName: string;
  /** Null outside the store. */
  readonly objectPath: string | null;
  /** Its bytes, in pieces that must not be kept past the next pull. Failures are BackupErrors. */
  read(signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

const EXTENSION = '.json.gz';
const READ_BYTES = 256 * 1024;

/** Archives that no manifest claims, by name; also such as runs of ours left, which only their content tells apart. */
export async function filesInStore(
  { store }: Repository,
  manifests: readonly Manifest[],
  signal?: AbortSignal,
): Promise<FoundFile[]> {
  const claimed = new Set(manifests.map(({ object_path }) => object_path));
  const files: FoundFile[] = [];
  for await (const { key } of store.list(ARCHIVE_PREFIX, signal)) {
    if (claimed.has(key) || !key.endsWith(EXTENSION)) continue;
    files.push({
      label: key,
      fileName: lastSegment(key),
      objectPath: key,
      read: (abort) => store.get(key, undefined, abort),
    });
  }
  return inOrder(files);
}

/** Files of this extension anywhere below a directory; links are not followed. Throws USAGE_INVALID where it cannot be listed. */
export async function filesBelow(
  files: Files,
  directory: string,
  signal?: AbortSignal,
): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const walk = async (path: string): Promise<void> => {
    signal?.throwIfAborted();
    const entries = await files.list(path).catch((cause: unknown) => {
      throw new BackupError(
        'USAGE_INVALID',
        `${path} cannot be listed: ${diskCodeOf(cause) ?? String(cause)}`,
        {
          object: path,
          kept: 'Nothing was written.',
          cure: 'Give --from a directory that this user can read.',
          cause,
        },
      );
    });
    for (const { name, kind } of entries) {
      const below = `${path === '/' ? '' : path}/${name}`;
      if (kind === 'directory') await walk(below);
      else if (kind === 'file' && name.endsWith(EXTENSION)) found.push(fileAt(files, below));
    }
  };
  await walk(directory);
  return inOrder(found);
}

function fileAt(files: Files, path: string): FoundFile {
  async function* read(signal?: AbortSignal) {
    try {
      const reader = await files.open(path);
      try {
        const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
        for (let offset = 0; ; ) {
          signal?.throwIfAborted();
          const count = await reader.read(buffer, offset);
          if (count === 0) return;
          offset += count;
          yield buffer.subarray(0, count);
        }
      } finally {
        await reader.close();
      }
    } catch (cause) {
      const code = diskCodeOf(cause);
      if (code === null) throw cause;
      throw new BackupError('ADOPT_REFUSED', `${path} cannot be read: ${code}`, {
        object: path,
        cure: 'Look after the disk and the rights of this file, then run it again.',
        cause,
      });
    }
  }
  return { label: path, fileName: lastSegment(path), objectPath: null, read };
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function inOrder(files: FoundFile[]): FoundFile[] {
  return files.sort((a, b) => (a.label < b.label ? -1 : 1));
}
