/**
 * A Bloom filter over SHA-256 hashes (latin1), or over pairs of them: says of each whether it may have been added. "No"
 * is certain; of a "yes" a share is wrong that grows with what was added: at 16 MiB 1 in 10⁴ at a million, 1 in 100 at
 * ten million.
 */
export class HashFilter {
  readonly #bits: Uint8Array;
  readonly #mask: number;

  /** @param logBits memory as a power of two, in bits; pages that are never touched cost nothing */
  constructor(logBits = 26) {
    this.#bits = new Uint8Array(2 ** (logBits - 3));
    this.#mask = 2 ** logBits - 1;
  }

  add(hash: string, other?: string): void {
    this.#set(this.#place(0, hash, other));
    this.#set(this.#place(4, hash, other));
  }

  mayHold(hash: string, other?: string): boolean {
    return this.#isSet(this.#place(0, hash, other)) && this.#isSet(this.#place(4, hash, other));
  }

  #set(bit: number): void {
    this.#bits[bit >>> 3]! |= 1 << (bit & 7);
  }

  #isSet(bit: number): boolean {
    return (this.#bits[bit >>> 3]! & (1 << (bit & 7))) !== 0;
  }

  #place(at: number, hash: string, other: string | undefined): number {
    const word = wordAt(hash, at);
    return (other === undefined ? word : word ^ Math.imul(wordAt(other, at), 0x9e3779b1)) & this.#mask;
  }
}

function wordAt(hash: string, at: number): number {
  return (
    (hash.charCodeAt(at) << 24) |
    (hash.charCodeAt(at + 1) << 16) |
    (hash.charCodeAt(at + 2) << 8) |
    hash.charCodeAt(at + 3)
  );
}
