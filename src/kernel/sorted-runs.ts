import type { TemporaryFile } from './files.ts';
import { releaseMemory } from './memory.ts';
import type { Sizes } from './sizes.ts';

/** Where goes what does not fit in memory. */
export interface Scratch {
  /** An empty file without a name; throws STATE_FAILED, and so does all that is done with it. */
  openTemporary(): Promise<TemporaryFile>;
  /** How much does fit in memory. */
  readonly sizes: Sizes;
}

const BUFFERED_RECORDS_MIN = 1024;
const NO_BYTES = Buffer.alloc(0);

/**
 * Any number of records of one width, given in any order and read back sorted by their bytes, in bounded memory:
 * runs of `runRecords` records are sorted and written to a nameless temporary file. The first reading merges them into
 * one long run there (performance.md §7).
 */
export class SortedRuns {
  readonly width: number;
  count = 0;

  readonly #scratch: Scratch;
  readonly #runRecords: number;
  #buffer: Buffer<ArrayBuffer> = NO_BYTES;
  #buffered = 0;
  #bufferIsSorted = true;
  #file: TemporaryFile | null = null;
  /** Offsets at which runs start in the file, and the end of the last one. */
  #runStarts: number[] = [0];

  constructor(scratch: Scratch, width: number, runRecords = scratch.sizes.sortedRecords) {
    this.#scratch = scratch;
    this.width = width;
    this.#runRecords = runRecords;
  }

  /** True when `flush` must be awaited before the next record is added. */
  get full(): boolean {
    return this.#buffered === this.#runRecords;
  }

