import type { Clock } from '../kernel/clock.ts';

export interface PaceLimits {
  /** Most requests in flight. */
  readonly concurrency: number;
  /** Most requests in a minute; null for no limit but the server's. */
  readonly perMinute: number | null;
}

/** What became of a request, as far as the pace is concerned. */
export type TurnOutcome =
  | 'accepted'
  /** Temporary failure of the server or the network. */
  | 'failed'
  /** The server asks for fewer requests: nobody sends before `waitMs` have passed. */
  | { readonly waitMs: number }
  | 'abandoned';

export interface Turn {
  /** Must be called exactly once. */
  end(outcome: TurnOutcome): void;
}

interface Period {
  readonly start: number;
  accepted: number;
}

const CONCURRENCY_AT_START = 4;
/** After an answer that asks for fewer requests, this part of the rate that was reached is used. */
const RATE_KEPT = 0.8;
/** By so much the rate grows again in a minute. */
const RATE_GROWTH_PER_MINUTE = 0.05;
const MINUTE_MS = 60_000;

/**
 * How fast requests may follow each other (design.md §6, Rate). Assumes nothing about the server at first: some
 * requests in flight, more while all goes well, half after a failure; no rate until the server sets one by
 * answering 429, then 0.8 × what it had accepted over the time until it takes requests again.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;

  #concurrency: number;
  #inFlight = 0;
  #acceptedSinceGrowth = 0;
  readonly #waiting: (() => void)[] = [];

  /** Least time between the starts of two requests; 0 while no rate is known. */
  #intervalMs: number;
  #nextStart = 0;
  #rateChangedAt = 0;

  /** Number of slow-downs so far: what began before the last one says nothing about the new pace. */
  #epoch = 0;
  /**
   * What was accepted in the last minute or two, pauses included: less than a minute would mistake a few requests that fell
   * between two pauses for the rate of the server.
   */
  #before: Period | null = null;
  #period: Period | null = null;
  #acceptedAt = 0;
  /** While not null, a pause ends (or ended) then and no later request was accepted yet. */
  #pausedUntil: number | null = null;

  constructor(clock: Clock, limits: PaceLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#concurrency = Math.min(CONCURRENCY_AT_START, limits.concurrency);
    this.#intervalMs = this.#intervalMsMin;
  }

  /** Requests in a minute that are allowed at present; null for any number. */
  get perMinute(): number | null {
    return this.#intervalMs === 0 ? null : MINUTE_MS / this.#intervalMs;
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  /** Resolves when one more request may start. */
  async turn(signal?: AbortSignal): Promise<Turn> {
    await this.#place(signal);
    try {
      await this.#start(signal);
    } catch (error) {
      this.#leave();
      throw error;
    }
    const epoch = this.#epoch;
    this.#period ??= { start: this.#clock.monotonic(), accepted: 0 };
    return {
      end: (outcome) => {
        if (outcome === 'accepted') this.#accept(epoch);
        else if (outcome === 'failed') this.#slowDown(epoch);
        else if (outcome !== 'abandoned') this.#pause(epoch, outcome.waitMs);
        this.#leave();
      },
    };
  }

  get #intervalMsMin(): number {
    return this.#limits.perMinute === null ? 0 : MINUTE_MS / this.#limits.perMinute;
  }

  async #place(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#inFlight >= this.#concurrency) {
      await new Promise<void>((resolve, reject) => {
        const enter = () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        };
        const giveUp = () => {
          this.#waiting.splice(this.#waiting.indexOf(enter), 1);
          reject(signal!.reason);
        };
        signal?.addEventListener('abort', giveUp, { once: true });
        this.#waiting.push(enter);
      });
    } else {
      this.#inFlight++;
    }
  }

  /** Hands the place on to whoever waits longest, and opens further ones where the pace has grown. */
  #leave(): void {
    this.#inFlight--;
    while (this.#inFlight < this.#concurrency && this.#waiting.length > 0) {
      this.#inFlight++;
      this.#waiting.shift()!();
    }
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const now = this.#clock.monotonic();
      if (now >= this.#nextStart) {
        this.#nextStart = now + this.#intervalMs;
        return;
      }
      await this.#clock.sleep(this.#nextStart - now, signal);
    }
  }

  #accept(epoch: number): void {
    const now = this.#clock.monotonic();
    this.#count(now);
    if (epoch === this.#epoch) this.#pausedUntil = null;
    if (this.#intervalMs > this.#intervalMsMin) {
      const growth = 1 + (RATE_GROWTH_PER_MINUTE * (now - this.#rateChangedAt)) / MINUTE_MS;
      this.#intervalMs = Math.max(this.#intervalMsMin, this.#intervalMs / growth);
      this.#rateChangedAt = now;
    }
    const atLimit = this.#inFlight >= this.#concurrency;
    if (atLimit && epoch === this.#epoch && ++this.#acceptedSinceGrowth >= this.#concurrency) {
      this.#acceptedSinceGrowth = 0;
      this.#concurrency = Math.min(this.#concurrency + 1, this.#limits.concurrency);
    }
  }

  #count(now: number): void {
    const wasIdle = this.#pausedUntil === null && now - this.#acceptedAt > MINUTE_MS;
    if (wasIdle || now - this.#period!.start >= MINUTE_MS) {
      this.#before = wasIdle ? null : this.#period;
      this.#period = { start: now, accepted: 0 };
    }
    this.#period!.accepted++;
    this.#acceptedAt = now;
  }

  /** Many requests that fail together slow down once, not each. */
  #slowDown(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#epoch++;
    this.#acceptedSinceGrowth = 0;
    this.#concurrency = Math.max(1, Math.floor(this.#concurrency / 2));
  }

  #pause(epoch: number, waitMs: number): void {
    // a request that was only to try whether the pause is over says nothing of the rate
    const isTooFast = epoch === this.#epoch && this.#pausedUntil === null;
    this.#slowDown(epoch);
    const now = this.#clock.monotonic();
    const until = Math.max(now + waitMs, this.#pausedUntil ?? 0);
    const accepted = (this.#before?.accepted ?? 0) + this.#period!.accepted;
    if (accepted > 0) {
      const reached = accepted / Math.max(1, until - (this.#before ?? this.#period!).start);
      const intervalMs = isTooFast ? this.#intervalMs / RATE_KEPT : this.#intervalMs;
      this.#intervalMs = Math.max(intervalMs, 1 / (RATE_KEPT * reached));
      this.#rateChangedAt = until;
    }
    this.#pausedUntil = until;
    this.#nextStart = Math.max(this.#nextStart, until);
  }
}
