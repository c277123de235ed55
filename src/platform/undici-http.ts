import { gunzip } from 'node:zlib';
import type { Dispatcher, Pool } from 'undici';
import {
  type BodySink,
  type Http,
  HttpFailure,
  type HttpFailureKind,
  type HttpRequest,
  type HttpResponse,
} from '../kernel/http.ts';
import { printable, truncated } from '../kernel/printable.ts';
import { AnswerBody } from './answer-body.ts';
import { noteBuffers } from './buffer-garbage.ts';
import { tellTrouble } from './connection-trouble.ts';
import { noteShortLived } from './young-heap.ts';

/** How long a connection may take to come about, name look-up and TLS included. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Smaller request bodies of several parts are put into one: one system call instead of several. */
const JOINED_BODY_BYTES_MAX = 64 * 1024;

/** HTTP/1.1 over a pool of kept connections for each origin. */
export class UndiciHttp implements Http {
  readonly #connections: number;
  readonly #pools = new Map<string, Promise<Pool>>();

  /** @param connections most connections at a time to one origin; further requests wait for a free one */
  constructor(connections: number) {
    this.#connections = connections;
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    noteShortLived();
    const url = new URL(request.url);
    const pool = await this.#pool(url.origin);
    const received = await new Promise<ReceivedAnswer>((resolve, reject) => {
      const exchange = new Exchange(request, resolve, reject);
      pool.dispatch(
        {
          path: url.pathname + url.search,
          method: request.method,
          headers: { ...request.headers, ...contentLength(request.body) },
          body: requestBody(request.body),
          headersTimeout: request.timeoutMs,
          bodyTimeout: request.timeoutMs,
        } as Dispatcher.DispatchOptions,
        exchange,
      );
    });
    const body = received.isTaken ? received.body : await decoded(received, request.bodyBytesMax);
    return { status: received.status, headers: received.headers, body };
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    for (const pool of pools) await (await pool).close();
  }

  #pool(origin: string): Promise<Pool> {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      // loaded with the first request: commands that need no network start faster without it
      pool = import('undici').then(
        ({ Pool }) =>
          new Pool(origin, {
            connections: this.#connections,
            pipelining: 1,
            allowH2: false,
            connect: { timeout: CONNECT_TIMEOUT_MS },
          }),
      );
      this.#pools.set(origin, pool);
    }
    return pool;
  }
}

interface ReceivedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The body went to the sink of the request. */
  readonly isTaken: boolean;
}

/** One request on its way: collects the answer and tells failures before sending from those after it. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #resolve: (answer: ReceivedAnswer) => void;
  readonly #reject: (reason: unknown) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #ended = false;
  #status = 0;
  #headers: Readonly<Record<string, string>> = {};
  #body: AnswerBody | null = null;
  #sink: BodySink | null = null;
  /** Pieces on their way to the sink. */
  #taking: Promise<void> = Promise.resolve();

  constructor(
    request: HttpRequest,
    resolve: (answer: ReceivedAnswer) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    request.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => this.#abandon(this.#request.signal!.reason);

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(new Error('abandoned before it was sent'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#headers = joinedHeaders(headers);
    try {
      this.#sink = this.#request.receive?.({ status, headers: this.#headers }) ?? null;
    } catch (error) {
      this.#abandon(error);
    }
    if (this.#sink !== null || this.#ended) return;
    const wanted = this.#request.wantBody !== false || status >= 300;
    if (wanted) this.#body = new AnswerBody(this.#headers['content-length'], this.#request.bodyBytesMax);
    if (this.#body?.tooLarge === true) this.#abandonTooLarge();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    noteBuffers(chunk.length);
    if (this.#sink !== null) return this.#give(this.#sink, controller, chunk);
    this.#body?.add(chunk);
    if (this.#body?.tooLarge === true) this.#abandonTooLarge();
  }

  onResponseEnd(): void {
    if (this.#sink !== null) {
      const taken = { status: this.#status, headers: this.#headers, body: new Uint8Array(), isTaken: true };
      void this.#taking.then(() => this.#end() && this.#resolve(taken));
      return;
    }
    if (!this.#end()) return;
    const body = this.#body === null ? new Uint8Array() : this.#body.whole();
    if (body === null) this.#reject(new HttpFailure('cut', 'the answer ended early'));
    else this.#resolve({ status: this.#status, headers: this.#headers, body, isTaken: false });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#end()) return;
    const sent = this.#controller !== null;
    const { words, trouble } = tellTrouble(error, sent);
    this.#reject(new HttpFailure(failureKind(error, sent), printable(words), error, trouble));
  }

  #give(sink: BodySink, controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (chunk.length === 0) return; // the parser says hello after each pause: pausing again would never end
    noteShortLived();
    controller.pause();
    this.#taking = this.#taking.then(async () => {
      try {
        if (!this.#ended) await sink(chunk);
        if (!this.#ended) controller.resume();
      } catch (error) {
        this.#abandon(error);
      }
    });
  }

  #abandonTooLarge(): void {
    const message = `the answer is longer than ${this.#request.bodyBytesMax} bytes`;
    this.#abandon(new HttpFailure('too-large', message));
  }

  #abandon(reason: unknown): void {
    if (!this.#end()) return;
    this.#reject(reason);
    this.#controller?.abort(new Error('abandoned'));
  }

  /** False if the exchange had ended already. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#request.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

function failureKind(error: Error, sent: boolean): HttpFailureKind {
  if (!sent) return 'unreachable';
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT' ? 'timeout' : 'cut';
}

function joinedHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const joined: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return joined;
}

function contentLength(body: HttpRequest['body']): Record<string, string> {
  if (body === undefined) return {};
  return { 'content-length': String('pieces' in body ? body.length : summedLength(body)) };
}

function requestBody(parts: HttpRequest['body']): Uint8Array | AsyncIterable<Uint8Array> | null {
  if (parts === undefined) return null;
  if ('pieces' in parts) return noted(parts.pieces());
  noteBuffers(summedLength(parts));
  const [first] = parts;
  if (parts.length === 1) return first!;
  return summedLength(parts) <= JOINED_BODY_BYTES_MAX ? Buffer.concat(parts) : inTurn(parts);
}

function summedLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

async function* noted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    noteBuffers(piece.length);
    yield piece;
  }
}

async function* inTurn(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function decoded(answer: ReceivedAnswer, bytesMax: number): Promise<Uint8Array> {
  const encoding = (answer.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return answer.body;
  if (answer.body.length === 0 && (answer.status === 204 || answer.status === 304)) return answer.body;
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new HttpFailure(
      'cut',
      `the answer is encoded as ${printable(truncated(encoding, 50))}, which nobody asked for`,
    );
  }
  return await new Promise((resolve, reject) => {
    gunzip(answer.body, { maxOutputLength: bytesMax, chunkSize: 256 * 1024 }, (error, bytes) => {
      if (error === null) return resolve(bytes);
      const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      if (tooLarge)
        reject(new HttpFailure('too-large', `the answer is longer than ${bytesMax} bytes`, error));
      else reject(new HttpFailure('cut', `the compressed answer cannot be decoded: ${error.message}`, error));
    });
  });
}
