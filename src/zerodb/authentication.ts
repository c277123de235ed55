import type { Http, HttpRequest, HttpResponse } from '../kernel/http.ts';
import { bodyText } from './answers.ts';
import type { Login } from './login.ts';

export interface ApiKey {
  readonly value: string;
  /** Where it comes from: `ZERODB_API_KEY`. */
  readonly name: string;
}

/** One way of saying who we are. */
interface Mode {
  /** @param refused the header that the server refused just now, to be replaced where that is possible */
  header(refused: Header | null, signal?: AbortSignal): Promise<Header>;
  readonly renewable: boolean;
  /** Whether this header has had its time: a refusal of it says nothing. */
  isOld(header: Header): boolean;
}
type Header = Readonly<Record<string, string>>;

/**
 * What is known about how the server wants to be addressed (zerodb-protocol.md §3): the API key in `X-API-Key`,
 * else as bearer, else a token from login; never two in one request. The first that gets a 2xx is kept.
 */
export class Authentication {
  readonly #modes: readonly Mode[];
  #proven: Mode | null = null;

  constructor(apiKey: ApiKey | null, login: Login | null) {
    this.#modes = [
      ...(apiKey === null ? [] : [fixed({ 'x-api-key': apiKey.value }), fixed(bearer(apiKey.value))]),
      ...(login === null ? [] : [fromLogin(login)]),
      ...(apiKey === null && login === null ? [fixed({})] : []),
    ];
  }

  /**
   * Sends a request with credentials. A 401 or 403 is an answer like any other, once all ways of authentication
   * have got one; a token that was refused is renewed once, and again where it ended while the request waited for its turn.
   */
  async send(http: Http, request: HttpRequest): Promise<HttpResponse> {
    const refusals: HttpResponse[] = [];
    const modes = this.#proven === null ? this.#modes : [this.#proven];
    for (const mode of modes) {
      let header = await mode.header(null, request.signal);
      let response = await http.request(withHeader(request, header));
      let isRenewed = false;
      while (isRefusal(response) && mode.renewable && (!isRenewed || mode.isOld(header))) {
        isRenewed = true;
        header = await mode.header(header, request.signal);
        response = await http.request(withHeader(request, header));
      }
      if (!isRefusal(response)) {
        if (response.status >= 200 && response.status < 300) this.#proven = mode;
        return response;
      }
      refusals.push(response);
    }
    // of several refusals the one that knew us says most
    return (
      refusals.find((response) => response.status === 403 && !asksForCredentials(response)) ?? refusals[0]!
    );
  }
}

/** Http that authenticates; several may share what one of them finds out. */
export class AuthenticatedHttp implements Http {
  readonly #http: Http;
  readonly #authentication: Authentication;

  constructor(http: Http, authentication: Authentication) {
    this.#http = http;
    this.#authentication = authentication;
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    return this.#authentication.send(this.#http, request);
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}

function fixed(header: Header): Mode {
  return { header: async () => header, renewable: false, isOld: () => false };
}

function fromLogin(login: Login): Mode {
  return {
    renewable: true,
    header: async (refused, signal) =>
      bearer(await login.token(refused === null ? null : tokenOf(refused), signal)),
    isOld: (header) => login.isOld(tokenOf(header)),
  };
}

function bearer(token: string): Header {
  return { authorization: `Bearer ${token}` };
}

function tokenOf(header: Header): string {
  return header.authorization!.slice('Bearer '.length);
}

function withHeader(request: HttpRequest, header: Header): HttpRequest {
  return { ...request, headers: { ...request.headers, ...header } };
}

function isRefusal(response: HttpResponse): boolean {
  return response.status === 401 || response.status === 403;
}

/** Some servers answer 403 where they looked for credentials in another header. */
function asksForCredentials(response: HttpResponse): boolean {
  return /not authenticated|credentials|api key/i.test(bodyText(response));
}
