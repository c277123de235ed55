import type { Clock } from '../../kernel/clock.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch } from '../../model/document.ts';
import { type Collected, type Collector, freshOnes } from './collector.ts';
import { type Ending, unproved } from './finding.ts';
import { CHASED, MovingEnd } from './moving-end.ts';
import { BEYOND_EVERYTHING, type PageReader } from './page-reader.ts';
import { SeenKeys } from './seen-keys.ts';

export const PASSES_MAX = 12;
/** Shares of the page size, one a pass: pages that break at other places lose other documents. */
const PAGE_SHARES = [1, 0.61, 0.83, 0.37, 0.94, 0.53, 0.71];
/** Each pass begins with a page of another length, as a share of its page size, so that no pass repeats another. */
const FIRST_PAGE_SHIFT = 0.618;
const COUNT_PROBES_MAX = 64;

export interface PassesOptions {
  readonly clock: Clock;
  readonly scratch: Scratch;
  /** After so long no more passes are read. */
  readonly passesMax: number;
  readonly timeBudgetMs: number;
  /** Server-given keys never return, which is what the proof stands on; without them passes prove nothing. */
  readonly provable: boolean;
}

/**
 * Way 3 (design.md §6): reads the whole collection repeatedly by offset, in whatever order it comes, and counts.
 *
 * Proved when N keys were received both before and after an answer that was empty at offset N: at that moment at most N
 * documents existed, and these N did. That passes agree proves nothing: a real server gave the same incomplete list
 * three times.
 */
export async function* scanByCountedPasses(
  collector: Collector,
  { clock, scratch, passesMax, timeBudgetMs, provable }: PassesOptions,
): AsyncGenerator<DocumentBatch, Ending> {
  const { reader } = collector;
  const deadline = clock.monotonic() + timeBudgetMs;
  const end = new MovingEnd(reader);
  let count = null as Count | null; // changed by the functions below, which the type checker does not see

  const isProved = (): boolean => count?.isProved === true;
  const recount = async (documents: number | null): Promise<void> => {
    // while nothing changes, what several passes confirm adds up
    if (count?.documents === documents && count.received === collector.count) return;
    await count?.close();
    count = documents === null ? null : new Count(documents, collector.count, scratch);
  };
  /** Reads a page, yields what it adds; the documents in it, and those that were stepped over. */
  async function* receive(limit: number, offset: number): AsyncGenerator<DocumentBatch, number> {
    const collected = await collector.read({ limit, offset });
    const documents = collected.page.spans.count;
    end.isShort(limit, documents);
    await count?.confirm(collected);
    const batch = freshOnes(collected);
    if (batch !== null) yield batch;
    return documents === 0 ? 0 : collected.skipped + documents;
  }
  try {
    for (let pass = 0; pass < passesMax && clock.monotonic() < deadline; pass++) {
      const known = collector.count;
      let offset = 0;
      const share = PAGE_SHARES[pass % PAGE_SHARES.length]!;
      let limit = reader.limit * share * (1 - ((pass * FIRST_PAGE_SHIFT) % 1));
      for (;;) {
        const received = yield* receive(Math.max(1, Math.floor(limit)), offset);
        if (isProved()) return { proved: true };
        if (received === 0) break;
        offset += received;
        limit = reader.limit * share;
        if (clock.monotonic() >= deadline) return unproved(`reading took more than ${timeBudgetMs / 1000} s`);
        if (await end.isChased({ offset }, received)) return unproved(CHASED);
      }
      if (!provable || reader.missing.size > 0) {
        if (pass > 0 && collector.count === known) break;
        continue;
      }
      // the answer that ended the pass was empty at this offset: one that counts, if so many have been received
      const isCounted = offset <= collector.count;
      if (isCounted) await recount(offset);
      if (isProved()) return { proved: true };
      // newest first is the likeliest order: what was inserted during the pass stands on page one
      yield* receive(reader.limit, 0);
      if (isProved()) return { proved: true };
      if (isCounted) continue;

      const documents = await countDocuments(reader, offset);
      if (documents === 0) return { proved: true };
      await recount(documents);
    }
  } finally {
    await count?.close();
  }
  return unproved(
    provable
      ? `${collector.count} documents were received, and their number could not be proved`
      : 'the server offers no order that can be relied on',
  );
}

/** An answer that was empty at offset `documents`, and the keys that were received before it and since. */
class Count {
  readonly documents: number;
  /** Keys received before. */
  readonly received: number;
  #confirmed = 0;
  readonly #since: SeenKeys;

  constructor(documents: number, received: number, scratch: Scratch) {
    this.documents = documents;
    this.received = received;
    this.#since = new SeenKeys(scratch);
  }

  get isProved(): boolean {
    return this.#confirmed >= this.documents;
  }

  async confirm({ identities, fresh }: Collected): Promise<void> {
    for (const [index, identity] of identities.entries()) {
      if ((await this.#since.add(identity)) && !fresh[index]) this.#confirmed++;
    }
  }

  close(): Promise<void> {
    return this.#since.close();
  }
}

/** N such that the answer at offset N was empty and that at N − 1 was not; null where writers kept it moving. */
async function countDocuments(reader: PageReader, guess: number): Promise<number | null> {
  let low = 0;
  let high = BEYOND_EVERYTHING;
  let at = guess;
  for (let probe = 0; probe < COUNT_PROBES_MAX && at < BEYOND_EVERYTHING; probe++) {
    if (await reader.holdsOneAt({ offset: at })) low = at + 1;
    else high = at;
    if (low === high) return high;
    // from the guess outwards, doubling, then between the two
    const step = 2 ** probe;
    if (high === BEYOND_EVERYTHING) at = low + step - 1;
    else if (low === 0) at = Math.max(0, high - step);
    else at = Math.floor((low + high) / 2);
  }
  return null;
}
