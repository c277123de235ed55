import { clipped } from './layout.ts';

/** What is needed of a terminal, or of whatever stands in its place. */
export interface Stream {
  write(text: string | Uint8Array): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Standard error: lines that stay, and below them, on a terminal, lines that are drawn again and again. */
export class Screen {
  readonly #stream: Stream;
  #drawnLines = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get rows(): number {
    return this.#stream.rows || 24;
  }

  /** Prints lines that stay; what was drawn is erased and comes back with the next `draw`. */
  print(text: string): void {
    this.#stream.write(`${this.#erasing()}${text}\n`);
  }

  /** Replaces what was drawn before. */
  draw(lines: readonly string[]): void {
    const width = (this.#stream.columns || 80) - 1;
    const erasing = this.#erasing();
    this.#stream.write(erasing + lines.map((line) => `${clipped(line, width)}\n`).join(''));
    this.#drawnLines = lines.length;
  }

  erase(): void {
    const erasing = this.#erasing();
    if (erasing !== '') this.#stream.write(erasing);
  }

  #erasing(): string {
    if (this.#drawnLines === 0) return '';
    const up = `\x1b[${this.#drawnLines}A\r\x1b[0J`;
    this.#drawnLines = 0;
    return up;
  }
}
