import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Clock } from '../kernel/clock.ts';
import type { BodyReceiver, SandboxRequest, SandboxResponse } from './message.ts';

/** What a server asks the core. */
interface Handler {
  handle(request: SandboxRequest): SandboxResponse;
  receiver(request: Pick<SandboxRequest, 'method' | 'path' | 'headers'>): BodyReceiver | null;
}

/** Serves a core's answers over HTTP, and acts out what their deliveries say. */
export async function listen(
  handler: Handler,
  clock: Clock,
  host: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const closing = new AbortController();
  const server = createServer({ keepAliveTimeout: 60_000 }, (message, response) => {
    const head = headOf(message);
    readBody(message, handler.receiver(head))
      .then((body) =>
        send(response, handler.handle({ ...head, ...body }), (ms) => clock.sleep(ms, closing.signal)),
      )
      .catch(() => response.destroy());
  });
  await listening(server, host, port);
  const { address, family, port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`,
    close: async () => {
      closing.abort();
      const closed = promisify(server.close.bind(server))();
      server.closeAllConnections();
      await closed;
    },
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

type Body = Pick<SandboxRequest, 'body' | 'received'>;

function readBody(message: IncomingMessage, receiver: BodyReceiver | null): Promise<Body> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    message.on('data', (part: Uint8Array) => (receiver === null ? parts.push(part) : receiver.write(part)));
    message.on('end', () => {
      if (receiver !== null) resolve({ body: new Uint8Array(0), received: receiver });
      else resolve({ body: parts.length === 1 ? parts[0]! : Buffer.concat(parts) });
    });
    message.on('error', (error) => {
      receiver?.discard();
      reject(error);
    });
  });
}

function headOf(message: IncomingMessage): Omit<SandboxRequest, 'body'> {
  const queryAt = message.url!.indexOf('?');
  return {
    method: message.method!,
    path: queryAt < 0 ? message.url! : message.url!.slice(0, queryAt),
    query: new URLSearchParams(queryAt < 0 ? '' : message.url!.slice(queryAt)),
    headers: message.headers as Record<string, string | undefined>,
  };
}

type Sleep = (ms: number) => Promise<void>;

/** A delivery without delay and fate is sent within the same turn of the event loop. */
async function send(response: ServerResponse, answer: SandboxResponse, sleep: Sleep): Promise<void> {
  const { status, headers, body, stream, delivery } = answer;
  if (delivery?.delayMs) await sleep(delivery.delayMs);
  if (delivery?.fate !== undefined) return spoil(response, answer, sleep);
  const length = stream?.length ?? body.length;
  response.writeHead(status, { ...headers, ...(status !== 204 && { 'content-length': length }) });
  for (const piece of stream?.pieces ?? []) await flushed(response, piece);
  response.end(body);
}

async function spoil(
  response: ServerResponse,
  { status, headers, delivery, ...answer }: SandboxResponse,
  sleep: Sleep,
): Promise<void> {
  const body = answer.stream === undefined ? answer.body : Buffer.concat([...answer.stream.pieces]);
  const half = body.subarray(0, body.length >> 1);
  const { fate, stallMs = 0 } = delivery!;
  switch (fate) {
    case 'cut-length':
    case 'stall-body':
      response.writeHead(status, { ...headers, 'content-length': body.length });
      await flushed(response, half);
      if (fate === 'stall-body') await sleep(stallMs);
      break;
    case 'cut-chunked':
      response.writeHead(status, headers);
      await flushed(response, half);
      break;
    case 'cut-close':
      // without content-length and chunks, the end of the connection is the end of the body
      response.removeHeader('transfer-encoding');
      response.writeHead(status, { ...headers, connection: 'close' });
      response.end(half);
      return;
    case 'cut-gzip': {
      const zipped = gzipSync(body);
      const cut = zipped.subarray(0, zipped.length >> 1);
      response.writeHead(status, { ...headers, 'content-encoding': 'gzip', 'content-length': cut.length });
      response.end(cut);
      return;
    }
    case 'stall-head':
      await sleep(stallMs);
      break;
    case 'lost':
    case undefined:
  }
  response.socket?.end();
}

function flushed(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) =>
    response.write(bytes, (error) => (error ? reject(error) : resolve())),
  );
}
