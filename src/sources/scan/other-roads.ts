import type { Clock } from '../../kernel/clock.ts';
import type { Codec } from '../../kernel/codec.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { DocumentBatch } from '../../model/document.ts';
import type { ChangeLog, LoggedChange, LogPage, LogQuery } from '../source.ts';
import { type Collector, freshOnes } from './collector.ts';
import { type Ending, unproved } from './finding.ts';
import { FoldedLog, type LogStart } from './folded-log.ts';
import { logicalIdText } from './logical-id.ts';
import { instantOf } from './order.ts';

const LOG_LIMIT_MAX = 1000;
/** For a look at what came last. */
const HEAD_LIMIT = 100;
/** More than this at one time may not all be shown. */
const CROWD_MIN = 100;
/** Answers of the log are kept near this size. */
const LOG_BYTES_AIM = 8 << 20;
/** Pages are quicker than asking for single documents: they overlap from the first round on. */
const PAGE_STEP = 1 / 4;
/** In each round pages overlap twice as often as in the one before. */
const ROUNDS_MAX = 7;
/** Looks for a moment in which nobody writes. */
const STILL_ATTEMPTS_MAX = 12;
/** Documents that the log names and that were not found, to be looked for again. */
const PENDING_MAX = 10_000;
/** Larger payloads are not sent as filters. */
const FILTER_BYTES_MAX = 64 * 1024;
const MATCHES_MAX = 1000;

export interface RoadsOptions {
  readonly clock: Clock;
  readonly codec: Codec;
  readonly scratch: Scratch;
  readonly timeBudgetMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Way 4 (design.md §6, docs/adr/0005-change-log.md): rows of one time come in an order that depends on where a page
 * starts and ends, so pages are read at ever more places; the server's change log names documents too, which are asked
 * for by what they hold.
 *
 * Proved when the documents received, without those that the log says were deleted since, are as many as there are
 * (nothing at offset N, something at N − 1), every entry that came since the scan began was seen (by the log's own
 * count), and none came while that was counted: then all that were received are there, and no others can be.
 */
export class OtherRoads {
  readonly #collector: Collector;
  readonly #log: ChangeLog;
  readonly #start: LogStart;
  readonly #options: RoadsOptions;
  readonly #folded: FoldedLog;
  /** What the log says of documents that were looked for in vain, by identity. */
  readonly #pending = new Map<string, LoggedChange>();
  #limit = LOG_LIMIT_MAX;
  #total: number;

  constructor(collector: Collector, log: ChangeLog, start: LogStart, options: RoadsOptions) {
    this.#collector = collector;
    this.#log = log;
    this.#start = start;
    this.#options = options;
    this.#folded = new FoldedLog(options.codec, options.scratch, collector, start);
    this.#total = start.total;
  }

  async *scan(): AsyncGenerator<DocumentBatch, Ending> {
    const { clock, timeBudgetMs } = this.#options;
    const deadline = clock.monotonic() + timeBudgetMs;
    try {
      for (let round = 0; round < ROUNDS_MAX && clock.monotonic() < deadline; round++) {
        yield* this.#readPages(PAGE_STEP / 2 ** round);
        yield* this.#readLog(1 / 2 ** round);
        if (round < 2) yield* this.#readCrowds();
        yield* this.#lookUp([...this.#pending.values()]);
        if (yield* this.#isProved()) return { proved: true };
      }
    } finally {
      await this.#folded.close();
    }
    return unproved(
      'the number of documents could not be brought to agree with those received and the change log',
    );
  }

  async *#isProved(): AsyncGenerator<DocumentBatch, boolean> {
    for (let attempt = 0; attempt < STILL_ATTEMPTS_MAX; attempt++) {
      yield* this.#readLog(null);
      const total = this.#total;
      const { newEntries, receivedAndDeleted } = this.#folded;
      const isExact = await this.#isCount(this.#collector.count - receivedAndDeleted);
      const hasNews = yield* this.#readLog(null);
      if (!hasNews && this.#total === total) return isExact && newEntries === total - this.#start.total;
    }
    return false;
  }

  async #isCount(documents: number): Promise<boolean> {
    const { reader } = this.#collector;
    if (await reader.holdsOneAt({ offset: documents })) return false;
    return documents === 0 || (await reader.holdsOneAt({ offset: documents - 1 }));
  }

