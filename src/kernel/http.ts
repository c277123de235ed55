/** The network, as the outside world hands it in: one request, one whole answer, bytes all the way. */

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute http or https URL, without user information. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as these parts one after the other, with their summed length as content-length. */
  readonly body?: readonly Uint8Array[];
  /** Longest silence tolerated: until the headers arrive, and between two pieces of the body. */
  readonly timeoutMs: number;
  /** A longer answer is abandoned with the failure kind `too-large`. */
  readonly bodyBytesMax: number;
  /** True if sending it twice does no more than sending it once (reads, replacements, deletes by id). */
  readonly repeatable: boolean;
  /** False drops the answer's body unread (of a write whose echo nobody needs). Errors keep theirs. */
  readonly wantBody?: boolean;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; repeated headers joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
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
  constructor(kind: HttpFailureKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export interface Http {
  /**
   * Sends one request and resolves with the whole answer, whatever its status. Never retries, never follows a
   * redirect. Rejects with HttpFailure, or with the signal's reason when aborted.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Ends idle connections. */
  close(): Promise<void>;
}