  /** Where the next record is to be written; the caller fills `width` bytes of it and calls `added`. */
  slot(): Buffer {
    const at = this.#buffered * this.width;
    if (at === this.#buffer.length) {
      const size = Math.max(2 * this.#buffer.length, BUFFERED_RECORDS_MIN * this.width);
      const wider = Buffer.allocUnsafeSlow(Math.min(size, this.width * this.#runRecords));
      this.#buffer.copy(wider);
      this.#takeBuffer(wider);
    }
    return this.#buffer.subarray(at, at + this.width);
  }

  added(): void {
    this.#buffered++;
    this.count++;
    this.#bufferIsSorted = false;
  }

  async flush(): Promise<void> {
    if (this.#buffered === 0) return;
    this.#file ??= await this.#scratch.openTemporary();
    const sorted = this.#sortedBuffer();
    const start = this.#runStarts.at(-1)!;
    await this.#file.write(sorted, start);
    this.#runStarts.push(start + sorted.length);
    this.#buffered = 0;
  }

  /** All records in order, in pieces of whole records; a piece is valid until the next pull, and until a record is added. May be read repeatedly. */
  async *sorted(): AsyncGenerator<Buffer> {
    if (this.#file === null) {
      if (this.#buffered > 0) yield this.#sortedBuffer();
      return;
    }
    await this.flush();
    this.#takeBuffer(NO_BYTES);
    if (this.#runStarts.length > 2) await this.#mergeIntoOne(this.#file);
    const [start, end] = this.#runStarts as [number, number];
    const run = new RunReader(this.#file, this.width, start, end);
    while (await run.load()) yield run.buffer;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
    this.#buffered = 0;
    this.#takeBuffer(NO_BYTES);
  }

  /** The buffered records, sorted once: they are read as often as anybody asks. */
  #sortedBuffer(): Buffer {
    if (!this.#bufferIsSorted) {
      this.#takeBuffer(sortRecords(this.#buffer.subarray(0, this.#buffered * this.width), this.width));
      this.#bufferIsSorted = true;
    }
    return this.#buffer.subarray(0, this.#buffered * this.width);
  }

  #takeBuffer(buffer: Buffer<ArrayBuffer>): void {
    releaseMemory(this.#buffer);
    this.#buffer = buffer;
  }

  async #mergeIntoOne(file: TemporaryFile): Promise<void> {
    const starts = this.#runStarts;
    const readers = starts
      .slice(0, -1)
      .map((start, run) => new RunReader(file, this.width, start, starts[run + 1]!));
    const start = starts.at(-1)!;
    let end = start;
    for await (const piece of mergeRuns(readers, this.width)) {
      await file.write(piece, end);
      end += piece.length;
    }
    this.#runStarts = [start, end];
  }
}

/** The records of `buffer` in the order of their bytes, in a new buffer. */
export function sortRecords(buffer: Buffer, width: number): Buffer<ArrayBuffer> {
  const count = buffer.length / width;
  // of few records it is not worth counting 65,536 values
  const prefixBytes = count < COUNTED_RECORDS_MIN ? 0 : Math.min(width, PREFIX_BYTES_MAX) & ~1;
  const order = orderByPrefix(buffer, width, count, prefixBytes);
  const sorted = Buffer.allocUnsafeSlow(buffer.length);
  for (let from = 0, into = 0; from < count; ) {
    let to = from + 1;
    while (to < count && samePrefix(buffer, order[from]! * width, order[to]! * width, prefixBytes)) to++;
    if (to - from > 1)
      order.subarray(from, to).sort((a, b) => compareRecords(buffer, a * width, buffer, b * width, width));
    for (; from < to; from++) {
      for (let at = order[from]! * width, end = at + width; at < end; ) sorted[into++] = buffer[at++]!;
    }
  }
  return sorted;
}

const COUNTED_RECORDS_MIN = 1000;
const PREFIX_BYTES_MAX = 8;

/** Numbers of the records in the order of their first bytes: radix sort by two bytes at a time, from the last pair. */
function orderByPrefix(buffer: Buffer, width: number, count: number, prefixBytes: number): Uint32Array {
  let order = new Uint32Array(count);
  let spare = new Uint32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  if (prefixBytes === 0) return order;
  const digits = new Uint16Array(count);
  const places = new Uint32Array(65536);
  for (let pair = prefixBytes - 2; pair >= 0; pair -= 2) {
    places.fill(0);
    for (let index = 0, at = pair; index < count; index++, at += width) {
      const digit = (buffer[at]! << 8) | buffer[at + 1]!;
      digits[index] = digit;
      places[digit]!++;
    }
    if (places[digits[0]!] === count) continue; // all the same
    for (let digit = 0, place = 0; digit < 65536; digit++) {
      const size = places[digit]!;
      places[digit] = place;
      place += size;
    }
    for (let index = 0; index < count; index++) {
      const record = order[index]!;
      const digit = digits[record]!;
      spare[places[digit]!] = record;
      places[digit]!++;
    }
    [order, spare] = [spare, order];
  }
  return order;
}

function samePrefix(buffer: Buffer, a: number, b: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (buffer[a + at] !== buffer[b + at]) return false;
  return true;
}

function compareRecords(a: Buffer, aAt: number, b: Buffer, bAt: number, width: number): number {
  for (let at = 0; at < width; at++) {
    const difference = a[aAt + at]! - b[bAt + at]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

const READ_BYTES = 64 * 1024;

/** Reads one run from the file, record by record. */
class RunReader {
  readonly #file: TemporaryFile;
  readonly #width: number;
  readonly #memory: Buffer;
  #offset: number;
  readonly #end: number;
  /** Whole records. */
  buffer: Buffer;
  /** Where the current record stands in `buffer`. */
  at = 0;

  constructor(file: TemporaryFile, width: number, start: number, end: number) {
    this.#file = file;
    this.#width = width;
    this.#offset = start;
    this.#end = end;
    this.#memory = Buffer.allocUnsafeSlow(Math.min(READ_BYTES - (READ_BYTES % width), end - start));
    this.buffer = this.#memory.subarray(0, 0);
  }

  /** Reads on; false at the end of the run. */
  async load(): Promise<boolean> {
    const size = Math.min(this.#memory.length, this.#end - this.#offset);
    if (size === 0) return false;
    this.buffer = this.#memory.subarray(0, size);
    const read = await this.#file.read(this.buffer, this.#offset);
    if (read !== size) throw new Error(`a temporary file is shorter than what was written to it`);
    this.#offset += size;
    this.at = 0;
    return true;
  }

  /** Goes on to the next record; false if `load` must come first. */
  step(): boolean {
    this.at += this.#width;
    return this.at < this.buffer.length;
  }
}

/** The records of all runs in order; a piece is valid until the next pull. */
async function* mergeRuns(readers: RunReader[], width: number): AsyncGenerator<Buffer> {
  const heap: RunReader[] = [];
  for (const reader of readers) if (await reader.load()) heap.push(reader);
  const siftDown = (from: number) => {
    const reader = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!, width)) child++;
      if (!isBefore(heap[child]!, reader, width)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = reader;
  };
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(at);

  const piece = Buffer.allocUnsafeSlow(READ_BYTES - (READ_BYTES % width));
  let filled = 0;
  while (heap.length > 0) {
    const least = heap[0]!;
    for (let at = least.at, end = at + width; at < end; ) piece[filled++] = least.buffer[at++]!;
    if (filled === piece.length) {
      yield piece;
      filled = 0;
    }
    if (!least.step() && !(await least.load())) {
      const last = heap.pop()!;
      if (heap.length === 0) break;
      heap[0] = last;
    }
    siftDown(0);
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

function isBefore(a: RunReader, b: RunReader, width: number): boolean {
  return compareRecords(a.buffer, a.at, b.buffer, b.at, width) < 0;
}
