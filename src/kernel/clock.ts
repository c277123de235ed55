/** Time, as the outside world hands it in. Nothing else in the tool reads a clock or sets a timer. */
export interface Clock {
  /** Wall clock: milliseconds since 1970-01-01 UTC, with fractions down to a microsecond. May jump. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes backwards. For durations and deadlines only. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds of monotonic time; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
