import { type Codec, hexOf } from '../kernel/codec.ts';

/**
 * Leaves and digests of document sets (design.md §5.3). A leaf is the first 16 bytes of
 * SHA-256(length of key as u32 big-endian ‖ key ‖ SHA-256 of the document); a digest is the sum of leaves modulo 2¹²⁸.
 * Hashes travel as latin1 strings, one character a byte: see kernel/codec.ts.
 */

export class LeafMaker {
  readonly #codec: Codec;
  #memory = Buffer.alloc(256);
  /** View of the memory, as long as the last input: most keys are as long as the one before. */
  #input = this.#memory.subarray(0, 0);

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** The first 16 characters of the result are the leaf. */
  leaf(key: Uint8Array, documentHash: string): string {
    const length = 4 + key.length + 32;
    if (length !== this.#input.length) {
      if (length > this.#memory.length) this.#memory = Buffer.alloc(2 * length);
      this.#input = this.#memory.subarray(0, length);
      this.#input.writeUInt32BE(key.length, 0);
    }
    const input = this.#input;
    input.set(key, 4);
    for (let at = 4 + key.length, index = 0; index < 32; index++) {
      input[at + index] = documentHash.charCodeAt(index);
    }
    return this.#codec.sha256(input);
  }
}

/** The key of a document that has no usable id: `sha256:` and the hex of its bytes' hash. */
export function keyOfUnkeyed(documentHash: string): Uint8Array {
  return Buffer.from(`sha256:${hexOf(documentHash)}`, 'latin1');
}

export class SetDigest {
  /** Four 32-bit limbs, least significant first, as doubles that may run over until `#carry` is called. */
  #limbs = [0, 0, 0, 0];
  #sinceCarry = 0;

  /** `leaf` may be longer than 16 characters; the rest is ignored. */
  add(leaf: string): void {
    for (let limb = 0; limb < 4; limb++) {
      const at = 12 - 4 * limb;
      this.#limbs[limb]! +=
        leaf.charCodeAt(at) * 0x1000000 +
        ((leaf.charCodeAt(at + 1) << 16) | (leaf.charCodeAt(at + 2) << 8) | leaf.charCodeAt(at + 3));
    }
    // a double holds 2²¹ sums of 32-bit numbers exactly
    if (++this.#sinceCarry === 1 << 20) this.#carry();
  }

  /** 32 lower-case hex digits. */
  hex(): string {
    this.#carry();
    return this.#limbs
      .toReversed()
      .map((limb) => limb.toString(16).padStart(8, '0'))
      .join('');
  }

  #carry(): void {
    this.#sinceCarry = 0;
    let carry = 0;
    for (let limb = 0; limb < 4; limb++) {
      const sum = this.#limbs[limb]! + carry;
      this.#limbs[limb] = sum % 0x100000000;
      carry = Math.floor(sum / 0x100000000);
    }
  }
}
