import { BackupError } from '../../src/kernel/errors.ts';
import type { FileReader, Files, FileWriter, TemporaryFile } from '../../src/kernel/files.ts';
import type { Platform } from '../../src/kernel/platform.ts';
import { Dice } from '../../src/sandbox/dice.ts';
import { osError } from '../support/intercepted-files.ts';
import type { Suffered } from './attempt.ts';
import { codec } from './codec.ts';
import type { Disk } from './disk.ts';
import type { FaultKind, Faults } from './faults.ts';
import { type Network, networkOf } from './network.ts';
import type { Actor, Scheduler } from './scheduler.ts';

/** What every call of a dead process meets. */
export class Died extends Error {
  override readonly name = 'Died';
}

/** The world as far as a process can see it. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly network: Network;
  /** Counts what befell which port method. */
  readonly tally: (method: string, kind: FaultKind) => void;
}

export interface ProcessOptions {
  readonly name: string;
  readonly seed: number;
  readonly faults: Faults;
  /** By how much its wall clock is ahead, in milliseconds. */
  readonly clockError: number;
  /** Below this path a lie of the disk is on record; elsewhere it tells the truth. */
  readonly storePath: string;
}

/** Milliseconds since 1970 at the beginning of every world. */
export const EPOCH = Date.UTC(2026, 2, 14, 9, 26, 53);
const OS_ERRORS = ['EIO', 'ENOSPC', 'EACCES'];
/** Where the tool keeps what it may lose. */
export const STATE = '/home/state';

/** One run of the tool, from its start to its end or death, and the ports through which it sees the world. */
export class ToolProcess implements Actor {
  readonly name: string;
  frozenUntil = 0;
  dead = false;
  /** Its operation has come to its end: from here on it has nothing to do. */
  ended = false;
  /** What it did all the same. */
  late: string | null = null;
  /** Faults that befell it. */
  readonly suffered: Suffered[] = [];
  /** Paths that it gave to files, also where it was told that it had failed. */
  readonly made = new Set<string>();
  /** Everything it logged. */
  readonly logged: string[] = [];
  readonly platform: Platform;
  readonly #stop = new AbortController();
  readonly #surroundings: Surroundings;
  readonly #options: ProcessOptions;
  readonly #dice: Dice;
  /** Methods of the ports that it called, in order. */
  readonly calls: string[] = [];

