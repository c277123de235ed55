import type { Files, TemporaryFile } from './files.ts';

/** Where runs go that do not fit in memory. */
export interface Scratch {
  readonly files: Files;
  readonly directory: string;
}

/**
 * Any number of records of one width, given in any order and read back sorted by their bytes, in bounded memory:
 * runs of `runRecords` records are sorted and written to a nameless temporary file, and merged while reading
 * (performance.md §7).
 */
export class SortedRuns {
  readonly width: number;
  count = 0;

  readonly #scratch: Scratch;
  readonly #runRecords: number;
  #buffer: Buffer;
  #buffered = 0;
  #file: TemporaryFile | null = null;
  /** Offsets at which runs start in the file, and the file's length at the end. */
  readonly #runStarts: number[] = [0];

  constructor(scratch: Scratch, width: number, runRecords = 250_000) {
    this.#scratch = scratch;
    this.width = width;
    this.#runRecords = runRecords;
    this.#buffer = Buffer.allocUnsafeSlow(width * Math.min(1024, runRecords));
  }

  /** True when `flush` must be awaited before the next record is added. */
  get full(): boolean {
    return this.#buffered === this.#runRecords;
  }

  /** Where the next record is to be written; the caller fills `width` bytes of it and calls `added`. */
  slot(): Buffer {
    const at = this.#buffered * this.width;
    if (at === this.#buffer.length) {
      const wider = Buffer.allocUnsafeSlow(Math.min(2 * this.#buffer.length, this.width * this.#runRecords));
      this.#buffer.copy(wider);
      this.#buffer = wider;
    }
    return this.#buffer.subarray(at, at + this.width);
  }

  added(): void {
    this.#buffered++;
    this.count++;
  }

  async flush(): Promise<void> {
    if (this.#buffered === 0) return;
    this.#file ??= await this.#scratch.files.openTemporary(this.#scratch.directory);
    const sorted = this.#sortedBuffer();
    const start = this.#runStarts.at(-1)!;
    await this.#file.write(sorted, start);
    this.#runStarts.push(start + sorted.length);
    this.#buffered = 0;
  }

  /** All records in order, in pieces of whole records; a piece is valid until the next pull. May be read repeatedly. */
  async *sorted(): AsyncGenerator<Buffer> {
    if (this.#file === null) {
      const sorted = this.#sortedBuffer();
      if (sorted.length > 0) yield sorted;
      return;
    }
    await this.flush();
    const file = this.#file;
    const starts = this.#runStarts;
    const readers = starts
      .slice(0, -1)
      .map((start, run) => new RunReader(file, this.width, start, starts[run + 1]!));
    yield* mergeRuns(readers, this.width);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
    this.#buffered = 0;
  }

  #sortedBuffer(): Buffer {
    return sortRecords(this.#buffer.subarray(0, this.#buffered * this.width), this.width);
  }
}

const COUNTED_RECORDS_MIN = 1000;

/** The records of `buffer` in the order of their bytes, in a new buffer. */
export function sortRecords(buffer: Buffer, width: number): Buffer {
  const count = buffer.length / width;
  let order = new Uint32Array(count);
  let spare = new Uint32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  // radix sort over the first eight bytes, two at a time from the last pair; ties are settled below, and so are the
  // few records for which it is not worth counting 65,536 values
  const digits = count < COUNTED_RECORDS_MIN ? 0 : Math.min(width, 8) & ~1;
  for (let digit = digits - 2; digit >= 0; digit -= 2) {
    const offsets = new Uint32Array(65537);
    for (let at = digit; at < buffer.length; at += width)
      offsets[((buffer[at]! << 8) | buffer[at + 1]!) + 1]!++;
    for (let value = 0; value < 65536; value++) offsets[value + 1]! += offsets[value]!;
    for (const record of order) {
      const at = record * width + digit;
      spare[offsets[(buffer[at]! << 8) | buffer[at + 1]!]!++] = record;
    }
    [order, spare] = [spare, order];
  }
  const sorted = Buffer.allocUnsafeSlow(buffer.length);
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && samePrefix(buffer, order[from]! * width, order[to]! * width, digits)) to++;
    if (to - from > 1)
      order.subarray(from, to).sort((a, b) => compareRecords(buffer, a * width, buffer, b * width, width));
    for (; from < to; from++)
      buffer.copy(sorted, from * width, order[from]! * width, (order[from]! + 1) * width);
  }
  return sorted;
}

function samePrefix(buffer: Buffer, a: number, b: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (buffer[a + at] !== buffer[b + at]) return false;
  return true;
}

function compareRecords(a: Buffer, aAt: number, b: Buffer, bAt: number, width: number): number {
  return a.compare(b, bAt, bAt + width, aAt, aAt + width);
}

const READ_BYTES = 64 * 1024;

class RunReader {
  readonly #file: TemporaryFile;
  readonly #width: number;
  #offset: number;
  readonly #end: number;
  buffer: Buffer;
  at = 0;

  constructor(file: TemporaryFile, width: number, start: number, end: number) {
    this.#file = file;
    this.#width = width;
    this.#offset = start;
    this.#end = end;
    this.buffer = Buffer.alloc(0);
  }

  /** False at the end of the run; otherwise the current record stands at `at` in `buffer`. */
  async advance(): Promise<boolean> {
    this.at += this.#width;
    if (this.at < this.buffer.length) return true;
    const size = Math.min(READ_BYTES - (READ_BYTES % this.#width), this.#end - this.#offset);
    if (size <= 0) return false;
    const buffer = Buffer.allocUnsafeSlow(size);
    const read = await this.#file.read(buffer, this.#offset);
    if (read !== size) throw new Error(`a temporary file is shorter than what was written to it`);
    this.#offset += size;
    this.buffer = buffer;
    this.at = 0;
    return true;
  }

  /** True if `advance` can go on without reading. */
  get buffered(): boolean {
    return this.at + this.#width < this.buffer.length;
  }

  step(): void {
    this.at += this.#width;
  }
}

async function* mergeRuns(readers: RunReader[], width: number): AsyncGenerator<Buffer> {
  const heap: RunReader[] = [];
  const before = (a: RunReader, b: RunReader) => compareRecords(a.buffer, a.at, b.buffer, b.at, width) < 0;
  const siftDown = (from: number) => {
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  };
  for (const reader of readers) if (await reader.advance()) heap.push(reader);
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(at);

  const pieceBytes = READ_BYTES - (READ_BYTES % width);
  let piece = Buffer.allocUnsafeSlow(pieceBytes);
  let filled = 0;
  while (heap.length > 0) {
    const least = heap[0]!;
    least.buffer.copy(piece, filled, least.at, least.at + width);
    filled += width;
    if (filled === pieceBytes) {
      yield piece;
      piece = Buffer.allocUnsafeSlow(pieceBytes);
      filled = 0;
    }
    if (least.buffered) least.step();
    else if (!(await least.advance())) {
      const last = heap.pop()!;
      if (heap.length === 0) break;
      heap[0] = last;
    }
    siftDown(0);
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
