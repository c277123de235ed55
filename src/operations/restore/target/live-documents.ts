import { AppendedFile } from '../../../kernel/appended-file.ts';
import type { Scratch } from '../../../kernel/sorted-runs.ts';

const KEY_LENGTH_MAX = 0xffff;
const ADDRESS_LENGTH_BYTES = 2;
const LENGTH_BYTES = 4;
const NOTHING = Buffer.alloc(0);

/**
 * Documents of the target in a nameless temporary file: the key (JSON text) of each, what names it in a request (its
 * address) and, of those that may be written over, the document as it was received. One entry: key ‖ u16 length of the
 * address, 0 where it is the key ‖ address ‖ u32 length ‖ document.
 */
export class LiveDocuments {
  readonly #file: AppendedFile;

  constructor(scratch: Scratch) {
    this.#file = new AppendedFile(scratch);
  }

  /**
   * Keeps a key and what may be written over; `writePlace` later writes where they stand: u48 offset ‖ u16 length of the
   * key, length 0 where there is no usable one.
   *
   * @param address what names the document in a request; null: nothing does
   */
  async add(
    key: Uint8Array | null,
    address: Uint8Array | null = key,
    document: Uint8Array = NOTHING,
  ): Promise<(into: Buffer, at: number) => void> {
    if (key === null || address === null) return () => {};
    if (key.length > KEY_LENGTH_MAX || address.length > KEY_LENGTH_MAX) return () => {};
    const offset = this.#file.size;
    const other = Buffer.compare(address, key) === 0 ? NOTHING : address;
    const addressLength = Buffer.alloc(ADDRESS_LENGTH_BYTES);
    addressLength.writeUInt16BE(other.length);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(document.length);
    for (const part of [key, addressLength, other, length, document]) {
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

  /** The address beside that key. */
  async readAddress(record: Buffer, at: number): Promise<Uint8Array | null> {
    const keyLength = record.readUInt16BE(at + 6);
    if (keyLength === 0) return null;
    const { offset, length } = await this.#addressAt(record.readUIntBE(at, 6) + keyLength);
    return length === 0 ? await this.readKey(record, at) : await this.#file.read(offset, length);
  }

  /** The document beside that key; null if none was kept. */
  async readDocument(record: Buffer, at: number): Promise<Buffer | null> {
    const keyLength = record.readUInt16BE(at + 6);
    if (keyLength === 0) return null;
    const address = await this.#addressAt(record.readUIntBE(at, 6) + keyLength);
    const offset = address.offset + address.length;
    const length = (await this.#file.read(offset, LENGTH_BYTES)).readUInt32BE();
    return length === 0 ? null : await this.#file.read(offset + LENGTH_BYTES, length);
  }

  async #addressAt(offset: number): Promise<{ offset: number; length: number }> {
    const length = (await this.#file.read(offset, ADDRESS_LENGTH_BYTES)).readUInt16BE();
    return { offset: offset + ADDRESS_LENGTH_BYTES, length };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
