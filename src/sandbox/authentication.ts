import { createHmac } from 'node:crypto';
import {
  errorAnswer,
  fieldAnswer,
  jsonAnswer,
  type SandboxRequest,
  type SandboxResponse,
} from './message.ts';
import type { Route } from './route.ts';

export interface LoginOptions {
  readonly email: string;
  readonly password: string;
  readonly tokenSeconds: number;
  /** Paths at which one can log in; all that the protocol names if left out. */
  readonly paths?: readonly string[];
  /** What an expired token is answered with; 401 if left out. */
  readonly expiredStatus?: 401 | 403;
}

export interface AuthenticationOptions {
  readonly apiKey: string;
  /** Headers in which the API key is accepted. */
  readonly keyHeader: 'both' | 'x-api-key' | 'bearer';
  readonly login: LoginOptions | null;
  /** Signs tokens. */
  readonly tokenSecret: Uint8Array;
}

/** Login requests of the protocol's §3.2: the member of the body that holds the email address, by path. */
const LOGIN_PATHS: Readonly<Record<string, 'email' | 'username'>> = {
  '/v1/auth/login': 'email',
  '/v1/public/auth/login-json': 'username',
  '/api/v1/auth/login': 'email',
  '/v1/public/auth/login': 'username',
};
const REFRESH_PATH = '/api/v1/auth/refresh';

/** API keys, logins, and tokens that expire (zerodb-protocol §3). */
export class Authentication {
  readonly #options: AuthenticationOptions;
  readonly #now: () => number;
  #tokens = 0;

  constructor(options: AuthenticationOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
  }

  /** The answer to a request without valid credentials; null where they are fine. */
  refusal(headers: SandboxRequest['headers']): SandboxResponse | null {
    const key = headers['x-api-key'];
    const bearer = headers.authorization?.match(/^bearer (.+)$/i)?.[1];
    if (key !== undefined && headers.authorization !== undefined) {
      return errorAnswer(401, 'Send either X-API-Key or Authorization, not both');
    }
    const { keyHeader, apiKey, login } = this.#options;
    if (key !== undefined && keyHeader !== 'bearer') {
      return key === apiKey ? null : errorAnswer(401, 'Invalid API key', 'INVALID_API_KEY');
    }
    if (bearer === undefined) return errorAnswer(401, 'Not authenticated');
    if (bearer === apiKey && keyHeader !== 'x-api-key') return null;
    const expiry = login === null ? null : this.#expiryOf(bearer, 'access');
    if (expiry === null) return errorAnswer(401, 'Could not validate credentials');
    return expiry > this.#now() ? null : errorAnswer(login!.expiredStatus ?? 401, 'Token has expired');
  }

  route(request: SandboxRequest): Route | null {
    const { login } = this.#options;
    if (login === null) return null;
    const paths = login.paths ?? Object.keys(LOGIN_PATHS);
    const answer = paths.includes(request.path)
      ? () => this.#logIn(request, login)
      : request.path === REFRESH_PATH
        ? () => this.#refresh(request)
        : null;
    return answer && { pattern: request.path, name: null, methods: { POST: answer }, open: true };
  }

  #logIn(request: SandboxRequest, login: LoginOptions): SandboxResponse {
    const member = LOGIN_PATHS[request.path] ?? 'email';
    const fields = bodyFields(request);
    for (const name of [member, 'password']) {
      if (typeof fields[name] !== 'string') {
        return fieldAnswer('body', name, 'field required', 'value_error.missing');
      }
    }
    if (fields[member] !== login.email || fields.password !== login.password) {
      return errorAnswer(401, 'Incorrect email or password');
    }
    return this.#issue(request, login.tokenSeconds);
  }

  #refresh(request: SandboxRequest): SandboxResponse {
    const token = bodyFields(request).refresh_token;
    if (typeof token !== 'string') {
      return fieldAnswer('body', 'refresh_token', 'field required', 'value_error.missing');
    }
    const expiry = this.#expiryOf(token, 'refresh');
    if (expiry === null || expiry <= this.#now()) return errorAnswer(401, 'Could not validate credentials');
    return this.#issue(request, this.#options.login!.tokenSeconds);
  }

  #issue(request: SandboxRequest, seconds: number): SandboxResponse {
    const answer = {
      access_token: this.#token('access', seconds),
      token_type: 'bearer',
      expires_in: seconds,
      ...(request.path.startsWith('/api/v1/') && { refresh_token: this.#token('refresh', 100 * seconds) }),
    };
    return jsonAnswer(200, JSON.stringify(answer));
  }

  /** A JSON Web Token. Its `exp` is whole seconds, as the standard has it; `expires` is what counts here. */
  #token(use: 'access' | 'refresh', seconds: number): string {
    const expires = this.#now() + 1000 * seconds;
    const claims = { use, number: ++this.#tokens, exp: Math.floor(expires / 1000), expires };
    const text = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}`;
    return `${text}.${this.#signature(text)}`;
  }

  /** When a token ends, in milliseconds; null if it is none of ours. */
  #expiryOf(token: string, use: 'access' | 'refresh'): number | null {
    const [head, claims, signature] = token.split('.');
    if (signature === undefined || signature !== this.#signature(`${head}.${claims}`)) return null;
    const told = JSON.parse(Buffer.from(claims!, 'base64url').toString()) as { use: string; expires: number };
    return told.use === use ? told.expires : null;
  }

  #signature(text: string): string {
    return createHmac('sha256', this.#options.tokenSecret).update(text).digest('base64url');
  }
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function bodyFields(request: SandboxRequest): Record<string, unknown> {
  const text = Buffer.from(request.body).toString();
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
