import type { Clock } from '../kernel/clock.ts';
import { BackupError } from '../kernel/errors.ts';
import { type Http, HttpFailure, type HttpRequest, type HttpResponse } from '../kernel/http.ts';
import type { Log } from '../kernel/log.ts';
import { printable, truncated } from '../kernel/printable.ts';
import type { Random } from '../kernel/random.ts';
import type { Redaction } from '../kernel/redaction.ts';
import { type Attempt, backoffMs, fraction, type Patience, withPatience } from '../kernel/retry.ts';
import type { AnswerRemarks } from './answer-remarks.ts';
import { messageOf } from './answers.ts';
import type { Contact } from './contact.ts';
import type { Pace, TurnOutcome } from './pace.ts';
import { isLasting, unanswered } from './unreachable.ts';

/** No server may keep us waiting longer, whatever it asks for. */
const RETRY_AFTER_MS_MAX = 120_000;

/** What a server asks for is exceeded by up to this part, so that not all who wait come back at once. */
const RETRY_AFTER_JITTER = 0.1;

export interface PatientHttpWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly redaction: Redaction;
}

/** A server, as all who send requests to it know it. */
export interface Server {
  readonly pace: Pace;
  readonly contact: Contact;
  readonly remarks: AnswerRemarks;
  /** What its base URL is configured by, for messages. */
  readonly urlName: string;
}

/**
 * Http that keeps to the server's pace and tries again after temporary failures. A 429 and a connection that did not
 * come about are always repeated, as the server did nothing; lost answers and 5xx only where the request is
 * `repeatable`. When patience ends it throws a temporary BackupError: SOURCE_RATE_LIMITED, SOURCE_UNREACHABLE
 * (the server has seen nothing of this request) or SOURCE_FAILED (it may have acted).
 *
 * `Patience` is for a server that answers; how long one is waited for that does not, `Contact` knows.
 *
 * For requests that are not repeatable a lost answer is an HttpFailure and a 5xx an answer, as in any Http.
 */
export class PatientHttp implements Http {
  readonly #http: Http;
  readonly #server: Server;
  readonly #patience: Patience;
  readonly #world: PatientHttpWorld;

