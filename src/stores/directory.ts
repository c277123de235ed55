import { BackupError } from '../kernel/errors.ts';
import { diskCodeOf, type FileFacts, type FileKind, type Files, type FileWriter } from '../kernel/files.ts';
import type { Platform } from '../kernel/platform.ts';
import { randomHex } from '../kernel/random.ts';
import { noSuchObject, storeError } from './directory-errors.ts';
import { type ByteRange, isStoreKey, type Store, type StoredObject } from './store.ts';

/** Unfinished objects live here until they get their name; no key leads here. */
const PARTIAL_DIRECTORY = '.partial';
/** An unfinished object that nobody has written to for so long belongs to a run that died. */
const PARTIAL_AGE_MAX_MS = 60 * 60 * 1000;
const READ_BYTES = 256 * 1024;

/** What a freshly made file system puts into its root; may be unreadable, and is nobody's. */
const LOST_AND_FOUND = 'lost+found';

/** Stands in the place of bytes of a name that are not UTF-8: no path made of that name leads there, and no key. */
const UNDECODABLE = '\ufffd';

/**
 * A store in a directory of a file system with hard links: a key is a path below it. Files are 0600, directories 0700.
 * A new object is written beside, fsynced, linked to its name (which fails if the name is taken), and the directory
 * is fsynced, so that it is there whole or not at all, also after a power cut. The root may be a symbolic link; below
 * it none is followed: a link in the place of a directory is an error, one in the place of an object is no object.
 */
export function openDirectoryStore(
  platform: Pick<Platform, 'files' | 'random' | 'clock'>,
  path: string,
): Store {
  const { files, random, clock } = platform;
  const root = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const partialDirectory = `${root}/${PARTIAL_DIRECTORY}`;
  /** Directories that are there and durable, and the sweep of what dead runs left. */
  const ready = new Map<string, Promise<void>>();
  /** Unfinished objects that are being written here: they are never swept, however wrong the clock is. */
  const underWay = new Set<string>();

  const fail = (thrown: unknown, doing: string, key: string): unknown =>
    storeError(thrown, `${doing} ${root}/${key}`, key);

  const pathOf = (key: string): string => {
    if (isStoreKey(key) && !key.startsWith(`${PARTIAL_DIRECTORY}/`)) return `${root}/${key}`;
    throw new BackupError('STORE_FAILED', `${JSON.stringify(key)} is not a key of a store`, { object: key });
  };

  const once = (what: string, make: (what: string) => Promise<void>): Promise<void> => {
    const begun = ready.get(what) ?? make(what);
    ready.set(what, begun);
    return begun;
  };

  async function makeRoot(directory: string): Promise<void> {
    const parent = parentOf(directory);
    if ((await files.stat(directory)) !== null) {
      // whoever made it may have died before its name was durable; what cannot be opened or synced was not made by us
      await files.syncDirectory(parent).catch(ignoreUnsyncable);
      return;
    }
    await makeRoot(parent);
    await files.makeDirectory(directory, 0o700);
    await files.syncDirectory(parent);
  }

  async function makeDirectory(directory: string): Promise<void> {
    if (directory === root) return await makeRoot(root);
    const parent = parentOf(directory);
    await once(parent, makeDirectory);
    const facts = await files.stat(directory);
    if (facts === null) await files.makeDirectory(directory, 0o700);
    else assertDirectory(directory, facts.kind);
    await files.syncDirectory(parent);
  }

  async function sweepPartials(): Promise<void> {
    for (const { name } of await files.list(partialDirectory)) {
      const partial = `${partialDirectory}/${name}`;
      if (underWay.has(partial)) continue;
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

  async function publish(partial: string, final: string): Promise<void> {
    await files.link(partial, final);
    try {
      await files.syncDirectory(parentOf(final));
    } catch (thrown) {
      await files.remove(final).catch(() => {});
      throw thrown;
    }
  }

  /** Null if there is no such object. */
  async function look(key: string): Promise<FileFacts | null> {
    const final = pathOf(key);
    for (let end = key.indexOf('/'); end >= 0; end = key.indexOf('/', end + 1)) {
      const directory = `${root}/${key.slice(0, end)}`;
      const facts = await files.stat(directory);
      if (facts === null) return null;
      assertDirectory(directory, facts.kind);
    }
    const facts = await files.stat(final);
    return facts?.kind === 'file' ? facts : null;
  }

  async function assertThere(key: string): Promise<void> {
    if ((await look(key)) === null) throw noSuchObject(root, key);
  }

  return {
    label: `file://${root}`,
    traits: { exclusiveCreate: true, listsAtOnce: true, holdsOthers: false, remote: false },

    async put(key, pieces, signal) {
      const final = pathOf(key);
      const partial = `${partialDirectory}/${randomHex(random, 16)}`;
      let created = false;
      try {
        await once(partialDirectory, makeDirectory);
        await once('sweep', sweepPartials);
        await once(parentOf(final), makeDirectory);
        underWay.add(partial);
        const writer = await files.create(partial, 0o600);
        created = true;
        await write(writer, pieces, signal);
        await publish(partial, final);
      } catch (thrown) {
        ready.clear();
        throw fail(thrown, 'cannot write', key);
      } finally {
        if (created) await files.remove(partial).catch(() => {}); // swept later where this fails
        underWay.delete(partial);
      }
    },

    async *get(key, range, signal) {
      const path = pathOf(key);
      try {
        await assertThere(key);
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
      const facts = await look(key).catch((thrown: unknown) => {
        throw fail(thrown, 'cannot look at', key);
      });
      return facts?.size ?? null;
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
        await assertThere(key);
        await files.remove(path);
        await files.syncDirectory(parentOf(path));
      } catch (thrown) {
        throw fail(thrown, 'cannot remove', key);
      }
    },

    async freeBytes() {
      for (let directory = root; ; directory = parentOf(directory)) {
        try {
          return await files.freeBytes(directory);
        } catch (thrown) {
          // a store that is not there yet will lie on the file system of the nearest directory that is
          if (diskCodeOf(thrown) !== 'ENOENT' || directory === '/') throw fail(thrown, 'cannot measure', '');
        }
      }
    },

    async close() {},
  };
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function assertDirectory(path: string, kind: FileKind): void {
  if (kind === 'directory') return;
  throw new BackupError('STORE_FAILED', `${path} is not a directory`, {
    object: path,
    cure: 'Links inside a store are not followed: move the directory to its place, or point --store to where it is.',
  });
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
    if (name.includes(UNDECODABLE)) continue;
    const key = `${above}${name}`;
    if (kind === 'directory') {
      const below = `${key}/`;
      const wanted = below.startsWith(prefix) || prefix.startsWith(below);
      if (wanted && key !== PARTIAL_DIRECTORY && key !== LOST_AND_FOUND)
        yield* walk(files, `${directory}/${name}`, below, prefix, signal);
    } else if (prefix.startsWith(`${key}/`)) {
      assertDirectory(`${directory}/${name}`, kind);
    } else if (key.startsWith(prefix)) {
      const facts = await files.stat(`${directory}/${name}`);
      if (facts?.kind === 'file') yield { key, size: facts.size };
    }
  }
}

function ignoreUnsyncable(thrown: unknown): void {
  const { code = '' } = thrown as NodeJS.ErrnoException;
  if (!['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EROFS'].includes(code)) throw thrown;
}

function ignoreMissing(thrown: unknown): void {
  if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
}
