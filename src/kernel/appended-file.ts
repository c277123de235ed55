import type { TemporaryFile } from './files.ts';
import type { Scratch } from './sorted-runs.ts';

const BUFFER_BYTES = 64 * 1024;

/** Bytes that are written one after the other to a nameless temporary file, then read at any place. */
export class AppendedFile {
  readonly #scratch: Scratch;
  #file: TemporaryFile | null = null;
  #flushed = 0;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  /** Where the next bytes will stand. */
  get size(): number {
    return this.#flushed + this.#buffered;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#buffered + bytes.length > BUFFER_BYTES) await this.#flush();
    if (bytes.length > BUFFER_BYTES) {
      this.#file ??= await this.#scratch.openTemporary();
      await this.#file.write(bytes, this.#flushed);
      this.#flushed += bytes.length;
      return;
    }
    this.#buffer.set(bytes, this.#buffered);
    this.#buffered += bytes.length;
  }

  /** Call once after the last `append`, before the first `read`. */
  async seal(): Promise<void> {
    if (this.#buffered > 0) await this.#flush();
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    if (length > 0) await this.#file!.read(bytes, offset);
    return bytes;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #flush(): Promise<void> {
    this.#file ??= await this.#scratch.openTemporary();
    await this.#file.write(Buffer.from(this.#buffer.subarray(0, this.#buffered)), this.#flushed);
    this.#flushed += this.#buffered;
    this.#buffered = 0;
  }
}