  constructor(http: Http, server: Server, patience: Patience, world: PatientHttpWorld) {
    this.#http = http;
    this.#server = server;
    this.#patience = patience;
    this.#world = world;
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    const { pace, contact, remarks } = this.#server;
    const { clock } = this.#world;
    const history: History = {
      attempts: 0,
      rateLimited: 0,
      mayHaveActed: false,
      startedAt: clock.monotonic(),
    };
    const attempt = async (): Promise<Attempt<HttpResponse>> => {
      history.attempts++;
      const turn = await pace.turn(request.signal);
      let outcome: TurnOutcome = 'abandoned';
      const startedAt = clock.monotonic();
      try {
        const timeoutMs = contact.timeoutMs(request.timeoutMs);
        const response = await this.#http.request({ ...request, timeoutMs });
        contact.answered(hostOf(request));
        remarks.note(response);
        if (response.status === 429) {
          const waitMs = this.#rateLimitWaitMs(response, ++history.rateLimited);
          outcome = { waitMs };
          this.#world.log.write(
            'info',
            `${hostOf(request)} asks for fewer requests: waiting ${seconds(waitMs)}`,
          );
          return { failure: rateLimited(request, response, history), waitMs, free: true };
        }
        outcome = isTemporary(response.status) ? 'failed' : 'accepted';
        if (outcome === 'accepted' || !request.repeatable) return { done: response };
        history.mayHaveActed = true;
        const failure = keptFailing(request, response, history, this.#world.redaction);
        this.#world.log.write('warn', failure.message);
        return { failure, waitMs: this.#askedWaitMs(response) };
      } catch (error) {
        if (!(error instanceof HttpFailure)) throw error;
        outcome = error.kind === 'too-large' ? 'accepted' : 'failed';
        if (error.kind === 'too-large') throw error;
        if (error.kind !== 'unreachable') {
          if (!request.repeatable) throw error;
          history.mayHaveActed = true;
        }
        return this.#unanswered(request, error, startedAt, history);
      } finally {
        turn.end(outcome);
      }
    };
    return await withPatience(this.#world, this.#patience, attempt, request.signal);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /** Throws where it is time to give up. Attempts that the server saw nothing of are not counted. */
  #unanswered(
    request: HttpRequest,
    failure: HttpFailure,
    startedAt: number,
    history: History,
  ): Attempt<never> {
    const { contact, urlName } = this.#server;
    const { clock, random } = this.#world;
    const { attempts, mayHaveActed } = history;
    const { hasAnswered } = contact;
    const mayHaveArrived = failure.kind !== 'unreachable';
    const facts = {
      host: hostOf(request),
      words: failure.message,
      startedAt,
      number: attempts,
      mayHaveArrived,
    };
    const isOver = isLasting(failure.trouble) || contact.failed(facts);
    const tookMs = clock.monotonic() - history.startedAt;
    const error = unanswered({
      url: request.url,
      failure,
      attempts,
      tookMs,
      hasAnswered,
      mayHaveActed,
      urlName,
    });
    if (isOver) throw error;
    if (mayHaveArrived) return { failure: error };
    return {
      failure: error,
      waitMs: contact.pauseMs(backoffMs(random, this.#patience, attempts)),
      free: true,
    };
  }

  #rateLimitWaitMs(response: HttpResponse, rateLimited: number): number {
    return this.#askedWaitMs(response) ?? backoffMs(this.#world.random, this.#patience, rateLimited + 1);
  }

  /** Undefined if the server did not say, or nothing that makes sense. */
  #askedWaitMs(response: HttpResponse): number | undefined {
    const asked = retryAfterMs(response.headers, this.#world.clock.now());
    if (asked === undefined) return undefined;
    const bounded = Math.max(this.#patience.delayMsFirst, Math.min(asked, RETRY_AFTER_MS_MAX));
    return bounded * (1 + RETRY_AFTER_JITTER * fraction(this.#world.random));
  }
}

/**
 * The pause that `Retry-After` asks for, in seconds or as a date. A date is compared with the server's own clock
 * where it tells its time, as ours may be wrong.
 */
export function retryAfterMs(headers: HttpResponse['headers'], now: number): number | undefined {
  const value = headers['retry-after']?.trim();
  if (value === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return 1000 * Number(value);
  // only a real date: Date.parse takes almost anything that holds a number
  const until = /[a-z]{3}/i.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(until)) return undefined;
  const serverNow = Date.parse(headers.date ?? '');
  return Math.max(0, until - (Number.isNaN(serverNow) ? now : serverNow));
}

/** Whether a later attempt may well fare better. */
function isTemporary(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

interface History {
  attempts: number;
  rateLimited: number;
  mayHaveActed: boolean;
  readonly startedAt: number;
}

function rateLimited(request: HttpRequest, response: HttpResponse, history: History): BackupError {
  const asked = response.headers['retry-after'];
  const wish = asked === undefined ? '' : `, last with Retry-After: ${printable(truncated(asked, 50))}`;
  const message = `${hostOf(request)} answered 429 to each of ${history.attempts} attempts${wish}`;
  return new BackupError(history.mayHaveActed ? 'SOURCE_FAILED' : 'SOURCE_RATE_LIMITED', message, {
    temporary: true,
    cure: 'Wait until the rate limit of the plan allows requests again, or set a lower --rate-limit.',
  });
}

function keptFailing(
  request: HttpRequest,
  response: HttpResponse,
  { attempts }: History,
  redaction: Redaction,
): BackupError {
  const times = attempts === 1 ? '' : ` (attempt ${attempts})`;
  const message = `${hostOf(request)} failed${times}: answered ${response.status}: ${messageOf(response, redaction)}`;
  return new BackupError('SOURCE_FAILED', message, {
    temporary: true,
    cure: 'Run the same command again later; if it persists, ask whoever runs the server.',
  });
}

function hostOf(request: HttpRequest): string {
  return new URL(request.url).host;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
