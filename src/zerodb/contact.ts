import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';

/** A server that has never answered is probably the wrong address: so many attempts, none begun later than this. */
const FIRST_ATTEMPTS_MAX = 3;
const FIRST_MS_MAX = 5000;
/** Longest silence of a server that has not answered yet; one that has is given the configured time. */
const FIRST_TIMEOUT_MS = 30_000;

/** How long a server that has answered may be gone: a restart, a deployment, a cable. */
const OUTAGE_MS_MAX = 120_000;
/** While it is gone it is asked this often at least. */
const OUTAGE_PAUSE_MS_MAX = 5000;
const TOLD_EVERY_MS = 10_000;

/** One attempt that ended without an answer. */
export interface FailedAttempt {
  readonly host: string;
  /** What happened, in plain words. */
  readonly words: string;
  readonly startedAt: number;
  /** Which attempt of its request this was; the first is 1. */
  readonly number: number;
  /** Whether the server may have got the request: then the attempts at it are counted, and may end sooner. */
  readonly mayHaveArrived: boolean;
}

/**
 * Whether a server is there, as all requests to it together have found out. Patience with one that is gone is counted
 * for all of them at once: when it has ended, every further request is tried a single time.
 */
export class Contact {
  readonly #clock: Clock;
  readonly #log: Log;
  #hasAnswered = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** When the first attempt began that failed since the last answer, or when that came. */
  #goneSince: number | null = null;
  #tellAt = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** The silence that is tolerated at present, where `configuredMs` is wanted. */
  timeoutMs(configuredMs: number): number {
    return this.#hasAnswered ? configuredMs : Math.min(configuredMs, FIRST_TIMEOUT_MS);
  }

  /** Any answer counts, whatever it says. */
  answered(host: string): void {
    if (this.#goneSince !== null && this.#hasAnswered) {
      this.#log.write('warn', `${host} answers again, after ${seconds(this.#goneForMs)}`);
    }
    this.#hasAnswered = true;
    this.#answeredAt = this.#clock.monotonic();
    this.#goneSince = null;
  }

  /** Notes a failure; true if nothing should be tried any more. */
  failed({ host, words, startedAt, number, mayHaveArrived }: FailedAttempt): boolean {
    if (this.#goneSince === null) {
      // others may have been answered while this one waited
      this.#goneSince = Math.max(startedAt, this.#answeredAt);
      this.#tellAt = 0;
    }
    const goneMs = this.#goneForMs;
    if (!this.#hasAnswered) {
      if (number >= FIRST_ATTEMPTS_MAX || goneMs > FIRST_MS_MAX) return true;
      this.#log.write('warn', `${host} does not answer (${words}): trying again`);
      return false;
    }
    const wasGivenUp = startedAt - this.#goneSince > OUTAGE_MS_MAX;
    if (goneMs > OUTAGE_MS_MAX && (number > 1 || wasGivenUp)) return true;
    const now = this.#clock.monotonic();
    if (now >= this.#tellAt) {
      this.#tellAt = now + TOLD_EVERY_MS;
      const leftMs = Math.max(0, OUTAGE_MS_MAX - goneMs);
      const howLong = mayHaveArrived ? '' : ` for another ${seconds(leftMs)}`;
      this.#log.write('warn', `${host} does not answer (${words}): trying again${howLong}`);
    }
    return false;
  }

  /** The pause before the next attempt: short enough to notice soon that an outage is over. */
  pauseMs(usualMs: number): number {
    return Math.min(usualMs, OUTAGE_PAUSE_MS_MAX);
  }

  get #goneForMs(): number {
    return this.#goneSince === null ? 0 : this.#clock.monotonic() - this.#goneSince;
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
