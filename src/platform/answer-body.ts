/** Collects the body of an answer into one buffer, in place where its length was announced. */
export class AnswerBody {
  tooLarge: boolean;
  readonly #bytesMax: number;
  /** Null where the length was not announced. */
  readonly #announced: Buffer | null;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  /** @param contentLength the header's value, if there was one */
  constructor(contentLength: string | undefined, bytesMax: number) {
    this.#bytesMax = bytesMax;
    const length = contentLength !== undefined && /^\d+$/.test(contentLength) ? Number(contentLength) : null;
    this.tooLarge = length !== null && length > bytesMax;
    this.#announced = length === null || this.tooLarge ? null : Buffer.allocUnsafeSlow(length);
  }

  add(chunk: Uint8Array): void {
    const end = this.#length + chunk.length;
    if (end > (this.#announced?.length ?? this.#bytesMax)) {
      this.tooLarge = true;
      return;
    }
    if (this.#announced === null) this.#chunks.push(chunk);
    else this.#announced.set(chunk, this.#length);
    this.#length = end;
  }

  /** Null if less came than was announced. */
  whole(): Uint8Array | null {
    if (this.#announced === null) return Buffer.concat(this.#chunks, this.#length);
    return this.#length === this.#announced.length ? this.#announced : null;
  }
}
