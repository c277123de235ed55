import type { ConnectionTrouble } from '../kernel/http.ts';

interface Told {
  /** What happened, in plain words. */
  readonly words: string;
  readonly trouble: ConnectionTrouble | null;
}

const NO_ROUTE = 'nothing leads there from this machine';

const BY_CODE: Readonly<Record<string, Told>> = {
  ECONNREFUSED: { words: 'nothing listens there, the connection is refused', trouble: 'refused' },
  ENOTFOUND: { words: 'no host of this name is known', trouble: 'unknown-host' },
  EAI_AGAIN: { words: 'the name cannot be looked up at present', trouble: 'unknown-host' },
  EHOSTUNREACH: { words: NO_ROUTE, trouble: 'no-route' },
  ENETUNREACH: { words: NO_ROUTE, trouble: 'no-route' },
  ETIMEDOUT: { words: 'no connection came about in time', trouble: 'silent' },
  UND_ERR_CONNECT_TIMEOUT: { words: 'no connection came about in time', trouble: 'silent' },
  UND_ERR_HEADERS_TIMEOUT: { words: 'it took the request and sent no answer in time', trouble: 'silent' },
  UND_ERR_BODY_TIMEOUT: { words: 'it fell silent within the answer', trouble: null },
  ERR_SSL_WRONG_VERSION_NUMBER: { words: 'it does not speak TLS', trouble: 'no-tls' },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: { words: 'it does not speak TLS', trouble: 'no-tls' },
  UND_ERR_SOCKET: { words: 'it hung up without an answer', trouble: 'no-http' },
  ECONNRESET: { words: 'it broke the connection off', trouble: 'no-http' },
};

/** What Node's own checks say about a certificate. */
const UNTRUSTED =
  /^(?:CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID)/;

/** A failed exchange in plain words. `sent` is whether a connection came about and the request went out. */
export function tellTrouble(error: Error, sent: boolean): Told {
  // a failure to connect to several addresses hides what happened in a list
  const inner =
    error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as Error) : error;
  const code = (inner as NodeJS.ErrnoException).code ?? '';
  const told = BY_CODE[code];
  if (!sent && code === 'ECONNRESET') {
    return { words: 'it hung up when TLS was to begin (ECONNRESET)', trouble: 'no-tls' };
  }
  if (told !== undefined) return { ...told, words: `${told.words} (${code})` };
  if (UNTRUSTED.test(code)) {
    const reason = inner.message.split(';')[0]!;
    return { words: `its certificate is not trusted: ${reason} (${code})`, trouble: 'untrusted' };
  }
  if (code.startsWith('ERR_SSL_')) return { words: `TLS did not come about (${code})`, trouble: null };
  if (inner.name === 'HTTPParserError') return { words: 'its answer is not HTTP', trouble: 'no-http' };
  return { words: inner.message || inner.name, trouble: null };
}
