/** A seeded stream of chance: the same seed gives the same throws, on every machine. */
export class Dice {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Different numbers give streams that have nothing to do with each other. */
  constructor(seed: number, stream = 0, index = 0) {
    this.#a = seed >>> 0;
    this.#b = stream >>> 0;
    this.#c = (index ^ 0x9e3779b9) >>> 0;
    for (let warmUp = 0; warmUp < 12; warmUp++) this.word();
  }

  /** 32 random bits (the generator sfc32). */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** In [0, 1). */
  fraction(): number {
    return this.word() / 2 ** 32;
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }

  chance(probability: number): boolean {
    return probability >= 1 || (probability > 0 && this.fraction() < probability);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  shuffle(items: number[], start: number, end: number): void {
    for (let last = end - 1; last > start; last--) {
      const other = start + this.below(last - start + 1);
      const item = items[last]!;
      items[last] = items[other]!;
      items[other] = item;
    }
  }

  /** A UUID of version 4. */
  uuid(): string {
    const hex = [this.word(), this.word(), this.word(), this.word()]
      .map((word) => word.toString(16).padStart(8, '0'))
      .join('');
    const variant = '89ab'[this.below(4)];
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}
