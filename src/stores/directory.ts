import { BackupError, type ErrorCode } from '../kernel/errors.ts';
import type { Files, FileWriter } from '../kernel/files.ts';
import type { Platform } from '../kernel/platform.ts';
import { randomHex } from '../kernel/random.ts';
import { type ByteRange, isStoreKey, type Store, type StoredObject } from './store.ts';

/** Unfinished objects live here until they get their name; no key leads here. */
const PARTIAL_DIRECTORY = '.partial';
/** An unfinished object that nobody has written to for so long belongs to a run that died. */
const PARTIAL_AGE_MAX_MS = 60 * 60 * 1000;
const READ_BYTES = 256 * 1024;

/**
 * A store in a directory of a file system with hard links: a key is a path below it. Files are 0600, directories 0700.
 * A new object is written beside, fsynced, linked to its name (which fails if the name is taken), and the directory
 * is fsynced, so that it is there whole or not at all, also after a power cut.
 */
export function openDirectoryStore(
  platform: Pick<Platform, 'files' | 'random' | 'clock'>,
  path: string,
): Store {
  const { files, random, clock } = platform;
  const root = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const partialDirectory = `${root}/${PARTIAL_DIRECTORY}`;
  let ready: Promise<void> | null = null;

  const fail = (thrown: unknown, doing: string, key: string): unknown =>
    storeError(thrown, `${doing} ${root}/${key}`, key);

  const pathOf = (key: string): string => {
    if (isStoreKey(key)) return `${root}/${key}`;
    throw new BackupError('STORE_FAILED', `${JSON.stringify(key)} is not a key of a store`, { object: key });
  };

  async function prepare(): Promise<void> {
    for (const directory of [
      root,
      partialDirectory,
      `${root}/backups`,
      `${root}/indexes`,
      `${root}/manifests`,
    ]) {
      await files.makeDirectory(directory, 0o700);
    }
    await files.syncDirectory(root);
    for (const { name } of await files.list(partialDirectory)) {
      const partial = `${partialDirectory}/${name}`;
      const facts = await files.stat(partial);
      if (facts === null || facts.modifiedAt > clock.now() - PARTIAL_AGE_MAX_MS) continue;
      await files.remove(partial).catch(ignoreMissing);
    }
  }

  async function write(
    writer: FileWriter,
    pieces: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      for await (const piece of pieces) {
        signal?.throwIfAborted();
        await writer.write(piece);
      }
      await writer.sync();
    } finally {
      await writer.close();
    }
  }

  return {
    label: `file://${root}`,
    traits: { exclusiveCreate: true, listsAtOnce: true },

    async put(key, pieces, signal) {
      const final = pathOf(key);
      const partial = `${partialDirectory}/${randomHex(random, 16)}`;
      let written = false;
      try {
        ready ??= prepare();
        await ready;
        const directory = final.slice(0, final.lastIndexOf('/'));
        await files.makeDirectory(directory, 0o700);
        const writer = await files.create(partial, 0o600);
        written = true;
        await write(writer, pieces, signal);
        await files.link(partial, final);
        await files.syncDirectory(directory);
      } catch (thrown) {
        ready = null;
        throw fail(thrown, 'cannot write', key);
      } finally {
        if (written) await files.remove(partial).catch(() => {}); // swept later where this fails
      }
    },

    async *get(key, range, signal) {
      const path = pathOf(key);
      try {
        const reader = await files.open(path);
        try {
          yield* readRange(reader.read.bind(reader), range ?? { start: 0, end: reader.size }, signal);
        } finally {
          await reader.close();
        }
      } catch (thrown) {
        throw fail(thrown, 'cannot read', key);
      }
    },

    async size(key) {
      const facts = await files.stat(pathOf(key)).catch((thrown: unknown) => {
        throw fail(thrown, 'cannot look at', key);
      });
      return facts?.kind === 'file' ? facts.size : null;
    },

    async *list(prefix, signal) {
      const facts = await files.stat(root).catch((thrown: unknown) => {
        throw fail(thrown, 'cannot look at', '');
      });
      if (facts === null) {
        throw new BackupError('STORE_MISSING', `the store ${root} does not exist`, {
          object: root,
          cure: 'Check --store; if the directory is on another disk, mount it. The first backup creates it.',
        });
      }
      try {
        yield* walk(files, root, '', prefix, signal);
      } catch (thrown) {
        throw fail(thrown, 'cannot list', prefix);
      }
    },

    async remove(key) {
      const path = pathOf(key);
      try {
        await files.remove(path);
        await files.syncDirectory(path.slice(0, path.lastIndexOf('/')));
      } catch (thrown) {
        throw fail(thrown, 'cannot remove', key);
      }
    },

    async close() {},
  };
}

async function* readRange(
  read: (into: Uint8Array, offset: number) => Promise<number>,
  range: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, Math.max(1, range.end - range.start)));
  let offset = range.start;
  while (offset < range.end) {
    signal?.throwIfAborted();
    const count = await read(buffer.subarray(0, Math.min(buffer.length, range.end - offset)), offset);
    if (count === 0) return;
    offset += count;
    yield buffer.subarray(0, count);
  }
}

async function* walk(
  files: Files,
  directory: string,
  above: string,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<StoredObject> {
  for (const { name, kind } of await files.list(directory)) {
    signal?.throwIfAborted();
    const key = `${above}${name}`;
    if (kind === 'directory') {
      const below = `${key}/`;
      const wanted = below.startsWith(prefix) || prefix.startsWith(below);
      if (wanted && key !== PARTIAL_DIRECTORY)
        yield* walk(files, `${directory}/${name}`, below, prefix, signal);
    } else if (key.startsWith(prefix)) {
      const facts = await files.stat(`${directory}/${name}`);
      if (facts?.kind === 'file') yield { key, size: facts.size };
    }
  }
}

function ignoreMissing(thrown: unknown): void {
  if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
}

const CODES: Record<string, { code: ErrorCode; cure: string }> = {
  ENOENT: { code: 'STORE_MISSING', cure: 'Run `verify` to see which backups are hit.' },
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
  ENOTDIR: { code: 'STORE_FAILED', cure: 'Point --store to a directory.' },
};

function storeError(thrown: unknown, message: string, key: string): unknown {
  const errno = (thrown as NodeJS.ErrnoException | null)?.code;
  if (thrown instanceof BackupError || typeof errno !== 'string' || !/^E[A-Z0-9]+$/.test(errno))
    return thrown;
  const { code, cure } = CODES[errno] ?? {
    code: 'STORE_FAILED' as const,
    cure: 'Look at the disk and run `verify`.',
  };
  return new BackupError(code, `${message}: ${errno}`, { object: key, cure, cause: thrown });
}
