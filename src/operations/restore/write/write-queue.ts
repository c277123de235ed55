import { BackupError, toBackupError } from '../../../kernel/errors.ts';
import type { CollectionPages } from '../../../sources/source.ts';

/** Writes under way at the same time; how many of them are sent at once is the client's affair. */
export const WRITES_IN_FLIGHT = 32;
/** Nobody has so many documents: asks whether the target answers, not for any of them. */
const OFFSET_BEHIND_THE_END = 1_000_000_000;

/**
 * Keeps many writes under way. While the target does not answer no more are sent: each would be one more in doubt. After
 * the first failure none is begun any more.
 */
export class WriteQueue {
  failure: BackupError | null = null;
  readonly #pages: CollectionPages;
  readonly #signal: AbortSignal | undefined;
  readonly #inFlight = new Set<Promise<void>>();
  #outage: Promise<void> | null = null;
  #onEnd = (): void => {};

  constructor(pages: CollectionPages, signal: AbortSignal | undefined) {
    this.#pages = pages;
    this.#signal = signal;
  }

  /** Resolves when there is room for another write; false if there is to be none. */
  async room(): Promise<boolean> {
    if (this.#inFlight.size >= WRITES_IN_FLIGHT) await this.#oneLess();
    await this.#outage;
    return this.failure === null;
  }

  /** Begins a write, which resolves with whether its answer was lost. Call after `room`. */
  begin(write: () => Promise<boolean>): void {
    const writing = this.#perform(write).finally(() => {
      this.#inFlight.delete(writing);
      this.#onEnd();
    });
    this.#inFlight.add(writing);
  }

  fail(thrown: unknown): void {
    this.failure ??= toBackupError(thrown);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  async #perform(write: () => Promise<boolean>): Promise<void> {
    try {
      if (await write()) await this.#answering();
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** Not Promise.race, which would leave a trace on each of the writes every time. */
  #oneLess(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnd = resolve;
    });
  }

  /** Resolves as soon as the target answers again, whatever it says; fails when patience ends. */
  #answering(): Promise<void> {
    this.#outage ??= this.#pages
      .page({ limit: 1, offset: OFFSET_BEHIND_THE_END }, this.#signal)
      .then(
        () => {},
        (thrown: unknown) => {
          if (!(thrown instanceof BackupError) || thrown.temporary) this.fail(thrown);
        },
      )
      .finally(() => {
        this.#outage = null;
      });
    return this.#outage;
  }
}
