import type { BodyReceiver } from './message.ts';
import { MultipartMalformed, MultipartReader, type PartHead, type PartSink } from './multipart.ts';
import type { ArrivingObject, Objects } from './objects.ts';

/** Longest value of a field that is not a file. */
const FIELD_BYTES_MAX = 64 * 1024;

/** A form with a file, which goes to the storage while it arrives. */
export class Upload implements BodyReceiver {
  readonly fields = new Map<string, string>();
  /** Null until the part `file` has begun. */
  file: { readonly head: PartHead; readonly object: ArrivingObject } | null = null;
  /** What is wrong with the form; null if nothing is. */
  trouble: string | null = null;
  readonly #objects: Objects;
  readonly #reader: MultipartReader;
  readonly #receive: () => ArrivingObject;
  #isKept = false;

  constructor(objects: Objects, boundary: string, receive: () => ArrivingObject) {
    this.#objects = objects;
    this.#receive = receive;
    this.#reader = new MultipartReader(boundary, (head) => this.#open(head));
  }

  write(piece: Uint8Array): void {
    if (this.trouble === null) this.#attempt(() => this.#reader.write(piece));
  }

  /** Called when the body is whole. */
  finish(): void {
    if (this.trouble === null) this.#attempt(() => this.#reader.finish());
  }

  keep(): void {
    this.#isKept = true;
  }

  discard(): void {
    if (this.file !== null && !this.#isKept) this.#objects.remove(this.file.object);
    this.file = null;
  }

  #open(head: PartHead): PartSink {
    if (head.name === 'file' && this.file === null) {
      const object = this.#receive();
      this.file = { head, object };
      return object;
    }
    const parts: Buffer[] = [];
    let length = 0;
    return {
      write: (bytes) => {
        length += bytes.length;
        if (length > FIELD_BYTES_MAX) throw new MultipartMalformed(`the field ${head.name} is too long`);
        parts.push(Buffer.from(bytes));
      },
      end: () => this.fields.set(head.name, Buffer.concat(parts).toString('utf8')),
    };
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof MultipartMalformed)) throw error;
      this.trouble = error.message;
    }
  }
}
