import type { TemporaryFile } from './files.ts';
import type { Scratch } from './sorted-runs.ts';

/** So much stays in memory: most restores write over few documents, and read them at many places. */
const MEMORY_BYTES = 8 << 20;
const BUFFER_BYTES_MIN = 64 * 1024;

/**
 * Bytes that are written one after the other, then read at any place. What does not fit in memory goes to a nameless
 * temporary file.
 */
export class AppendedFile {
  readonly #scratch: Scratch;
  #file: TemporaryFile | null = null;
  #flushed = 0;
  #buffer = Buffer.alloc(0);
  #buffered = 0;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  /** Where the next bytes will stand. */
  get size(): number {
    return this.#flushed + this.#buffered;
  }

  /** Appends what fits in memory; false: `append` must be awaited. */
  tryAppend(bytes: Uint8Array): boolean {
    const needed = this.#buffered + bytes.length;
    if (needed > this.#buffer.length) {
      if (needed > MEMORY_BYTES) return false;
      const wider = Buffer.allocUnsafeSlow(
        Math.min(MEMORY_BYTES, Math.max(2 * this.#buffer.length, needed, BUFFER_BYTES_MIN)),
      );
      this.#buffer.copy(wider, 0, 0, this.#buffered);
      this.#buffer = wider;
    }
    this.#buffer.set(bytes, this.#buffered);
    this.#buffered = needed;
    return true;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.tryAppend(bytes)) return;
    await this.#flush();
    if (this.tryAppend(bytes)) return;
    await this.#file!.write(bytes, this.#flushed);
    this.#flushed += bytes.length;
  }

  /** Call once after the last `append`, before the first `read`. */
  async seal(): Promise<void> {
    if (this.#file === null) return;
    await this.#flush();
    this.#buffer = Buffer.alloc(0);
  }

  /** A copy, or a view that stays as it is. */
  async read(offset: number, length: number): Promise<Buffer> {
    if (this.#file === null) return this.#buffer.subarray(offset, offset + length);
    const bytes = Buffer.alloc(length);
    if (length > 0) await this.#file.read(bytes, offset);
    return bytes;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
    this.#buffer = Buffer.alloc(0);
  }

  async #flush(): Promise<void> {
    this.#file ??= await this.#scratch.openTemporary();
    await this.#file.write(this.#buffer.subarray(0, this.#buffered), this.#flushed);
    this.#flushed += this.#buffered;
    this.#buffered = 0;
  }
}
