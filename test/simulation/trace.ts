const KEPT = 60;

/** The last steps of a run, and a number that stands for all of them: equal runs have equal numbers. */
export class Trace {
  readonly last: string[] = [];
  #sum = 0x811c9dc5;

  add(line: string): void {
    this.last.push(line);
    if (this.last.length > KEPT) this.last.shift();
    // FNV-1a, 32 bits
    for (let at = 0; at < line.length; at++) {
      this.#sum = Math.imul(this.#sum ^ line.charCodeAt(at), 0x01000193);
    }
  }

  get sum(): number {
    return this.#sum >>> 0;
  }
}
