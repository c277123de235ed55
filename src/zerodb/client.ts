import { BackupError } from '../kernel/errors.ts';
import {
  type BodyStream,
  type Http,
  HttpFailure,
  type HttpRequest,
  type HttpResponse,
} from '../kernel/http.ts';
import type { Platform } from '../kernel/platform.ts';
import { Redaction } from '../kernel/redaction.ts';
import type { Patience } from '../kernel/retry.ts';
import { AnswerRemarks } from './answer-remarks.ts';
import { type About, failureOf, isSuccess } from './answers.ts';
import { type ApiKey, AuthenticatedHttp, Authentication } from './authentication.ts';
import { Contact } from './contact.ts';
import { Login, type LoginCredentials } from './login.ts';
import { Pace } from './pace.ts';
import { PatientHttp } from './patient-http.ts';
import { parseBaseUrl, resourceUrl } from './resource-url.ts';

export interface ClientOptions {
  readonly baseUrl: string;
  /** What configures it, for messages: `ZERODB_API_BASE_URL`, `--target`. */
  readonly baseUrlName?: string;
  readonly apiKey?: ApiKey;
  readonly login?: LoginCredentials;
  /** Longest silence of the server; 60 s if left out. */
  readonly timeoutMs?: number;
  /** Most requests in flight; 16 if left out. */
  readonly concurrency?: number;
  /** Most requests in a minute; any number if left out. */
  readonly rateLimit?: number;
  /** How long temporary failures of a server that answers are tolerated. */
  readonly patience?: Patience;
  /** Learns keys, passwords and tokens, and hides them in errors. */
  readonly redaction?: Redaction;
}

export const PATIENCE: Patience = {
  attemptsMax: 8,
  delayMsFirst: 500,
  delayMsMax: 30_000,
  totalMsMax: 600_000,
};

/** Most bytes of answers that hold no documents. */
const ANSWER_BYTES_MAX = 16 << 20;

/** After a large upload a server may be silent for longer: it has to pass it on. */
const UPLOAD_BYTES_PER_MS = 4096;

export interface ClientRequest {
  readonly method: HttpRequest['method'];
  /** Names, not yet encoded, of the path below the base URL. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number>>;
  /** JSON text, in parts; something else where `headers` name its type. */
  readonly body?: readonly Uint8Array[] | BodyStream;
  readonly headers?: Readonly<Record<string, string>>;
  readonly repeatable: boolean;
  /** True: only one more attempt after a failure. */
  readonly brief?: boolean;
  readonly wantBody?: boolean;
  readonly bodyBytesMax?: number;
  readonly receive?: HttpRequest['receive'];
  readonly signal?: AbortSignal | undefined;
}

/** What is being done and to which collection or document: for errors. */
export interface Task {
  readonly task: string;
  readonly object?: string;
}

/** Requests to one server: its address, credentials, pace and patience. Knows no dialect. */
export class ZerodbClient {
  readonly baseUrl: string;
  readonly platform: Platform;
  readonly redaction: Redaction;
  readonly remarks: AnswerRemarks;
  readonly #credentials: string | null;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #contact: Contact;
  readonly #http: AuthenticatedHttp;
  readonly #briefHttp: AuthenticatedHttp;
  readonly #withoutCredentials: Http;
  /** To other hosts, where the server keeps something; without credentials. */
  readonly #elsewhere: Http;

  constructor(platform: Platform, options: ClientOptions) {
    this.platform = platform;
    this.baseUrl = parseBaseUrl(options.baseUrl);
    this.redaction = options.redaction ?? new Redaction();
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    const { apiKey, login } = options;
    for (const secret of [apiKey?.value, login?.password])
      if (secret !== undefined) this.redaction.register(secret);
    const names = [apiKey?.name, login?.name].filter((name) => name !== undefined);
    this.#credentials = names.length > 0 ? names.join(' or ') : null;
    this.#headers = {
      accept: 'application/json',
      'cache-control': 'no-store',
      'user-agent': `zerodb-backup/${platform.host.toolVersion}`,
      // on the machine itself compression only costs time
      'accept-encoding': isLocal(this.baseUrl) ? 'identity' : 'gzip',
    };

