/** One request and one answer, without a socket: what the sandbox's core takes and gives. */

export interface SandboxRequest {
  readonly method: string;
  /** As sent: still percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** The body, where it was given to a receiver as it came (`SandboxCore.receiver`); `body` is then empty. */
  readonly received?: BodyReceiver;
}

/** Takes a body too large to be held, piece by piece. */
export interface BodyReceiver {
  write(piece: Uint8Array): void;
  /** Called when the request has been answered, or never will be. */
  discard(): void;
}

export interface SandboxResponse {
  readonly status: number;
  /** Lower-case names; content-length is added by whoever sends it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The body, where it is too large to be held: `body` is then empty. */
  readonly stream?: { readonly length: number; readonly pieces: Iterable<Uint8Array> };
  /** How the answer travels, where it does not simply arrive. */
  readonly delivery?: Delivery;
}

/**
 * What goes wrong after the answer was made. The transport acts it out: on a socket literally, in a simulation as
 * the failure that a client would see.
 *
 * - `lost`: the connection ends before the first byte of the answer
 * - `cut-length`: the connection ends before content-length is reached
 * - `cut-chunked`: a chunked body without its last chunk
 * - `cut-close`: a shortened body without any length, ended by closing the connection
 * - `cut-gzip`: a shortened gzip stream under a correct content-length
 * - `stall-head`, `stall-body`: silence before the first byte, or in the middle of the body, for `stallMs`; then the connection ends
 */
export interface Delivery {
  readonly delayMs?: number;
  readonly fate?:
    | 'lost'
    | 'cut-length'
    | 'cut-chunked'
    | 'cut-close'
    | 'cut-gzip'
    | 'stall-head'
    | 'stall-body';
  readonly stallMs?: number;
}

const JSON_HEADERS = { 'content-type': 'application/json' };

export function jsonAnswer(status: number, ...parts: readonly (string | Uint8Array)[]): SandboxResponse {
  const body =
    parts.length === 1
      ? bytesOf(parts[0]!)
      : Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return { status, headers: JSON_HEADERS, body };
}

function bytesOf(part: string | Uint8Array): Uint8Array {
  return typeof part === 'string' ? Buffer.from(part) : part;
}

export const emptyAnswer: SandboxResponse = { status: 204, headers: {}, body: new Uint8Array(0) };

/** An error as FastAPI shapes it, with ZeroDB's code where there is one (zerodb-protocol §4). */
export function errorAnswer(status: number, detail: string, code?: string): SandboxResponse {
  return jsonAnswer(status, JSON.stringify({ detail, ...(code !== undefined && { error_code: code }) }));
}

/** A 422 that names the field at fault. */
export function fieldAnswer(
  where: 'body' | 'query',
  field: string | number | null,
  message: string,
  type: string,
): SandboxResponse {
  const loc = field === null ? [where] : [where, field];
  return jsonAnswer(422, JSON.stringify({ detail: [{ loc, msg: message, type }] }));
}

/** Thrown where a request cannot be served: the answer to give instead. */
export class Refusal extends Error {
  readonly answer: SandboxResponse;
  constructor(answer: SandboxResponse) {
    super(`answered with ${answer.status}`);
    this.answer = answer;
  }
}
