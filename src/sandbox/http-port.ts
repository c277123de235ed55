import type { Clock } from '../kernel/clock.ts';
import {
  type BodyStream,
  type Http,
  HttpFailure,
  type HttpRequest,
  type HttpResponse,
} from '../kernel/http.ts';
import type { SandboxCore } from './core.ts';
import type { BodyReceiver, SandboxRequest, SandboxResponse } from './message.ts';

/** The sandbox as a client's network: every address leads to it, and what its deliveries suffer is what a client sees. */
export function sandboxHttp(core: SandboxCore, clock: Clock): Http {
  return {
    async request(request) {
      request.signal?.throwIfAborted();
      const url = new URL(request.url);
      const head = {
        method: request.method,
        path: url.pathname,
        query: url.searchParams,
        headers: lowerCase(request.headers),
      };
      // without a pause where nothing has to be waited for: in a simulation the server acts at once
      const body = bodyAtOnce(request) ?? (await bodyInPieces(request, core.receiver(head)));
      return delivered(core.handle({ ...head, ...body }), request, clock);
    },
    async close() {},
  };
}

type Body = Pick<SandboxRequest, 'body' | 'received'>;

function bodyAtOnce({ body = [] }: HttpRequest): Body | null {
  return 'pieces' in body ? null : { body: Buffer.concat(body) };
}

async function bodyInPieces({ body, signal }: HttpRequest, receiver: BodyReceiver | null): Promise<Body> {
  const held: Uint8Array[] = [];
  try {
    for await (const piece of (body as BodyStream).pieces()) {
      signal?.throwIfAborted();
      if (receiver === null) held.push(Buffer.from(piece));
      else receiver.write(piece);
    }
  } catch (error) {
    receiver?.discard();
    throw error;
  }
  return receiver === null ? { body: Buffer.concat(held) } : { body: new Uint8Array(0), received: receiver };
}

async function delivered(answer: SandboxResponse, request: HttpRequest, clock: Clock): Promise<HttpResponse> {
  const { status, delivery, stream, body } = answer;
  const { delayMs = 0, fate, stallMs = 0 } = delivery ?? {};
  const silenceMs = Math.max(delayMs, fate?.startsWith('stall') ? stallMs : 0);
  if (silenceMs > 0) await clock.sleep(Math.min(silenceMs, request.timeoutMs), request.signal);
  if (silenceMs > request.timeoutMs) throw new HttpFailure('timeout', `no answer from ${request.url}`);
  const cut = (): HttpFailure =>
    new HttpFailure('cut', `the connection ended before the answer of ${request.url} was whole`);
  if (fate === 'lost' || fate === 'stall-head') throw cut();

  const length = stream?.length ?? body.length;
  const sentLength = fate === undefined ? length : length >> 1;
  // a body that only the connection's end delimits looks whole, however short it is
  const isCut = fate !== undefined && fate !== 'cut-close';
  const tellsLength = fate !== 'cut-close' && fate !== 'cut-chunked';
  const headers = { ...answer.headers, ...(tellsLength && { 'content-length': String(length) }) };
  const sink = request.receive?.({ status, headers }) ?? null;
  if (sink !== null) {
    let left = sentLength;
    for (const piece of stream?.pieces ?? [body]) {
      if (left > 0) await sink(piece.subarray(0, left));
      request.signal?.throwIfAborted();
      left -= piece.length;
    }
  }
  if (isCut) throw cut();
  if (sink !== null) return { status, headers, body: new Uint8Array(0) };
  if (sentLength > request.bodyBytesMax) {
    throw new HttpFailure('too-large', `the answer of ${request.url} has ${length} bytes`);
  }
  const whole = stream === undefined ? body : Buffer.concat([...stream.pieces]);
  const dropped = request.wantBody === false && status < 400;
  return { status, headers, body: dropped ? new Uint8Array(0) : whole.subarray(0, sentLength) };
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
