/** Where documents and some of their members stand in a buffer; ends are exclusive. */
export class DocumentSpans {
  readonly #stride: number;
  /** Zero behind the last document. */
  #values: Uint32Array;
  #count = 0;

  constructor(memberCount: number) {
    this.#stride = 2 + 2 * memberCount;
    this.#values = new Uint32Array(4 * this.#stride);
  }

  get count(): number {
    return this.#count;
  }
  start(index: number): number {
    return this.#values[index * this.#stride]!;
  }
  end(index: number): number {
    return this.#values[index * this.#stride + 1]!;
  }
  memberStart(index: number, member: number): number {
    return this.#values[index * this.#stride + 2 + 2 * member]!;
  }
  /** 0 if the document has no such member, or is not an object. */
  memberEnd(index: number, member: number): number {
    return this.#values[index * this.#stride + 3 + 2 * member]!;
  }
  hasMember(index: number, member: number): boolean {
    return this.memberEnd(index, member) !== 0;
  }

  /** Forgets the documents for which `keep` is false; the others close up. Called with each index in ascending order. */
  retain(keep: (index: number) => boolean): void {
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      if (!keep(index)) continue;
      const from = index * this.#stride;
      if (kept !== index) this.#values.copyWithin(kept * this.#stride, from, from + this.#stride);
      kept++;
    }
    this.#values.fill(0, kept * this.#stride, this.#count * this.#stride);
    this.#count = kept;
  }

  /** The scanner's own: forgets all documents, the one that is being read included. */
  clear(): void {
    this.#values.fill(0, 0, (this.#count + 1) * this.#stride);
    this.#count = 0;
  }

  /** The scanner's own: a member of the document that is being read. */
  setMember(member: number, start: number, end: number): void {
    const base = this.#count * this.#stride + 2 + 2 * member;
    this.#values[base] = start;
    this.#values[base + 1] = end;
  }
  /** The scanner's own: the document that is being read ends, the next one begins without members. */
  add(start: number, end: number): void {
    const base = this.#count * this.#stride;
    this.#values[base] = start;
    this.#values[base + 1] = end;
    this.#count++;
    if (base + 2 * this.#stride > this.#values.length) {
      const wider = new Uint32Array(4 * this.#values.length);
      wider.set(this.#values);
      this.#values = wider;
    }
  }
}
