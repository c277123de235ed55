import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { ZerodbClient } from '../../../src/zerodb/client.ts';
import { findDialect } from '../../../src/zerodb/probe.ts';
import { answerJson, startHttpServer, type TestServer } from '../../support/http-server.ts';
import { startRawServer } from '../../support/raw-server.ts';
import { SELF_SIGNED } from '../../support/self-signed.ts';
import { type TestPlatform, testPlatform } from '../../support/test-platform.ts';

/** A client with a clock on which waiting takes no time; what a socket takes is real. */
function clientOf(baseUrl: string, timeoutMs = 1000): { client: ZerodbClient; platform: TestPlatform } {
  const platform = testPlatform();
  const client = new ZerodbClient(platform, { baseUrl, baseUrlName: 'ZERODB_API_BASE_URL', timeoutMs });
  return { client, platform };
}

async function openingError(baseUrl: string): Promise<{ error: BackupError; platform: TestPlatform }> {
  const { client, platform } = clientOf(baseUrl);
  const error: unknown = await findDialect(client, { project: 'p' }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BackupError);
  return { error: error as BackupError, platform };
}

async function startTlsServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createTlsServer(SELF_SIGNED, (_request, response) => response.end('{}'));
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a server that has never answered', () => {
  it('refuses connections: a few attempts, and the setting is named', async () => {
    const { error, platform } = await openingError('http://127.0.0.1:1');
    expect(error.message).toMatch(
      /^cannot open the server: 127\.0\.0\.1:1 cannot be reached: nothing listens there.*; tried 3 times in \d s$/,
    );
    expect(error).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      cure: 'Check host and port in ZERODB_API_BASE_URL, and that the server is running.',
    });
    expect(platform.clock.elapsedMs).toBeLessThan(5000);
    expect(platform.logged[0]!.message).toContain('trying again');
  });

  it('has a name that nobody knows', async () => {
    const { error, platform } = await openingError('https://no-such-host.invalid');
    expect(error).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      cure: expect.stringContaining('how the host is spelt in ZERODB_API_BASE_URL'),
    });
    expect(error.message).toContain('no-such-host.invalid');
    expect(platform.clock.elapsedMs).toBeLessThan(5000);
  });

  it('speaks plain HTTP where TLS is asked for: one attempt, no words of OpenSSL', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 200, {}));
    const { error } = await openingError(server.url.replace('http:', 'https:'));
    expect(error.message).toContain('it does not speak TLS');
    expect(error.message).toContain('tried once');
    expect(error.message).not.toMatch(/SSL routines|deps\/openssl/);
    expect(error.cure).toContain('write http:// in ZERODB_API_BASE_URL');
  });

  it('speaks TLS where plain HTTP is asked for', async () => {
    await using server = await startTlsServer();
    const { error, platform } = await openingError(`http://127.0.0.1:${server.port}`);
    expect(error.message).toContain('hung up without an answer');
    expect(error.cure).toContain('write https:// in ZERODB_API_BASE_URL');
    expect(platform.clock.elapsedMs).toBeLessThan(5000);
  });

  it('has a certificate that nobody signed: one attempt', async () => {
    await using server = await startTlsServer();
    const { error } = await openingError(`https://127.0.0.1:${server.port}`);
    expect(error.message).toContain('its certificate is not trusted: self-signed certificate');
    expect(error.message).toContain('tried once');
    expect(error.cure).toContain('NODE_EXTRA_CA_CERTS');
  });

  it('speaks something else', async () => {
    await using server = await startRawServer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    const { error } = await openingError(server.url);
    expect(error.message).toContain('its answer is not HTTP');
    expect(server.connectionCount).toBe(3);
  });

  it('takes the request and says nothing', async () => {
    await using server = await startRawServer(() => {});
    const { error } = await openingError(server.url);
    expect(error.message).toContain('sent no answer in time');
    expect(error.cure).toContain('a firewall or a proxy');
    expect(server.connectionCount).toBeLessThanOrEqual(3);
  });

  it('redirects: said, with the whole new address', async () => {
    await using server = await startHttpServer((_request, response) => {
      response.writeHead(301, { location: 'https://api.example.com/v1/' }).end();
    });
    const { error } = await openingError(server.url);
    expect(error.message).toContain('redirects to https://api.example.com');
    expect(server.requests).toHaveLength(1);
  });

  it('answers with somebody’s web page: its title is shown', async () => {
    await using server = await startHttpServer((_request, response) => {
      response.writeHead(400, { 'content-type': 'text/html' });
      response.end(
        '<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>',
      );
    });
    const { error } = await openingError(server.url);
    expect(error.message).toContain('plain HTTP request was sent to HTTPS port');
  });
});

describe('a server that has answered and is gone', () => {
  const request = { method: 'GET', path: ['x'], repeatable: true } as const;
  const task = { task: 'read x' };

  async function gone(): Promise<{ client: ZerodbClient; platform: TestPlatform; server: TestServer }> {
    const server = await startHttpServer((_request, response) => answerJson(response, 200, {}));
    const opened = clientOf(server.url);
    await opened.client.ask(request, task);
    await server[Symbol.asyncDispose]();
    return { ...opened, server };
  }

  it('is waited for two minutes, which is said with the time that is left', async () => {
    const { client, platform } = await gone();
    const { clock, logged } = platform;
    await expect(client.ask(request, task)).rejects.toMatchObject({
      code: expect.stringMatching(/^SOURCE_(?:UNREACHABLE|FAILED)$/),
      message: expect.stringMatching(/tried \d\d times in 1[12]\d s$/),
      cure: expect.stringContaining('when the server is back'),
    });
    expect(clock.elapsedMs).toBeGreaterThan(110_000);
    expect(clock.elapsedMs).toBeLessThan(130_000);
    const told = logged.map(({ message }) => message);
    expect(told[0]).toMatch(/does not answer .*trying again for another 120 s$/);
    expect(told.length).toBeGreaterThan(8);
    expect(told.length).toBeLessThan(15);
  });

  it('is waited for once, not again by every request', async () => {
    const { client, platform } = await gone();
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => client.ask(request, task)));
    expect(all.every(({ status }) => status === 'rejected')).toBe(true);
    const { elapsedMs } = platform.clock;
    expect(elapsedMs).toBeLessThan(130_000);
    for (let later = 0; later < 5; later++)
      await expect(client.ask(request, task)).rejects.toThrow('tried once');
    expect(platform.clock.elapsedMs - elapsedMs).toBeLessThan(1000);
  });

  it('may come back: that is said, and the next outage gets the whole patience again', async () => {
    let asleep = 0;
    await using server = await startRawServer((socket) => {
      if (asleep > 0) socket.destroy();
      else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
      asleep--;
    });
    const { client, platform } = clientOf(server.url);
    await client.ask(request, task);
    for (let outage = 0; outage < 2; outage++) {
      asleep = 4;
      await client.ask(request, task);
      expect(platform.logged.at(-1)!.message).toMatch(/answers again, after \d+ s$/);
    }
    expect(platform.logged.filter(({ message }) => message.includes('hung up'))).toHaveLength(2);
  });
});
