import type { TemporaryFile } from '../../kernel/files.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';

const BUFFER_BYTES = 64 * 1024;
const LENGTH_MAX = 0xffff;

/** Keys of documents, as JSON text in a nameless temporary file: those of the target, by which documents are replaced. */
export class Addresses {
  readonly #scratch: Scratch;
  #file: TemporaryFile | null = null;
  #flushed = 0;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  /** Keeps a key; `writePlace` later writes where it stands: u48 offset ‖ u16 length, length 0 for no usable address. */
  async add(key: Uint8Array | null): Promise<(into: Buffer, at: number) => void> {
    if (key === null || key.length > LENGTH_MAX) return () => {};
    if (this.#buffered + key.length > BUFFER_BYTES) await this.#flush();
    const offset = this.#flushed + this.#buffered;
    this.#buffer.set(key, this.#buffered);
    this.#buffered += key.length;
    return (into, at) => {
      into.writeUIntBE(offset, at, 6);
      into.writeUInt16BE(key.length, at + 6);
    };
  }

  /** Call once after the last `add`, before the first `read`. */
  async seal(): Promise<void> {
    if (this.#buffered > 0) await this.#flush();
  }

  /** The key whose place stands in `record` at `at`; null if that document cannot be addressed. */
  async read(record: Buffer, at: number): Promise<Uint8Array | null> {
    const length = record.readUInt16BE(at + 6);
    if (length === 0) return null;
    const offset = record.readUIntBE(at, 6);
    const key = Buffer.alloc(length);
    await this.#file!.read(key, offset);
    return key;
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
