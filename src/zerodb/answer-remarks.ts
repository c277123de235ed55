import type { Clock } from '../kernel/clock.ts';
import type { HttpHead } from '../kernel/http.ts';
import { clockSkew, SKEW_CURE, SKEW_MS_MAX } from '../model/clock-skew.ts';
import type { SourceRemark } from '../sources/source.ts';

/**
 * What the heads of a server's answers tell beside their status: how its clock stands to ours, and whether answers came
 * out of a cache though we ask for none. One that is older by its `Date` than an earlier one is such an answer too.
 */
export class AnswerRemarks {
  readonly #clock: Clock;
  /** The server's `Date` that is furthest ahead of our monotonic clock, and ours when it came: a cache only makes it older. */
  #newest: { readonly aheadMs: number; readonly theirs: number; readonly ours: number } | null = null;
  #cachedForMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note({ status, headers }: HttpHead): void {
    if (status < 200 || status > 299) return;
    const age = headers.age?.trim() ?? '';
    if (/^\d{1,9}$/.test(age)) this.#cachedForMs = Math.max(this.#cachedForMs, 1000 * Number(age));
    const theirs = Date.parse(headers.date ?? '');
    if (Number.isNaN(theirs)) return;
    const aheadMs = theirs - this.#clock.monotonic();
    const behindMs = (this.#newest?.aheadMs ?? aheadMs) - aheadMs;
    if (behindMs > SKEW_MS_MAX) this.#cachedForMs = Math.max(this.#cachedForMs, behindMs);
    if (this.#newest === null || behindMs < 0) this.#newest = { aheadMs, theirs, ours: this.#clock.now() };
  }

  list(): readonly SourceRemark[] {
    const remarks: SourceRemark[] = [];
    const skew = this.#newest === null ? null : clockSkew(this.#newest.ours, this.#newest.theirs);
    if (skew !== null) remarks.push({ code: 'CLOCK_SKEW', message: `${skew}. ${SKEW_CURE}` });
    if (this.#cachedForMs > 0) {
      const seconds = Math.round(this.#cachedForMs / 1000);
      remarks.push({
        code: 'ANSWERS_CACHED',
        message: `answers came out of a cache, up to ${seconds} s old, though none may be used: what changed since is not in this backup. Ask whoever runs the server, or what stands in front of it, not to cache the API.`,
      });
    }
    return remarks;
  }
}
