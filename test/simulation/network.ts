import { type Http, HttpFailure, type HttpRequest, type HttpResponse } from '../../src/kernel/http.ts';
import type { SandboxCore } from '../../src/sandbox/core.ts';
import type { Dice } from '../../src/sandbox/dice.ts';
import { sandboxHttp } from '../../src/sandbox/http-port.ts';
import type { FaultKind } from './faults.ts';
import type { Surroundings, ToolProcess } from './tool-process.ts';

export const SERVER = 'http://zerodb.test';

/** The one server there is. */
export interface Network {
  readonly server: SandboxCore;
  /** Milliseconds that an answer takes at most. */
  readonly latencyMs: number;
  /** Called around everything that the server does for somebody. */
  readonly actsFor: <Result>(name: string, act: () => Result) => Result;
}

/** The network of one process. */
export function networkOf(process: ToolProcess, { scheduler, network }: Surroundings): Http {
  let latency = 0;
  return {
    async request(request: HttpRequest): Promise<HttpResponse> {
      if (!request.url.startsWith(`${SERVER}/`))
        throw new Error(`a request to a strange host: ${request.url}`);
      const { clock } = process.platform;
      const served = (): Promise<HttpResponse> =>
        network.actsFor(process.name, () => sandboxHttp(network.server, clock).request(request));
      latency = (latency * 7 + 13) % (network.latencyMs + 1);
      const travels = (): Promise<void> => scheduler.sleep(process, latency, request.signal);
      const spoilt = (kind: FaultKind, dice: Dice): Promise<HttpResponse> | null => {
        const fail = (failure: 'unreachable' | 'timeout' | 'cut'): never => {
          throw new HttpFailure(failure, `${kind}: ${SERVER}`);
        };
        const silence = async (): Promise<never> => {
          await scheduler.sleep(process, request.timeoutMs, request.signal);
          return fail('timeout');
        };
        const broken = dice.pick([500, 502, 503, 504]);
        switch (kind) {
          case 'unreachable':
            return travels().then(() => fail('unreachable'));
          case 'lost before':
            return travels().then(() => fail('cut'));
          case 'lost after':
            return served().then(() => fail('cut'));
          case 'silent before':
            return silence();
          case 'silent after':
            return served().then(silence);
          case 'fails before':
            return travels().then(() => answer(broken, '{"detail":"a bad day"}'));
          case 'fails after':
            return served().then(() => answer(broken, '{"detail":"a bad day"}'));
          case '429':
            return travels().then(() => answer(429, '{"detail":"slowly"}', dice.pick(RETRY_AFTER)));
          case 'html':
            return travels().then(() => answer(200, '<html><body>Log in</body></html>'));
          case 'empty':
            return travels().then(() => answer(200, ''));
          case 'shortened':
            return served().then((whole) => ({
              ...whole,
              body: whole.body.subarray(0, dice.below(whole.body.length + 1)),
            }));
          default:
            return null;
        }
      };
      return await process.call(
        `http.${request.method}`,
        request.url.slice(SERVER.length),
        () => travels().then(served),
        spoilt,
      );
    },
    async close() {},
  };
}

const RETRY_AFTER = [undefined, '0', '1', '30', '3600', 'soon', '-1', 'Sat, 14 Mar 2026 09:27:30 GMT'];

function answer(status: number, body: string, retryAfter?: string): HttpResponse {
  const headers = { 'content-type': body.startsWith('<') ? 'text/html' : 'application/json' };
  return {
    status,
    headers: retryAfter === undefined ? headers : { ...headers, 'retry-after': retryAfter },
    body: Buffer.from(body),
  };
}
