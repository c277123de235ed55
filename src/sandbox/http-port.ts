import type { Clock } from '../kernel/clock.ts';
import { type Http, HttpFailure, type HttpRequest, type HttpResponse } from '../kernel/http.ts';
import type { SandboxCore } from './core.ts';
import type { SandboxResponse } from './message.ts';

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
      const answer = core.handle({ ...head, body: Buffer.concat(request.body ?? []) });
      return delivered(answer, request, clock);
    },
    async close() {},
  };
}

async function delivered(answer: SandboxResponse, request: HttpRequest, clock: Clock): Promise<HttpResponse> {
  const { delayMs = 0, fate, stallMs = 0 } = answer.delivery ?? {};
  const silenceMs = Math.max(delayMs, fate?.startsWith('stall') ? stallMs : 0);
  if (silenceMs > 0) await clock.sleep(Math.min(silenceMs, request.timeoutMs), request.signal);
  if (silenceMs > request.timeoutMs) throw new HttpFailure('timeout', `no answer from ${request.url}`);
  if (fate !== undefined && fate !== 'cut-close') {
    throw new HttpFailure('cut', `the connection ended before the answer of ${request.url} was whole`);
  }
  // a body that only the connection's end delimits looks whole, however short it is
  const body = fate === 'cut-close' ? answer.body.subarray(0, answer.body.length >> 1) : answer.body;
  if (body.length > request.bodyBytesMax) {
    throw new HttpFailure('too-large', `the answer of ${request.url} has ${body.length} bytes`);
  }
  const dropped = request.wantBody === false && answer.status < 400;
  return { status: answer.status, headers: answer.headers, body: dropped ? new Uint8Array(0) : body };
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
