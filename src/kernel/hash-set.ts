const FIRST_SLOTS = 1024;
/** Beyond this share of used slots searches get long. */
const LOAD_MAX = 0.7;

/**
 * A set of hashes (latin1, evenly spread), by their first bytes: eight of them where it must be right, or, in half the
 * memory, what place and four bytes tell, which takes some 1 in 10⁹ hashes for one that was added. "No" is always right.
 */
export class HashSet {
  size = 0;
  readonly #exact: boolean;
  /** Open addressing, linear probing; a slot that holds zero in `#low` is free. */
  #low: Uint32Array;
  /** The four bytes that also choose the place; only where exact. */
  #high: Uint32Array;
  #mask: number;

  /** @param expected how many there will be, if that is known: a set that is not exact cannot grow */
  constructor(exact: boolean, expected = 0) {
    let slots = FIRST_SLOTS;
    while (slots * LOAD_MAX < expected) slots *= 2;
    this.#exact = exact;
    this.#mask = slots - 1;
    this.#low = new Uint32Array(slots);
    this.#high = new Uint32Array(exact ? slots : 0);
  }

  add(hash: string): void {
    if ((this.size + 1) / this.#low.length > LOAD_MAX) this.#grow();
    this.#put(wordAt(hash, 0), wordAt(hash, 4) || 1);
  }

  has(hash: string): boolean {
    const high = wordAt(hash, 0);
    const low = wordAt(hash, 4) || 1;
    for (let slot = high & this.#mask; this.#low[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#low[slot] === low && (!this.#exact || this.#high[slot] === high)) return true;
    }
    return false;
  }

  #put(high: number, low: number): void {
    let slot = high & this.#mask;
    for (; this.#low[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#low[slot] === low && (!this.#exact || this.#high[slot] === high)) return;
    }
    this.#low[slot] = low;
    if (this.#exact) this.#high[slot] = high;
    this.size++;
  }

  #grow(): void {
    if (!this.#exact) throw new Error('a set that knows no whole hashes holds more than was expected');
    const [low, high] = [this.#low, this.#high];
    this.#mask = 2 * low.length - 1;
    this.#low = new Uint32Array(2 * low.length);
    this.#high = new Uint32Array(2 * low.length);
    this.size = 0;
    for (let slot = 0; slot < low.length; slot++) if (low[slot] !== 0) this.#put(high[slot]!, low[slot]!);
  }
}

function wordAt(hash: string, at: number): number {
  return (
    ((hash.charCodeAt(at) << 24) |
      (hash.charCodeAt(at + 1) << 16) |
      (hash.charCodeAt(at + 2) << 8) |
      hash.charCodeAt(at + 3)) >>>
    0
  );
}
