import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SandboxRequest, SandboxResponse } from './message.ts';

/** Serves a core's answers over HTTP, and acts out what an answer's delivery says. */
export async function listen(
  handle: (request: SandboxRequest) => SandboxResponse,
  host: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (message, response) => {
    readBody(message).then(
      (body) => send(response, handle(requestOf(message, body))),
      () => response.destroy(),
    );
  });
  await listening(server, host, port);
  const { address, family, port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function readBody(message: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of message) parts.push(part as Uint8Array);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

function requestOf(message: IncomingMessage, body: Uint8Array): SandboxRequest {
  const [path, query] = message.url!.split('?', 2);
  return {
    method: message.method!,
    path: path!,
    query: new URLSearchParams(query),
    headers: message.headers as Record<string, string | undefined>,
    body,
  };
}

function send(response: ServerResponse, { status, headers, body }: SandboxResponse): void {
  response.writeHead(status, { ...headers, ...(status !== 204 && { 'content-length': body.length }) });
  response.end(body);
}
