import type { Clock } from '../../kernel/clock.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch } from '../../model/document.ts';
import { type Collector, onlyMarked } from './collector.ts';
import type { Finding } from './finding.ts';
import { assertShape, type PageReader } from './page-reader.ts';
import { SeenKeys } from './seen-keys.ts';

const PASSES_MAX = 12;
/** Shares of the page size, one a pass: pages that break at other places lose other documents. */
const PAGE_SHARES = [1, 0.61, 0.83, 0.37, 0.94, 0.53, 0.71];
const COUNT_PROBES_MAX = 64;

export interface PassesOptions {
  readonly clock: Clock;
  readonly scratch: Scratch;
  /** No new pass starts after so long. */
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
  reader: PageReader,
  collector: Collector,
  options: PassesOptions,
): AsyncGenerator<DocumentBatch, Finding> {
  const { clock } = options;
  const deadline = clock.monotonic() + options.timeBudgetMs;
  const missing = new Set<string>();
  /** Documents at the last count; null before the first. */
  let counted: number | null = null;
  let passesWithoutNews = 0;
  let pass = 0;

  while (pass < PASSES_MAX && clock.monotonic() < deadline) {
    const inThisPass = new SeenKeys(options.scratch);
    const known = collector.count;
    let again = 0;
    const receive = async function* (page: DocumentBatch): AsyncGenerator<DocumentBatch> {
      assertShape(page, collector.shape, reader.pages.collection);
      const fresh = await collector.newOnes(page);
      for (let index = 0; index < fresh.length; index++) {
        if ((await inThisPass.add(collector.keyHash(page, index))) && !fresh[index]) again++;
      }
      const batch = onlyMarked(page, fresh);
      if (batch !== null) yield batch;
    };
    try {
      let offset = 0;
      for (;;) {
        const limit = Math.max(1, Math.floor(reader.limit * PAGE_SHARES[pass % PAGE_SHARES.length]!));
        const page = await reader.readOrNarrow({ limit, offset });
        if ('unreadable' in page) {
          missing.add(`the document at position ${offset}: ${page.unreadable}`);
          offset++;
          continue;
        }
        if (page.spans.count === 0) break;
        await collector.assertOffsetHonoured(reader, page, offset);
        offset += page.spans.count;
        yield* receive(page);
        // as many keys as there were documents at the count, received before it and again now
        if (options.provable && counted !== null && again >= counted)
          return { proved: true, missing: [...missing] };
      }
      // newest first is the likeliest order: what was inserted during the pass stands on page one
      const first = await reader.readOrNarrow({ limit: reader.limit, offset: 0 });
      if (!('unreadable' in first)) yield* receive(first);
      if (options.provable && counted !== null && again >= counted)
        return { proved: true, missing: [...missing] };
      counted = await countDocuments(reader, offset);
      if (options.provable && counted === 0) return { proved: true, missing: [...missing] };
    } finally {
      await inThisPass.close();
    }
    pass++;
    passesWithoutNews = collector.count === known ? passesWithoutNews + 1 : 0;
    if (!options.provable && passesWithoutNews > 0) break;
  }
  const reason = options.provable
    ? `${pass} passes received ${collector.count} documents, and their number could not be proved`
    : 'the server offers no order that can be relied on';
  return { proved: false, reason, missing: [...missing] };
}

/** N such that the answer at offset N was empty and that at N − 1 was not; null where writers kept it moving. */
async function countDocuments(reader: PageReader, guess: number): Promise<number | null> {
  let count = guess;
  for (let probe = 0; probe < COUNT_PROBES_MAX; probe++) {
    const atCount = await reader.readOrNarrow({ limit: 1, offset: count });
    if ('unreadable' in atCount || atCount.spans.count > 0) {
      count++;
      continue;
    }
    if (count === 0) return 0;
    const before = await reader.readOrNarrow({ limit: 1, offset: count - 1 });
    if ('unreadable' in before || before.spans.count > 0) return count;
    count--;
  }
  return null;
}
