import { BackupError } from '../kernel/errors.ts';
import { type BodySink, HttpFailure, type HttpHead, type HttpResponse } from '../kernel/http.ts';
import { withPatience } from '../kernel/retry.ts';
import { failureOf, isSuccess } from './answers.ts';
import { PATIENCE, type Task, type ZerodbClient } from './client.ts';
import type { ListedObject, ObjectDialect } from './object-dialect.ts';
import { jsonOf } from './object-list.ts';

/** Longest answer in which an object may be wrapped up. */
const WRAPPED_BYTES_MAX = 64 << 20;

/** Enough is known to ask for a part only: the answer would be the bytes, and not something about them. */
type Delivery = 'unknown' | 'bytes' | 'wrapped';

/** Thrown to a request whose answer is not needed to its end. */
const ENOUGH = new Error('the rest is not needed');

/** Gets objects from one server, and remembers how it delivers them (zerodb-protocol.md §11.1). */
export class ObjectDownloads {
  readonly #client: ZerodbClient;
  readonly #dialect: ObjectDialect;
  #delivery: Delivery;
  /** Where objects can be had, by address; such links end. */
  readonly #links = new Map<string, string>();

  constructor(client: ZerodbClient, dialect: ObjectDialect) {
    this.#client = client;
    this.#dialect = dialect;
    this.#delivery = dialect.name === 'A' ? 'bytes' : 'unknown';
  }

  /**
   * Gives the bytes `[start, end)` to the sink, and what there is of them where the object is shorter. Goes on where it
   * was cut. `sizeOf` is asked where an answer does not tell by itself whether it is whole.
   */
  async download(
    object: Pick<ListedObject, 'key' | 'address'>,
    { start, end }: { start: number; end: number },
    sizeOf: () => Promise<number | null>,
    sink: BodySink,
    signal?: AbortSignal,
  ): Promise<void> {
    const progress = { offset: start };
    const taking: BodySink = (piece) => {
      progress.offset += piece.length;
      return sink(piece);
    };
    for (let isDone = start >= end; !isDone; ) {
      const before = progress.offset;
      isDone = await withPatience(
        this.#client.platform,
        PATIENCE,
        async () => {
          try {
            await this.#once(object, progress, end, sizeOf, taking, signal);
            return { done: true };
          } catch (error) {
            if (!isTemporary(error)) throw error;
            // what came is kept, and the rest asked for with new patience
            return progress.offset > before ? { done: false } : { failure: error };
          }
        },
        signal,
      );
    }
  }

  async #once(
    object: Pick<ListedObject, 'key' | 'address'>,
    progress: { readonly offset: number },
    end: number,
    sizeOf: () => Promise<number | null>,
    sink: BodySink,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const task = { task: `read ${object.key}`, object: object.key };
    const link = this.#links.get(object.address);
    const wanted = new WantedBytes(progress, end, sink);
    const ranged = link !== undefined || this.#delivery === 'bytes';
    const request = {
      method: 'GET',
      headers: { accept: '*/*', 'accept-encoding': 'identity', ...(ranged && wanted.rangeHeader) },
      repeatable: false,
      signal,
      bodyBytesMax: WRAPPED_BYTES_MAX,
      receive: (head: HttpHead) => wanted.receive(head, ranged),
    } as const;
    let response: HttpResponse;
    try {
      response =
        link === undefined
          ? await this.#client.send({ ...request, ...this.#dialect.download(object.address) }, task)
          : await this.#client.follow(link, request, task);
    } catch (error) {
      if (error === ENOUGH) return;
      if (this.#delivery !== 'unknown' || !isTooLarge(error)) throw error;
      this.#delivery = 'bytes'; // nothing that is about an object is so long
      return await this.#once(object, progress, end, sizeOf, sink, signal);
    }
    if (wanted.isReceiving) return await wanted.assertWhole(sizeOf);
    if (response.status === 416) return;
    if (link !== undefined) {
      this.#links.delete(object.address); // it may have ended: the next attempt asks for a new one
      throw linkFailed(response, link, task);
    }
    const location = response.headers.location;
    if (response.status >= 300 && response.status < 400 && location !== undefined) {
      this.#links.set(object.address, location);
      return await this.#once(object, progress, end, sizeOf, sink, signal);
    }
    if (!isSuccess(response)) throw failureOf(response, this.#client.about(task));
    await this.#unwrap(object, response, wanted, sizeOf, () =>
      this.#once(object, progress, end, sizeOf, sink, signal),
    );
  }