  constructor(surroundings: Surroundings, options: ProcessOptions) {
    this.name = options.name;
    this.#surroundings = surroundings;
    this.#options = options;
    this.#dice = new Dice(options.seed, 0x9ec);
    const { scheduler } = surroundings;
    const chance = new Dice(options.seed, 0xca);
    this.platform = {
      clock: {
        now: () => EPOCH + scheduler.now + options.clockError,
        monotonic: () => scheduler.now,
        sleep: async (ms, signal) => {
          if (this.dead) throw new Died();
          await scheduler.sleep(this, ms, signal);
        },
      },
      random: { bytes: (count) => Uint8Array.from({ length: count }, () => chance.below(256)) },
      http: networkOf(this, surroundings),
      files: this.#files(),
      codec,
      host: {
        env: {},
        pid: options.seed,
        hostname: options.name,
        processSpace: options.name,
        isProcessAlive: () => true,
        homeDirectory: '/home',
        workingDirectory: '/home',
        system: 'simulated',
        toolVersion: '0.0.0',
      },
      log: { write: (_, message) => void this.logged.push(message) },
    };
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  die(): void {
    this.dead = true;
    this.#surroundings.scheduler.end(this, new Died());
  }

  /**
   * One call at a port. `spoilt` carries out the kinds that are particular to a port; null for those that it does not
   * know.
   */
  async call<Result>(
    method: string,
    object: string,
    effect: () => Promise<Result>,
    spoilt: (kind: FaultKind, dice: Dice) => Promise<Result> | null = () => null,
  ): Promise<Result> {
    if (this.dead) throw new Died();
    if (this.ended) this.late ??= `${method} ${object}`;
    const { scheduler, tally } = this.#surroundings;
    await scheduler.step(this, `${method} ${object}`);
    this.calls.push(method);
    const kind = this.#options.faults.draw({ method, number: this.calls.length });
    if (kind === null) return await effect();
    tally(method, kind);
    const errno = errnoOf(kind, this.#dice);
    this.suffered.push({ kind, method, place: this.#placeOf(method, object), ...(errno && { errno }) });
    scheduler.trace.add(`    ${this.name} suffers: ${kind}`);
    const special = spoilt(kind, this.#dice);
    if (special !== null) return await special;
    if (kind === 'freezes') {
      this.frozenUntil = scheduler.now + this.#dice.pick([1_000, 60_000, 3_600_000, 86_400_000]);
      await scheduler.step(this, 'goes on');
      return await effect();
    }
    if (kind === 'stopped') {
      this.#stop.abort(new BackupError('TERMINATED', 'terminated'));
      return await effect();
    }
    if (kind === 'fails before') throw osError(errno!);
    if (kind === 'fails after' || kind === 'dies after') await effect();
    if (kind === 'fails after') throw osError(errno!);
    this.die();
    throw new Died();
  }

  #placeOf(method: string, object: string): Suffered['place'] {
    if (method.startsWith('http.')) return 'server';
    if (object.startsWith(this.#options.storePath)) return 'store';
    return object.startsWith(STATE) ? 'state' : 'elsewhere';
  }

  #files(): Files {
    const { disk } = this.#surroundings;
    const making = (path: string, effect: () => Promise<void>) => async (): Promise<void> => {
      await effect();
      this.made.add(path);
    };
    const call = <Result>(method: string, path: string, effect: () => Promise<Result>): Promise<Result> =>
      this.call(method, path, effect);
    return {
      stat: (path) => call('files.stat', path, () => disk.stat(path)),
      list: (path) => call('files.list', path, () => disk.list(path)),
      makeDirectory: (path) => call('files.makeDirectory', path, () => disk.makeDirectory(path)),
      create: (path, mode) =>
        call('files.create', path, async () => {
          const writer = await disk.create(path, mode);
          this.made.add(path);
          return this.#writer(path, writer);
        }),
      append: (path, mode, bytes) => call('files.create', path, () => disk.append(path, mode, bytes)),
      open: (path) => call('files.open', path, async () => this.#reader(path, await disk.open(path))),
      openTemporary: (path) =>
        call('files.openTemporary', path, async () => this.#temporary(path, await disk.openTemporary(path))),
      link: (path, newPath) =>
        call(
          'files.link',
          newPath,
          making(newPath, () => disk.link(path, newPath)),
        ),
      rename: (path, newPath) =>
        call(
          'files.rename',
          newPath,
          making(newPath, () => disk.rename(path, newPath)),
        ),
      remove: (path) => call('files.remove', path, () => disk.remove(path)),
      syncDirectory: (path) => call('files.syncDirectory', path, () => disk.syncDirectory(path)),
      freeBytes: () => disk.freeBytes(),
    };
  }

  #writer(path: string, inner: FileWriter): FileWriter {
    const { disk } = this.#surroundings;
    return {
      write: (bytes) =>
        this.call(
          'writer.write',
          path,
          () => inner.write(bytes),
          (kind, dice) => {
            if (kind === 'torn') return inner.write(bytes.subarray(0, bytes.length >> 1)).then(noSpace);
            if (kind !== 'lies') return null;
            const inStore = path.startsWith(this.#options.storePath);
            const file = disk.file(path);
            if (!inStore || file === null || bytes.length === 0) return inner.write(bytes);
            file.damaged = true;
            return inner.write(flipped(bytes, dice));
          },
        ),
      sync: () => this.call('writer.sync', path, () => inner.sync()),
      close: () => this.call('writer.close', path, () => inner.close()),
    };
  }

  #reader(path: string, inner: FileReader): FileReader {
    return {
      size: inner.size,
      read: (into, offset) =>
        this.call(
          'reader.read',
          path,
          () => inner.read(into, offset),
          (kind, dice) =>
            kind !== 'lies'
              ? null
              : inner.read(into, offset).then((count) => {
                  if (count > 0) into.set(flipped(into.subarray(0, count), dice));
                  return count;
                }),
        ),
      close: () => this.call('reader.close', path, () => inner.close()),
    };
  }

  #temporary(path: string, inner: TemporaryFile): TemporaryFile {
    return {
      write: (bytes, offset) =>
        this.call(
          'temporary.write',
          path,
          () => inner.write(bytes, offset),
          (kind) =>
            kind === 'torn' ? inner.write(bytes.subarray(0, bytes.length >> 1), offset).then(noSpace) : null,
        ),
      read: (into, offset) => this.call('temporary.read', path, () => inner.read(into, offset)),
      close: () => this.call('temporary.close', path, () => inner.close()),
    };
  }
}

/** What the operating system says to a kind of fault, where it says anything. */
function errnoOf(kind: FaultKind, dice: Dice): string | undefined {
  if (kind === 'fails before') return dice.pick(OS_ERRORS);
  if (kind === 'fails after') return 'EIO';
  return kind === 'torn' ? 'ENOSPC' : undefined;
}

function noSpace(): never {
  throw osError('ENOSPC');
}

function flipped(bytes: Uint8Array, dice: Dice): Buffer {
  const copy = Buffer.from(bytes);
  copy[dice.below(copy.length)]! ^= 1 << dice.below(8);
  return copy;
}
