/** Some names of object members that a scan looks out for, compared as bytes. */
export class MemberNames {
  readonly names: readonly string[];
  readonly #bytes: readonly Uint8Array[];
  /** Of the outlines that the names have, so that most other keys are told apart by one look. */
  readonly #outlines = new Uint8Array(256);

  constructor(names: readonly string[]) {
    this.names = names;
    this.#bytes = names.map((name) => new TextEncoder().encode(name));
    for (const name of this.#bytes) this.#outlines[outline(name, 0, name.length)] = 1;
  }

  get count(): number {
    return this.names.length;
  }

  /** Index of the name that stands in `bytes[start, end)`, a key without escapes; −1 if it is none of them. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if (this.#outlines[outline(bytes, start, end)] === 0) return -1;
    for (let index = 0; index < this.#bytes.length; index++) {
      if (isAt(this.#bytes[index]!, bytes, start, end)) return index;
    }
    return -1;
  }
}

function isAt(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false;
  return true;
}

/** A number below 256 made of length, first and last byte. */
function outline(bytes: Uint8Array, start: number, end: number): number {
  return end === start ? 0 : (31 * (end - start) + bytes[start]! + 7 * bytes[end - 1]!) & 0xff;
}
