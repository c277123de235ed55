import { type ReceivedRequest, startHttpServer, type TestServer } from './http-server.ts';

/** An answer on its way back; what a proxy makes of it is sent. */
export interface Passing {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/**
 * A server in front of others: `route` says whose answer a request gets, `pass` may change that answer. Dates and ages are
 * those of the proxy.
 */
export function startProxy(
  route: (request: ReceivedRequest) => string,
  pass: (answer: Passing, request: ReceivedRequest) => Passing = (answer) => answer,
): Promise<TestServer> {
  return startHttpServer(async (request, response) => {
    const { method, url, headers, body } = request;
    const kept = ['accept', 'authorization', 'content-type', 'x-api-key'].flatMap((name) =>
      typeof headers[name] === 'string' ? [[name, headers[name]] as const] : [],
    );
    const upstream = await fetch(route(request) + url, {
      method,
      headers: Object.fromEntries(kept),
      ...(body.length > 0 && { body: new Uint8Array(body) }),
      redirect: 'manual',
    });
    const answer = pass(
      {
        status: upstream.status,
        headers: { 'content-type': upstream.headers.get('content-type') ?? 'application/json' },
        body: new Uint8Array(await upstream.arrayBuffer()),
      },
      request,
    );
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    response.end(answer.body);
  });
}