  /** @param step from the start of a page to that of the next, as a share of a page */
  async *#readPages(step: number): AsyncGenerator<DocumentBatch> {
    for (let offset = 0; ; ) {
      const { limit } = this.#collector.reader;
      const collected = await this.#collector.read({ limit, offset });
      const { count } = collected.page.spans;
      if (count === 0) return;
      const batch = freshOnes(collected);
      if (batch !== null) yield batch;
      offset += Math.max(1, Math.ceil(count * step));
    }
  }

  /**
   * Reads entries and yields the documents that they name and no page showed. Resolves with whether any was new.
   *
   * @param step as of `readPages`; null: only what came since
   */
  async *#readLog(step: number | null): AsyncGenerator<DocumentBatch, boolean> {
    let hasNews = false;
    for (let offset = 0; ; ) {
      const limit = step === null ? Math.min(HEAD_LIMIT, this.#limit) : this.#limit;
      const page = await this.#entries({ limit, offset });
      const { entries } = page;
      const newHere = yield* this.#take(page);
      hasNews ||= newHere > 0;
      if (entries.length === 0 || (step === null && newHere < entries.length)) return hasNews;
      offset += Math.max(1, Math.ceil(entries.length * (step ?? 1)));
      if (step !== null) {
        const fitting = Math.floor((LOG_BYTES_AIM * entries.length) / page.bytes);
        this.#limit = Math.max(1, Math.min(LOG_LIMIT_MAX, fitting));
      }
    }
  }

  /** The other ends of what came at one time: where pages count from the newest, these come first. */
  async *#readCrowds(): AsyncGenerator<DocumentBatch> {
    const crowds = [...this.#folded.times].filter(([, count]) => count > CROWD_MIN);
    for (const [time] of crowds) {
      const since = justBefore(time);
      if (since === null) continue;
      for (const end of [{}, { until: time }])
        yield* this.#take(await this.#entries({ limit: this.#limit, offset: 0, since, ...end }));
    }
  }

  /** Takes entries in, yields what they name and no page showed; resolves with how many were new. */
  async *#take({ entries, total }: LogPage): AsyncGenerator<DocumentBatch, number> {
    this.#total = total;
    const missing: LoggedChange[] = [];
    let newHere = 0;
    for (const entry of entries) {
      const found = await this.#folded.add(entry);
      if (found.isNew) newHere++;
      if (found.missing !== null) missing.push(found.missing);
    }
    yield* this.#lookUp(missing);
    return newHere;
  }

  /** Entries from an offset on, fewer where an answer with so many is too large. */
  async #entries(query: LogQuery): Promise<LogPage> {
    for (let asked = query.limit; ; asked >>= 1) {
      try {
        return await this.#log.entries({ ...query, limit: asked }, this.#options.signal);
      } catch (thrown) {
        const isTooLarge = thrown instanceof BackupError && thrown.code === 'SOURCE_TOO_LARGE';
        if (!isTooLarge || asked === 1) throw thrown;
        this.#limit = Math.max(1, this.#limit >> 1);
      }
    }
  }

  /** Asks for documents by what they hold: by their own ids, then by all of it. */
  async *#lookUp(missing: readonly LoggedChange[]): AsyncGenerator<DocumentBatch> {
    for (const change of missing) {
      const identity = this.#folded.identity(change);
      for (const matching of filtersOf(change)) {
        if (await this.#collector.has(identity)) break;
        const collected = await this.#collector.read({ limit: MATCHES_MAX, offset: 0, matching });
        const batch = freshOnes(collected);
        if (batch !== null) yield batch;
      }
      if (await this.#collector.has(identity)) this.#pending.delete(identity);
      else if (this.#pending.size < PENDING_MAX) this.#pending.set(identity, change);
    }
  }
}

/** JSON objects that only this document, or few others, can hold. */
function filtersOf({ payload }: LoggedChange): Uint8Array[] {
  if (payload === null || payload[0] !== 0x7b) return [];
  const id = logicalIdText(payload);
  const byId = id === null ? [] : [Buffer.concat([Buffer.from('{"id":'), id, Buffer.from('}')])];
  return payload.length > FILTER_BYTES_MAX ? byId : [...byId, payload];
}

/** A microsecond before a time, which is all that servers tell apart; null if it is no time. */
function justBefore(time: string): string | null {
  const instant = instantOf(Buffer.from(time));
  if (instant === null) return null;
  const microseconds =
    BigInt(instant.seconds) * 1_000_000n + BigInt(instant.fraction.slice(0, 6).padEnd(6, '0')) - 1n;
  const second = new Date(Number(microseconds / 1_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(microseconds % 1_000_000n).padStart(6, '0')}Z`;
}