    const pace = new Pace(platform.clock, {
      concurrency: options.concurrency ?? 16,
      perMinute: options.rateLimit ?? null,
    });
    const patience = options.patience ?? PATIENCE;
    const world = { ...platform, redaction: this.redaction };
    this.#contact = new Contact(platform.clock, platform.log);
    this.remarks = new AnswerRemarks(platform.clock);
    const server = {
      pace,
      contact: this.#contact,
      remarks: this.remarks,
      urlName: options.baseUrlName ?? 'the base URL',
    };
    const patient = new PatientHttp(platform.http, server, patience, world);
    const brief = new PatientHttp(platform.http, server, { ...patience, attemptsMax: 2 }, world);
    const authentication = new Authentication(
      apiKey ?? null,
      login === undefined
        ? null
        : new Login({
            http: patient,
            baseUrl: this.baseUrl,
            credentials: login,
            clock: platform.clock,
            redaction: this.redaction,
            timeoutMs: this.#timeoutMs,
          }),
    );
    this.#withoutCredentials = patient;
    this.#elsewhere = new PatientHttp(
      platform.http,
      {
        pace: new Pace(platform.clock, { concurrency: options.concurrency ?? 16, perMinute: null }),
        contact: new Contact(platform.clock, platform.log),
        remarks: new AnswerRemarks(platform.clock),
        urlName: 'the host on which the server keeps objects',
      },
      patience,
      world,
    );
    this.#http = new AuthenticatedHttp(patient, authentication);
    this.#briefHttp = new AuthenticatedHttp(brief, authentication);
  }

  /**
   * The answer, whatever its status. Temporary failures have been retried where the request allows it; of a request
   * that is not repeatable a lost answer is thrown as HttpFailure.
   */
  async send(request: ClientRequest, task: Task): Promise<HttpResponse> {
    const url = resourceUrl(this.baseUrl, request.path, request.query);
    return await this.#send(request.brief === true ? this.#briefHttp : this.#http, url, request, task);
  }

  /**
   * As `send`, to an address that the server has named for something of its own. Credentials go along only where that
   * is the server itself, and only if it asks for them: a signed address takes none.
   */
  async follow(
    address: string,
    request: Omit<ClientRequest, 'path' | 'query'>,
    task: Task,
  ): Promise<HttpResponse> {
    const url = this.#address(address, task);
    // what it is signed with is as good as a key
    for (const value of url.searchParams.values()) if (value.length >= 16) this.redaction.register(value);
    if (url.origin !== new URL(this.baseUrl).origin) {
      return await this.#send(this.#elsewhere, url.href, request, task);
    }
    const response = await this.#send(this.#withoutCredentials, url.href, request, task);
    if (response.status !== 401 && response.status !== 403) return response;
    return await this.#send(this.#http, url.href, request, task);
  }

  #address(address: string, { task, object }: Task): URL {
    const url = URL.canParse(address, `${this.baseUrl}/`) ? new URL(address, `${this.baseUrl}/`) : null;
    const isSafe =
      url?.protocol === 'https:' || (url?.protocol === 'http:' && this.baseUrl.startsWith('http:'));
    if (url !== null && isSafe && url.username === '' && url.password === '') return url;
    throw new BackupError(
      'SOURCE_REFUSED',
      `cannot ${task}: the server names an address that is not safe to use`,
      {
        ...(object !== undefined && { object }),
        cure: 'Ask whoever runs the server: documents must not leave an encrypted connection.',
      },
    );
  }

  async #send(
    http: Http,
    url: string,
    request: Omit<ClientRequest, 'path' | 'query'>,
    task: Task,
  ): Promise<HttpResponse> {
    const { body, receive, signal } = request;
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const uploadMs = body !== undefined && 'pieces' in body ? body.length / UPLOAD_BYTES_PER_MS : 0;
    try {
      return await http.request({
        method: request.method,
        url,
        headers: { ...this.#headers, ...json, ...request.headers },
        ...(body && { body }),
        timeoutMs: this.#timeoutMs + Math.ceil(uploadMs),
        bodyBytesMax: request.bodyBytesMax ?? ANSWER_BYTES_MAX,
        repeatable: request.repeatable,
        wantBody: request.wantBody ?? true,
        ...(receive && { receive }),
        ...(signal && { signal }),
      });
    } catch (error) {
      throw this.#named(error, task);
    }
  }

  /** As `send`, but an answer without success is thrown. */
  async ask(request: ClientRequest, task: Task): Promise<HttpResponse> {
    const response = await this.send(request, task);
    if (!isSuccess(response)) throw failureOf(response, this.about(task));
    return response;
  }

  /** Whether the server has answered anything yet. */
  get hasAnswered(): boolean {
    return this.#contact.hasAnswered;
  }

  about(task: Task): About {
    return { ...task, credentials: this.#credentials, redaction: this.redaction };
  }

  #named(error: unknown, { task, object }: Task): unknown {
    const named = object === undefined ? {} : { object };
    if (error instanceof HttpFailure && error.kind === 'too-large') {
      return new BackupError('SOURCE_TOO_LARGE', `cannot ${task}: ${error.message}`, {
        ...named,
        cure: 'Ask for fewer documents at a time; a single document of this size cannot be backed up.',
        cause: error,
      });
    }
    if (!(error instanceof BackupError)) return error;
    const { code, message, cure, temporary, cause } = error;
    return new BackupError(code, `cannot ${task}: ${message}`, {
      ...named,
      ...(cure !== undefined && { cure }),
      temporary,
      cause,
    });
  }
}

function isLocal(baseUrl: string): boolean {
  const { hostname } = new URL(baseUrl);
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}
