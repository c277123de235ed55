import { AppendedFile } from '../../kernel/appended-file.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';

const KEY_LENGTH_MAX = 0xffff;
const LENGTH_BYTES = 4;
const NO_DOCUMENT = Buffer.alloc(0);

/**
 * Documents of the target in a nameless temporary file: the key (JSON text) that names each in a request and, of those
 * that may be written over, the document as it was received. One entry: key ‖ u32 length ‖ document.
 */
export class LiveDocuments {
  readonly #file: AppendedFile;

  constructor(scratch: Scratch) {
    this.#file = new AppendedFile(scratch);
  }

  /**
   * Keeps a key and what may be written over; `writePlace` later writes where they stand: u48 offset ‖ u16 length of the
   * key, length 0 where there is no usable one.
   */
  async add(
    key: Uint8Array | null,
    document: Uint8Array = NO_DOCUMENT,
  ): Promise<(into: Buffer, at: number) => void> {
    if (key === null || key.length > KEY_LENGTH_MAX) return () => {};
    const offset = this.#file.size;
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(document.length);
    for (const part of [key, length, document]) {
      if (!this.#file.tryAppend(part)) await this.#file.append(part);
    }
    return (into, at) => {
      into.writeUIntBE(offset, at, 6);
      into.writeUInt16BE(key.length, at + 6);
    };
  }

  /** Call once after the last `add`, before the first reading. */
  async seal(): Promise<void> {
    await this.#file.seal();
  }

  /** The key whose place stands in `record` at `at`; null if that document cannot be addressed. */
  async readKey(record: Buffer, at: number): Promise<Uint8Array | null> {
    const length = record.readUInt16BE(at + 6);
    return length === 0 ? null : await this.#file.read(record.readUIntBE(at, 6), length);
  }

  /** The document beside that key; null if none was kept. */
  async readDocument(record: Buffer, at: number): Promise<Buffer | null> {
    const keyLength = record.readUInt16BE(at + 6);
    if (keyLength === 0) return null;
    const offset = record.readUIntBE(at, 6) + keyLength;
    const length = (await this.#file.read(offset, LENGTH_BYTES)).readUInt32BE();
    return length === 0 ? null : await this.#file.read(offset + LENGTH_BYTES, length);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
