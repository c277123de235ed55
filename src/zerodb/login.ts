import { untilAborted } from '../kernel/abort.ts';
import type { Clock } from '../kernel/clock.ts';
import { BackupError } from '../kernel/errors.ts';
import type { Http, HttpResponse } from '../kernel/http.ts';
import type { Redaction } from '../kernel/redaction.ts';
import { type About, failureOf, isSuccess, malformedAnswer } from './answers.ts';

/** Where one can log in, newest first (zerodb-protocol.md §3.2). Below the base URL. */
const ENDPOINTS = [
  { path: '/v1/auth/login', nameField: 'email', form: false },
  { path: '/v1/public/auth/login-json', nameField: 'username', form: false },
  { path: '/api/v1/auth/login', nameField: 'email', form: false },
  { path: '/v1/public/auth/login', nameField: 'username', form: true },
  { path: '/api/v1/public/auth/', nameField: 'username', form: true },
  { path: '/api/v1/auth/', nameField: 'username', form: true },
] as const;
type Endpoint = (typeof ENDPOINTS)[number];

const TOKEN_LIFE_MS_DEFAULT = 30 * 60_000;
const RENEWED_BEFORE_END_MS = 5 * 60_000;
const ANSWER_BYTES_MAX = 1 << 20;

export interface LoginCredentials {
  readonly email: string;
  readonly password: string;
  /** Where they come from: `ZERODB_EMAIL and ZERODB_PASSWORD`. */
  readonly name: string;
}

interface Token {
  readonly text: string;
  /** Monotonic time from which on another one is fetched. */
  readonly renewAt: number;
}

/** Fetches and renews the token of one user. However many requests need one, they share one login. */
export class Login {
  readonly #http: Http;
  readonly #baseUrl: string;
  readonly #credentials: LoginCredentials;
  readonly #clock: Clock;
  readonly #redaction: Redaction;
  readonly #timeoutMs: number;
  #token: Token | null = null;
  #running: Promise<Token> | null = null;
  /** The one that worked last time. */
  #endpoint: Endpoint | null = null;

  constructor(options: {
    http: Http;
    baseUrl: string;
    credentials: LoginCredentials;
    clock: Clock;
    redaction: Redaction;
    timeoutMs: number;
  }) {
    this.#http = options.http;
    this.#baseUrl = options.baseUrl;
    this.#credentials = options.credentials;
    this.#clock = options.clock;
    this.#redaction = options.redaction;
    this.#timeoutMs = options.timeoutMs;
  }

  /** @param refused a token that the server does not accept any more: it is not given again */
  async token(refused: string | null, signal?: AbortSignal): Promise<string> {
    const token = this.#token;
    if (token !== null && token.text !== refused && !this.isOld(token.text)) return token.text;
    this.#running ??= this.#logIn().finally(() => {
      this.#running = null;
    });
    this.#token = await untilAborted(this.#running, signal);
    return this.#token.text;
  }

  /** Whether a token would not be given any more. */
  isOld(token: string): boolean {
    return token !== this.#token?.text || this.#clock.monotonic() >= this.#token.renewAt;
  }

  async #logIn(): Promise<Token> {
    let response: HttpResponse | null = null;
    const endpoints = this.#endpoint === null ? ENDPOINTS : [this.#endpoint];
    for (const endpoint of endpoints) {
      const startedAt = this.#clock.monotonic();
      response = await this.#send(endpoint);
      if (isSuccess(response)) {
        const token = this.#parseToken(response, startedAt);
        this.#endpoint = endpoint;
        return token;
      }
      if (![404, 405, 422].includes(response.status)) break;
    }
    throw this.#refusal(response!);
  }

  async #send(endpoint: Endpoint): Promise<HttpResponse> {
    const { email, password } = this.#credentials;
    const fields = { [endpoint.nameField]: email, password };
    const text = endpoint.form ? new URLSearchParams(fields).toString() : JSON.stringify(fields);
    return await this.#http.request({
      method: 'POST',
      url: this.#baseUrl + endpoint.path,
      headers: {
        accept: 'application/json',
        'content-type': endpoint.form ? 'application/x-www-form-urlencoded' : 'application/json',
      },
      body: [Buffer.from(text)],
      timeoutMs: this.#timeoutMs,
      bodyBytesMax: ANSWER_BYTES_MAX,
      repeatable: true, // a second login does no harm
    });
  }

  #parseToken(response: HttpResponse, startedAt: number): Token {
    const answer = parsedObject(Buffer.from(response.body).toString('utf8'));
    const text = answer?.access_token;
    if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) {
      throw malformedAnswer(response, this.#about, 'there is no access_token in the answer');
    }
    this.#redaction.register(text);
    const lifeMs = tokenLifeMs(text, answer!.expires_in, this.#clock.now());
    // of a token that lives shorter than ten minutes, half its life is used
    const usedMs = Math.max(lifeMs - RENEWED_BEFORE_END_MS, lifeMs / 2);
    return { text, renewAt: startedAt + usedMs };
  }

  /** The server answers 400 or 422 as well where it does not like a name or a password. */
  #refusal(response: HttpResponse): BackupError {
    const failure = failureOf(response, this.#about);
    if (failure.code !== 'SOURCE_REFUSED' || response.status < 400) return failure;
    return new BackupError('SOURCE_UNAUTHORIZED', failure.message, {
      cure: `Check ${this.#credentials.name}.`,
    });
  }

  get #about(): About {
    return { task: 'log in', credentials: this.#credentials.name, redaction: this.#redaction };
  }
}

/** How long a token is good: as the answer says, else as the token says, else half an hour. */
export function tokenLifeMs(token: string, expiresIn: unknown, now: number): number {
  const seconds = typeof expiresIn === 'string' ? Number(expiresIn || Number.NaN) : expiresIn;
  if (typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0) return 1000 * seconds;
  const claims = parsedObject(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  if (typeof claims?.exp !== 'number') return TOKEN_LIFE_MS_DEFAULT;
  // by the server's own clock where the token tells when it was made
  const from = typeof claims.iat === 'number' ? 1000 * claims.iat : now;
  const lifeMs = 1000 * claims.exp - from;
  return Number.isNaN(lifeMs) ? TOKEN_LIFE_MS_DEFAULT : Math.max(0, lifeMs);
}

function parsedObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
