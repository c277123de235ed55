import { randomUUID } from 'node:crypto';
import { constants, type Dirent, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileKind, FileReader, Files, FileWriter, TemporaryFile } from '../kernel/files.ts';

export const localFiles: Files = {
  async stat(path) {
    try {
      const stats = await fs.lstat(path);
      return {
        kind: kindOf(stats),
        size: stats.size,
        modifiedAt: stats.mtimeMs,
        mode: stats.mode & 0o7777,
      };
    } catch (error) {
      if (isCode(error, 'ENOENT')) return null;
      throw error;
    }
  },

  async list(path) {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },

  async makeDirectory(path, mode) {
    await makeDirectory(path, mode);
  },

  async create(path, mode) {
    // O_EXCL refuses a link as well, also one that leads nowhere
    return new LocalFileWriter(await fs.open(path, 'wx', mode));
  },

  async append(path, mode, bytes) {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    const handle = await fs.open(path, flags, mode);
    try {
      await writeAll(handle, bytes);
    } finally {
      await handle.close();
    }
  },

  async open(path) {
    const handle = await fs.open(path, 'r');
    try {
      return new LocalFileReader(handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  },

  async openTemporary(directory) {
    const path = join(directory, `.zerodb-backup-${randomUUID()}`);
    const handle = await fs.open(path, 'wx+', 0o600);
    await fs.unlink(path); // the open file lives on without its name
    return new LocalTemporaryFile(handle);
  },

  link: (path, newPath) => fs.link(path, newPath),
  rename: (path, newPath) => fs.rename(path, newPath),
  remove: (path) => fs.unlink(path),

  async syncDirectory(path) {
    const handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },

  async freeBytes(path) {
    const facts = await fs.statfs(path);
    return facts.bavail * facts.bsize;
  },
};

class LocalFileWriter implements FileWriter {
  readonly #handle: fs.FileHandle;
  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }
  write(bytes: Uint8Array): Promise<void> {
    return writeAll(this.#handle, bytes);
  }
  sync(): Promise<void> {
    return this.#handle.sync();
  }
  close(): Promise<void> {
    return this.#handle.close();
  }
}

class LocalFileReader implements FileReader {
  readonly size: number;
  readonly #handle: fs.FileHandle;
  constructor(handle: fs.FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }
  read(into: Uint8Array, offset: number): Promise<number> {
    return readFull(this.#handle, into, offset);
  }
  close(): Promise<void> {
    return this.#handle.close();
  }
}

class LocalTemporaryFile implements TemporaryFile {
  readonly #handle: fs.FileHandle;
  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }
  write(bytes: Uint8Array, offset: number): Promise<void> {
    return writeAll(this.#handle, bytes, offset);
  }
  read(into: Uint8Array, offset: number): Promise<number> {
    return readFull(this.#handle, into, offset);
  }
  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Node's recursive mkdir never ends where a directory that exists takes no names, as /proc. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await fs.mkdir(path, { mode });
  } catch (error) {
    if (isCode(error, 'EEXIST') && (await fs.stat(path)).isDirectory()) return;
    if (!isCode(error, 'ENOENT') || path === dirname(path)) throw error;
    await makeDirectory(dirname(path), mode);
    await fs.mkdir(path, { mode }).catch((again: unknown) => {
      if (!isCode(again, 'EEXIST')) throw again;
    });
  }
}

/**
 * One call may write less than it was given, for instance when the disk is almost full. Without an offset the bytes
 * go to where the file's position is.
 */
async function writeAll(handle: fs.FileHandle, bytes: Uint8Array, offset?: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const position = offset === undefined ? null : offset + written;
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position);
    written += bytesWritten;
  }
}

/** One call may read less than it was asked for, also in the middle of the file. */
async function readFull(handle: fs.FileHandle, into: Uint8Array, offset: number): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await handle.read(into, filled, into.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

function kindOf(entry: Stats | Dirent): FileKind {
  if (entry.isFile()) return 'file';
  return entry.isDirectory() ? 'directory' : 'other';
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
