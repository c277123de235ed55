import type { PageQuery } from '../source.ts';
import type { PageReader } from './page-reader.ts';

/** Answers in a row, each shorter than others before it, after which the end is looked for, and again after as many more. */
const SHORT_ANSWERS_MAX = 30;

/** What such a scan ends with. */
export const CHASED = 'documents come faster than they can be read';

/** Notices where a scan runs after an end that moves away with every request, because documents keep coming there. */
export class MovingEnd {
  readonly #reader: PageReader;
  /** Longest answer to each limit. */
  readonly #longest = new Map<number, number>();
  #shortInARow = 0;
  /** Where nothing was when it was last looked for an end at hand. */
  #empty: Pick<PageQuery, 'offset' | 'sort'> | null = null;

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

  /**
   * Whether documents stand by now where nothing was when many short answers had come in a row.
   *
   * @param behind where the last answer ended, in the same order
   * @param count documents of that answer
   */
  async isChased(behind: Pick<PageQuery, 'offset' | 'sort'>, count: number): Promise<boolean> {
    if (this.#shortInARow < SHORT_ANSWERS_MAX) return false;
    this.#shortInARow = 0;
    if (this.#empty !== null && (await this.#reader.holdsOneAt(this.#empty))) return true;
    const ahead = { ...behind, offset: behind.offset + 2 * count };
    this.#empty = (await this.#reader.holdsOneAt(ahead)) ? null : ahead;
    return false;
  }
}
