import type { Dice } from './dice.ts';
import { errorAnswer, jsonAnswer, type SandboxRequest, type SandboxResponse } from './message.ts';
import type { Fault, RateLimit, RetryAfter } from './misbehaviour.ts';

const GATEWAY_PAGE =
  '<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>';

/** Decides which request meets which fault, and what it gets instead of, or around, its answer. */
export class Faults {
  readonly #dice: Dice;
  readonly #now: () => number;
  readonly #met = new WeakMap<Fault, number>();
  /** Times of the requests that were let through within the rate limit's span. */
  #passed: number[] = [];

  constructor(dice: Dice, now: () => number) {
    this.#dice = dice;
    this.#now = now;
  }

  /** The answer of a request that may meet a fault; `answer` is called only if it gets to do its work. */
  apply(request: SandboxRequest, faults: readonly Fault[], answer: () => SandboxResponse): SandboxResponse {
    const fault = this.#pick(request, faults);
    return fault === null ? answer() : this.#spoiled(fault, request, answer);
  }

  #pick(request: SandboxRequest, faults: readonly Fault[]): Fault | null {
    for (const fault of faults) {
      const met = this.#met.get(fault) ?? 0;
      if (met >= (fault.times ?? Number.POSITIVE_INFINITY)) continue;
      if (fault.on !== undefined && !fault.on.test(`${request.method} ${request.path}`)) continue;
      if (!this.#dice.chance(fault.rate ?? 1)) continue;
      this.#met.set(fault, met + 1);
      return fault;
    }
    return null;
  }

  /** The 429 of a request that comes too early; null for one that may pass. */
  overLimit({ requests, seconds = 60, retryAfter = 'seconds' }: RateLimit): SandboxResponse | null {
    const now = this.#now();
    this.#passed = this.#passed.filter((time) => time > now - 1000 * seconds);
    if (this.#passed.length < requests) {
      this.#passed.push(now);
      return null;
    }
    const waitMs = (this.#passed[0] ?? now) + 1000 * seconds - now;
    return this.#tooMany(retryAfter, Math.ceil(waitMs / 1000));
  }

  #spoiled(fault: Fault, request: SandboxRequest, answer: () => SandboxResponse): SandboxResponse {
    switch (fault.kind) {
      case 'error':
        if (fault.afterEffect) answer();
        return errorPage(fault.status ?? 503, fault.body ?? 'json');
      case 'lost':
        return { ...(fault.afterEffect ? answer() : errorPage(503, 'empty')), delivery: { fate: 'lost' } };
      case 'too-many':
        return this.#tooMany(fault.retryAfter ?? 'seconds', fault.seconds ?? 1);
      case 'redirect': {
        const query = request.query.size > 0 ? `?${request.query.toString()}` : '';
        return { ...errorPage(307, 'empty'), headers: { location: `${fault.to}${request.path}${query}` } };
      }
      case 'cut':
        return { ...answer(), delivery: { fate: `cut-${fault.framing}` } };
      case 'stall':
        break;
    }
    return { ...answer(), delivery: { fate: `stall-${fault.where}`, stallMs: fault.ms } };
  }

  #tooMany(retryAfter: RetryAfter, seconds: number): SandboxResponse {
    const answer = errorAnswer(429, 'Rate limit exceeded', 'RATE_LIMIT_EXCEEDED');
    if (retryAfter === 'missing') return answer;
    const text =
      retryAfter === 'seconds'
        ? String(seconds)
        : retryAfter === 'date'
          ? new Date(this.#now() + 1000 * seconds).toUTCString()
          : retryAfter.verbatim;
    return { ...answer, headers: { ...answer.headers, 'retry-after': text } };
  }
}

function errorPage(status: number, body: 'json' | 'html' | 'empty'): SandboxResponse {
  if (body === 'json') return errorAnswer(status, 'The service is having a bad day');
  if (body === 'empty') return { status, headers: {}, body: new Uint8Array(0) };
  return { ...jsonAnswer(status, GATEWAY_PAGE), headers: { 'content-type': 'text/html; charset=utf-8' } };
}