  /** An answer that is about the object or the object itself: links and base64 stand in objects that are none of ours. */
  async #unwrap(
    { address }: Pick<ListedObject, 'address'>,
    { headers, body }: HttpResponse,
    wanted: WantedBytes,
    sizeOf: () => Promise<number | null>,
    again: () => Promise<void>,
  ): Promise<void> {
    const value = body[0] === OPENING_BRACE ? jsonOf(body) : null;
    const facts = value === null || Array.isArray(value) ? {} : value;
    for (const name of ['download_url', 'url', 'presigned_url']) {
      const link = facts[name];
      if (typeof link !== 'string') continue;
      this.#delivery = 'wrapped';
      this.#links.set(address, link);
      return await again();
    }
    if (typeof facts.content === 'string') {
      this.#delivery = 'wrapped';
      return await wanted.take(Buffer.from(facts.content, 'base64'));
    }
    if (this.#delivery === 'unknown') this.#delivery = 'bytes';
    await wanted.take(body);
    if (headers['content-length'] === undefined) await wanted.assertWhole(sizeOf);
  }
}

const OPENING_BRACE = 0x7b;

/** Of an answer the bytes that are still wanted. */
class WantedBytes {
  isReceiving = false;
  readonly #progress: { readonly offset: number };
  readonly #end: number;
  readonly #sink: BodySink;
  /** Where in the object the next piece of the answer begins. */
  #position = 0;
  /** Where the answer ends in the object; null if it does not say. */
  #answerEnd: number | null = null;

  constructor(progress: { readonly offset: number }, end: number, sink: BodySink) {
    this.#progress = progress;
    this.#end = end;
    this.#sink = sink;
  }

  get rangeHeader(): Record<string, string> {
    const { offset } = this.#progress;
    if (offset === 0 && this.#end === Number.POSITIVE_INFINITY) return {};
    return { range: `bytes=${offset}-${this.#end === Number.POSITIVE_INFINITY ? '' : this.#end - 1}` };
  }

  /** Null for an answer that has to be looked at as a whole. */
  receive({ status, headers }: HttpHead, areBytes: boolean): BodySink | null {
    if (status === 206) {
      const range = /^bytes (\d+)-(\d+)\//.exec(headers['content-range'] ?? '');
      if (range === null || Number(range[1]) !== this.#progress.offset) {
        const sent = headers['content-range'] ?? 'nobody knows what';
        throw new BackupError(
          'SOURCE_MALFORMED',
          `asked for bytes from ${this.#progress.offset} on, the server sent ${sent}`,
        );
      }
      this.#position = Number(range[1]);
      this.#answerEnd = Number(range[2]) + 1;
    } else if (status !== 200 || !areBytes) {
      return null;
    } else {
      const length = headers['content-length'];
      this.#answerEnd = length !== undefined && /^\d+$/.test(length) ? Number(length) : null;
    }
    this.isReceiving = true;
    return (piece) => this.#takePiece(piece);
  }

  /** A whole object. */
  async take(bytes: Uint8Array): Promise<void> {
    const wanted = bytes.subarray(this.#progress.offset, this.#end);
    this.#position = bytes.length;
    if (wanted.length > 0) await this.#sink(wanted);
  }

  /** Throws HttpFailure if the answer ended before its end, which only the object's size may tell. */
  async assertWhole(sizeOf: () => Promise<number | null>): Promise<void> {
    const end = this.#answerEnd ?? (await sizeOf());
    if (end !== null && this.#position < end) throw new HttpFailure('cut', 'the answer ended early');
  }

  async #takePiece(piece: Uint8Array): Promise<void> {
    const from = Math.max(0, this.#progress.offset - this.#position);
    const wanted = piece.subarray(from, Math.max(0, this.#end - this.#position));
    this.#position += piece.length;
    if (wanted.length > 0) await this.#sink(wanted);
    const isLast = this.#answerEnd !== null && this.#position >= this.#answerEnd;
    if (this.#progress.offset >= this.#end && !isLast) throw ENOUGH;
  }
}

/** What went wrong on the way, or at the server; one that cannot be reached has had patience enough. */
function isTemporary(error: unknown): boolean {
  if (error instanceof HttpFailure) return true;
  return error instanceof BackupError && error.temporary && error.code === 'SOURCE_FAILED';
}

function isTooLarge(error: unknown): boolean {
  return error instanceof BackupError && error.code === 'SOURCE_TOO_LARGE';
}

/** Not the client's words: the server's credentials have nothing to do with it. */
function linkFailed({ status }: HttpResponse, link: string, { task, object }: Task): BackupError {
  const host = URL.canParse(link) ? new URL(link).host : 'the server';
  return new BackupError(
    'SOURCE_FAILED',
    `cannot ${task}: ${host}, which keeps the objects, answered ${status}`,
    {
      ...(object !== undefined && { object }),
      temporary: true,
      cure: 'Run the same command again later.',
    },
  );
}
