/** Up to 16 names of object members that a scan looks out for, compared as bytes. */
export class MemberNames {
  readonly names: readonly string[];
  readonly #bytes: readonly Uint8Array[];
  readonly #lengthMax: number;

  constructor(names: readonly string[]) {
    this.names = names;
    this.#bytes = names.map((name) => new TextEncoder().encode(name));
    this.#lengthMax = Math.max(...this.#bytes.map((name) => name.length));
  }

  get count(): number {
    return this.names.length;
  }

  /** Index of the name that stands in `bytes[start, end)`, a key without escapes; −1 if it is none of them. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > this.#lengthMax) return -1;
    search: for (let index = 0; index < this.#bytes.length; index++) {
      const name = this.#bytes[index]!;
      if (name.length !== length) continue;
      for (let at = 0; at < length; at++) if (name[at] !== bytes[start + at]) continue search;
      return index;
    }
    return -1;
  }
}
