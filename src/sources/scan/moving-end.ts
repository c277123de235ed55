import type { PageQuery } from '../source.ts';
import type { PageReader } from './page-reader.ts';

/** Answers in a row, each shorter than others before it, after which the end is looked for. */
const SHORT_ANSWERS_MAX = 30;

/** What such a scan ends with. */
export const CHASED = 'documents come faster than they can be read';

/** Notices where a scan runs after an end that moves away with every request, because documents keep coming there. */
export class MovingEnd {
  readonly #reader: PageReader;
  /** Longest answer to each limit. */
  readonly #longest = new Map<number, number>();
  #shortInARow = 0;

  constructor(reader: PageReader) {
    this.#reader = reader;
  }

  /** Whether an answer is shorter than another to the same limit was. */
  isShort(limit: number, count: number): boolean {
    const longest = this.#longest.get(limit) ?? 0;
    if (count >= longest) {
      this.#longest.set(limit, count);
      this.#shortInARow = 0;
      return false;
    }
    this.#shortInARow++;
    return true;
  }

  /** Whether short answers go on and on although nothing lies a whole answer behind the last one. */
  async isChased({ limit, offset, sort }: PageQuery): Promise<boolean> {
    if (this.#shortInARow < SHORT_ANSWERS_MAX) return false;
    this.#shortInARow = 0;
    const beyond = { offset: offset + 2 * (this.#longest.get(limit) ?? 1), ...(sort && { sort }) };
    return !(await this.#reader.holdsOneAt(beyond));
  }
}
