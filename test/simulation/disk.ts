import type { FileFacts, Files, FileWriter } from '../../src/kernel/files.ts';
import type { Dice } from '../../src/sandbox/dice.ts';
import { osError } from '../support/intercepted-files.ts';

/** A file's content, and what of it a power cut leaves. */
export class SimulatedFile {
  content: Buffer = Buffer.alloc(0);
  durable: Buffer | null = null;
  modifiedAt = 0;
  /** True once it holds other bytes than were written to it. */
  damaged = false;
  readonly mode: number;
  constructor(mode: number) {
    this.mode = mode;
  }
}

class SimulatedDirectory {
  entries = new Map<string, SimulatedFile | SimulatedDirectory>();
  durable = new Map<string, SimulatedFile | SimulatedDirectory>();
}

type Node = SimulatedFile | SimulatedDirectory;

/**
 * A disk that forgets at a power cut what was not made durable: of a file any part of what was written since its last
 * sync, of a directory any of the changes since it was synced. A process that dies takes nothing with it.
 */
export class Disk implements Files {
  readonly #root = new SimulatedDirectory();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  powerCut(dice: Dice): void {
    const settle = (directory: SimulatedDirectory): void => {
      for (const name of [...new Set([...directory.entries.keys(), ...directory.durable.keys()])].sort()) {
        const [now, then] = [directory.entries.get(name), directory.durable.get(name)];
        const left = now === then || dice.chance(0.5) ? now : then;
        if (left === undefined) directory.entries.delete(name);
        else directory.entries.set(name, left);
        if (left instanceof SimulatedDirectory) settle(left);
        else if (left !== undefined) settleFile(left, dice);
      }
      directory.durable = new Map(directory.entries);
    };
    settle(this.#root);
  }

  /** Paths and contents of all files below a directory, past every fault. */
  *filesBelow(path: string): Generator<[string, SimulatedFile]> {
    const found = this.#find(path);
    if (!(found instanceof SimulatedDirectory)) return;
    for (const [name, node] of found.entries) {
      if (node instanceof SimulatedFile) yield [`${path}/${name}`, node];
      else yield* this.filesBelow(`${path}/${name}`);
    }
  }

  file(path: string): SimulatedFile | null {
    const found = this.#find(path);
    return found instanceof SimulatedFile ? found : null;
  }

  isDirectory(path: string): boolean {
    return this.#find(path) instanceof SimulatedDirectory;
  }

  /** Takes a file away, or puts one in its place, at once and for good. */
  put(path: string, file: SimulatedFile | null): void {
    const { directory, name } = this.#parent(path);
    for (const entries of [directory.entries, directory.durable]) {
      if (file === null) entries.delete(name);
      else entries.set(name, file);
    }
  }

  async stat(path: string): Promise<FileFacts | null> {
    const found = this.#find(path);
    if (found === undefined) return null;
    return found instanceof SimulatedFile
      ? { kind: 'file', size: found.content.length, modifiedAt: found.modifiedAt, mode: found.mode }
      : { kind: 'directory', size: 0, modifiedAt: 0, mode: 0o700 };
  }

  async list(path: string) {
    return [...this.#directory(path).entries].map(([name, node]) => ({
      name,
      kind: node instanceof SimulatedFile ? ('file' as const) : ('directory' as const),
    }));
  }

  async makeDirectory(path: string): Promise<void> {
    let directory = this.#root;
    for (const name of segments(path)) {
      let next = directory.entries.get(name);
      if (next === undefined) {
        next = new SimulatedDirectory();
        directory.entries.set(name, next);
      }
      if (next instanceof SimulatedFile) throw osError('EEXIST');
      directory = next;
    }
  }

  async create(path: string, mode: number): Promise<FileWriter> {
    const file = new SimulatedFile(mode);
    this.#add(path, file);
    return this.#writer(file);
  }

  async append(path: string, mode: number, bytes: Uint8Array): Promise<void> {
    const file = this.file(path) ?? new SimulatedFile(mode);
    if (this.file(path) === null) this.#add(path, file);
    file.content = Buffer.concat([file.content, bytes]);
  }

  async open(path: string) {
    const file = this.#find(path);
    if (file === undefined) throw osError('ENOENT');
    if (file instanceof SimulatedDirectory) throw osError('EISDIR');
    return {
      size: file.content.length,
      read: async (into: Uint8Array, offset: number) => file.content.copy(into, 0, offset),
      close: async () => {},
    };
  }

  async openTemporary(directory: string) {
    this.#directory(directory);
    let content = Buffer.alloc(0);
    return {
      write: async (bytes: Uint8Array, offset: number) => {
        if (content.length < offset + bytes.length) {
          content = Buffer.concat([content, Buffer.alloc(offset + bytes.length - content.length)]);
        }
        content.set(bytes, offset);
      },
      read: async (into: Uint8Array, offset: number) => content.copy(into, 0, offset),
      close: async () => {},
    };
  }

  async link(path: string, newPath: string): Promise<void> {
    this.#add(newPath, this.#existing(path));
  }

  async rename(path: string, newPath: string): Promise<void> {
    const file = this.#existing(path);
    const to = this.#parent(newPath);
    to.directory.entries.set(to.name, file);
    const from = this.#parent(path);
    from.directory.entries.delete(from.name);
  }

  async remove(path: string): Promise<void> {
    this.#existing(path);
    const { directory, name } = this.#parent(path);
    directory.entries.delete(name);
  }

  async syncDirectory(path: string): Promise<void> {
    const directory = this.#directory(path);
    directory.durable = new Map(directory.entries);
  }

  async freeBytes(): Promise<number> {
    return 1e12;
  }

  #writer(file: SimulatedFile): FileWriter {
    return {
      write: async (bytes) => {
        file.content = Buffer.concat([file.content, bytes]);
        file.modifiedAt = this.#now();
      },
      sync: async () => {
        file.durable = file.content;
      },
      close: async () => {},
    };
  }

  #add(path: string, node: Node): void {
    const { directory, name } = this.#parent(path);
    if (directory.entries.has(name)) throw osError('EEXIST');
    directory.entries.set(name, node);
  }

  #existing(path: string): SimulatedFile {
    const file = this.file(path);
    if (file === null) throw osError('ENOENT');
    return file;
  }

  #directory(path: string): SimulatedDirectory {
    const found = this.#find(path);
    if (found === undefined) throw osError('ENOENT');
    if (found instanceof SimulatedFile) throw osError('ENOTDIR');
    return found;
  }

  #parent(path: string): { directory: SimulatedDirectory; name: string } {
    const names = segments(path);
    return { directory: this.#directory(`/${names.slice(0, -1).join('/')}`), name: names.at(-1)! };
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of segments(path)) {
      if (!(node instanceof SimulatedDirectory)) return undefined;
      node = node.entries.get(name);
    }
    return node;
  }
}

function segments(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** What a power cut leaves of a file that was not synced: all, nothing, a part, or its length without its content. */
function settleFile(file: SimulatedFile, dice: Dice): void {
  if (file.content === file.durable) return;
  const { content, durable } = file;
  file.content = dice.pick([
    () => content,
    () => durable ?? Buffer.alloc(0),
    () => content.subarray(0, dice.below(content.length + 1)),
    () => Buffer.alloc(content.length),
  ])();
  file.durable = file.content;
}
