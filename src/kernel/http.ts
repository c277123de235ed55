/** The network, as the outside world hands it in: one request, one answer, bytes all the way. */

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute http or https URL, without user information. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as these parts one after the other, with their summed length as content-length. */
  readonly body?: readonly Uint8Array[] | BodyStream;
  /** Longest silence tolerated: until the headers arrive, and between two pieces of the body. */
  readonly timeoutMs: number;
  /** A longer answer is abandoned with the failure kind `too-large`. */
  readonly bodyBytesMax: number;
  /** True if sending it twice does no more than sending it once (reads, replacements, deletes by id). */
  readonly repeatable: boolean;
  /** False drops the answer's body unread (of a write whose echo nobody needs). Errors keep theirs. */
  readonly wantBody?: boolean;
  /**
   * Called when the head of an answer has come. Where it gives a sink, the body goes there as it is on the wire, however
   * long it is, and each piece is waited for (the server's silence is not counted meanwhile); `body` of the answer is then
   * empty. What either throws ends the request and is thrown.
   */
  readonly receive?: (head: HttpHead) => BodySink | null;
  readonly signal?: AbortSignal;
}

/** A body too large to be held. It is pulled anew for every attempt to send it. */
export interface BodyStream {
  readonly length: number;
  /** Pieces that may not change until the next one is pulled. */
  pieces(): AsyncIterable<Uint8Array>;
}

export type BodySink = (piece: Uint8Array) => Promise<void> | void;

export interface HttpHead {
  readonly status: number;
  /** Lower-case names; repeated headers joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpResponse extends HttpHead {
  /** Decoded of its content-encoding. The receiver owns it and may write to it. */
  readonly body: Uint8Array;
}

/**
 * - `unreachable`: no connection was made; the server has seen nothing.
 * - `timeout`: silence for longer than `timeoutMs`; the server may have acted.
 * - `cut`: the connection ended before the answer was whole; the server may have acted.
 * - `too-large`: the answer exceeds `bodyBytesMax`.
 */
export type HttpFailureKind = 'unreachable' | 'timeout' | 'cut' | 'too-large';

export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly kind: HttpFailureKind;
  /** Null where the failure does not tell. */
  readonly trouble: ConnectionTrouble | null;
  constructor(
    kind: HttpFailureKind,
    message: string,
    cause?: unknown,
    trouble: ConnectionTrouble | null = null,
  ) {
    super(message, { cause });
    this.kind = kind;
    this.trouble = trouble;
  }
}

/**
 * Why there was no connection, or no answer on it, as far as it points to a cure.
 * - `refused`: a machine of this address is there, and nothing listens on the port.
 * - `unknown-host`: the name cannot be looked up.
 * - `no-route`: nothing leads there from this machine.
 * - `silent`: nobody answered in time.
 * - `no-tls`: the handshake failed in a way that says that the other side speaks something else than TLS.
 * - `untrusted`: its certificate is not that of a server that this machine trusts.
 * - `no-http`: it hung up on the request, or answered with something else than HTTP.
 */
export type ConnectionTrouble =
  | 'refused'
  | 'unknown-host'
  | 'no-route'
  | 'silent'
  | 'no-tls'
  | 'untrusted'
  | 'no-http';

export interface Http {
  /**
   * Sends one request and resolves with the whole answer, whatever its status. Never retries, never follows a
   * redirect. Rejects with HttpFailure, or with the signal's reason when aborted.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Ends idle connections. */
  close(): Promise<void>;
}
