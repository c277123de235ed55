import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpFailure, type HttpRequest, type HttpResponse } from '../../../src/kernel/http.ts';
import { UndiciHttp } from '../../../src/platform/undici-http.ts';
import { answerJson, startHttpServer } from '../../support/http-server.ts';
import { startRawServer } from '../../support/raw-server.ts';
import { SELF_SIGNED } from '../../support/self-signed.ts';

let http: UndiciHttp;
beforeAll(() => {
  http = new UndiciHttp(4);
});
afterAll(() => http.close());

function send(url: string, more: Partial<HttpRequest> = {}): Promise<HttpResponse> {
  return http.request({
    method: 'GET',
    url,
    headers: {},
    timeoutMs: 5000,
    bodyBytesMax: 1_000_000,
    repeatable: true,
    ...more,
  });
}

async function failureOf(answer: Promise<HttpResponse>): Promise<HttpFailure> {
  const failure = await answer.then(
    (response) => `resolved with ${response.status}: ${Buffer.from(response.body).toString()}`,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(HttpFailure);
  return failure as HttpFailure;
}

const text = (response: HttpResponse): string => Buffer.from(response.body).toString();

describe('requests', () => {
  it('arrive as they were made', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 201, {}));
    const large = Buffer.alloc(200_000, 'x');
    const bodies = [
      [],
      [Buffer.from('one')],
      [Buffer.from('one'), Buffer.from('two')],
      [large, Buffer.from('end')],
    ];
    for (const body of bodies) {
      const url = `${server.url}/a%2Fb/%2e%2e?q=%20#fragment`;
      const answer = await send(url, { method: 'POST', body, headers: { 'x-a': 'b' } });
      expect(answer.status).toBe(201);
    }
    for (const [at, request] of server.requests.entries()) {
      const sent = Buffer.concat(bodies[at]!);
      expect(request.headers).toMatchObject({ 'x-a': 'b', 'content-length': String(sent.length) });
      expect(request.body.equals(sent)).toBe(true);
    }
  });

  it('never follow a redirect', async () => {
    await using server = await startHttpServer((_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end('moved');
    });
    const answer = await send(server.url);
    expect([answer.status, answer.headers.location, text(answer)]).toEqual([302, '/elsewhere', 'moved']);
    expect(server.requests).toHaveLength(1);
  });

  it('use a bounded number of connections, and use them again', async () => {
    await using server = await startRawServer((socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), 10);
    });
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(server.url)));
    expect(answers.map(text)).toEqual(Array.from({ length: 20 }, () => 'ok'));
    expect(server.connectionCount).toBe(4);
  });
});

describe('answers', () => {
  it('come whole, with and without an announced length, owned by the receiver', async () => {
    const page = Buffer.alloc(300_000, 'abc');
    await using server = await startHttpServer((request, response) => {
      if (request.url === '/announced') response.setHeader('content-length', page.length);
      response.write(page.subarray(0, 1000));
      response.end(page.subarray(1000));
    });
    for (const path of ['/announced', '/chunked']) {
      const answer = await send(server.url + path);
      expect(page.equals(answer.body)).toBe(true);
      answer.body.fill(0);
    }
    expect(page.equals((await send(server.url)).body)).toBe(true);
  });

  it('join repeated headers and skip interim answers', async () => {
    await using server = await startRawServer((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
      socket.write('HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\nok');
    });
    const answer = await send(server.url);
    expect([answer.status, answer.headers['x-a'], text(answer)]).toEqual([200, '1, 2', 'ok']);
    expect(answer.headers.link).toBeUndefined();
  });

  it('are decoded from gzip, and refused in other encodings', async () => {
    const page = Buffer.alloc(300_000, 'abc');
    await using server = await startHttpServer((request, response) => {
      const encoding = request.url.slice(1);
      const nothing = encoding === 'none';
      response.writeHead(nothing ? 204 : 200, { 'content-encoding': nothing ? 'gzip' : encoding });
      response.end(encoding === 'identity' ? page : gzipSync(page));
    });
    for (const encoding of ['gzip', 'x-gzip', 'GZIP', 'identity']) {
      expect(page.equals((await send(`${server.url}/${encoding}`)).body), encoding).toBe(true);
    }
    expect((await send(`${server.url}/none`)).body).toHaveLength(0);
    const failure = await failureOf(send(`${server.url}/br`));
    expect([failure.kind, failure.message]).toEqual(['cut', expect.stringContaining('br')]);
  });

  it('can be dropped unread, but not where they tell of an error', async () => {
    await using server = await startHttpServer((request, response) => {
      response.writeHead(Number(request.url.slice(1))).end('x'.repeat(100_000));
    });
    const dropped = await send(`${server.url}/200`, { wantBody: false, bodyBytesMax: 10 });
    expect([dropped.status, dropped.body.length]).toEqual([200, 0]);
    expect((await send(`${server.url}/400`, { wantBody: false })).body).toHaveLength(100_000);
  });
});

describe('failures', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
  const zipped = gzipSync('[{"id":1},{"id":2}]');

  it.each([
    ['announced longer than it is', `${head}content-length: 100\r\n\r\n`, '[{"id":1}'],
    ['chunked without an end', `${head}transfer-encoding: chunked\r\n\r\n`, '9\r\n[{"id":1}\r\n'],
    [
      'compressed, ended too early though all that was announced came',
      `${head}content-encoding: gzip\r\ncontent-length: ${zipped.length - 5}\r\n\r\n`,
      zipped.subarray(0, zipped.length - 5),
    ],
    [
      'compressed, ended too early with the connection',
      `${head}content-encoding: gzip\r\n\r\n`,
      zipped.subarray(0, 15),
    ],
    ['compressed, but empty', `${head}content-encoding: gzip\r\ncontent-length: 0\r\n\r\n`, ''],
    ['only a part of the headers', 'HTTP/1.1 200 OK\r\ncontent-', ''],
    ['nothing at all', '', ''],
    ['not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', ''],
  ])('an answer that is %s is cut', async (_name, answerHead, body) => {
    await using server = await startRawServer((socket) => {
      socket.write(answerHead);
      socket.end(body);
    });
    expect((await failureOf(send(server.url))).kind).toBe('cut');
  });

  it('a body that ends with the connection cannot be told from a whole one: its reader must', async () => {
    await using server = await startRawServer((socket) => void socket.end(`${head}\r\n[{"id":1}`));
    expect(text(await send(server.url))).toBe('[{"id":1}');
  });

  it('a reset after sending is cut', async () => {
    await using server = await startRawServer((socket) => void socket.resetAndDestroy());
    expect((await failureOf(send(server.url, { method: 'POST', body: [Buffer.from('x')] }))).kind).toBe(
      'cut',
    );
  });

  it('a server that is not there is unreachable', async () => {
    const { url } = await startHttpServer(() => {}).then(async (server) => {
      await server[Symbol.asyncDispose]();
      return server;
    });
    const failure = await failureOf(send(url));
    expect([failure.kind, failure.message]).toEqual(['unreachable', expect.stringContaining('ECONNREFUSED')]);
    expect((await failureOf(send('http://host.invalid/'))).kind).toBe('unreachable');
  });

  it('silence before the headers and within the body is a timeout', async () => {
    await using server = await startRawServer((socket, request) => {
      if (request.startsWith('GET /body')) socket.write(`${head}content-length: 10\r\n\r\n[`);
    });
    for (const path of ['/headers', '/body']) {
      expect((await failureOf(send(server.url + path, { timeoutMs: 500 }))).kind, path).toBe('timeout');
    }
  });

  it('an answer beyond the limit is too large, however it comes', async () => {
    const page = Buffer.alloc(5000, 'a');
    await using server = await startHttpServer((request, response) => {
      if (request.url === '/announced') response.setHeader('content-length', page.length);
      if (request.url === '/zipped') response.setHeader('content-encoding', 'gzip');
      response.end(request.url === '/zipped' ? gzipSync(page) : page);
    });
    for (const path of ['/announced', '/chunked', '/zipped']) {
      const failure = await failureOf(send(server.url + path, { bodyBytesMax: 4999 }));
      expect(failure.kind, path).toBe('too-large');
      expect((await send(server.url + path, { bodyBytesMax: 5000 })).body).toHaveLength(5000);
    }
  });

  it('a certificate that nobody trusts is never accepted', async () => {
    const requests: unknown[] = [];
    const server = createTlsServer(SELF_SIGNED, (request) => requests.push(request.url));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = (server.address() as AddressInfo).port;
    const failure = await failureOf(send(`https://localhost:${port}/`));
    expect([failure.kind, failure.message]).toEqual(['unreachable', expect.stringContaining('certificate')]);
    expect(requests).toEqual([]);
    server.close();
  });
});

describe('an aborted request', () => {
  const reason = new Error('the user had enough');

  it('is not sent if it was aborted before', async () => {
    await using server = await startHttpServer(() => {});
    await expect(send(server.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.requests).toHaveLength(0);
  });

  it.each(['/headers', '/body'])('rejects with the reason while it waits for %s', async (path) => {
    const controller = new AbortController();
    await using server = await startRawServer((socket, head) => {
      if (head.includes('/body')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[');
      setTimeout(() => controller.abort(reason), 20);
    });
    await expect(send(server.url + path, { signal: controller.signal })).rejects.toBe(reason);
  });

  it('rejects while it waits for a connection, and is never sent', async () => {
    const lonely = new UndiciHttp(1);
    const release: (() => void)[] = [];
    await using server = await startHttpServer((_request, response) => {
      release.push(() => response.end());
    });
    const controller = new AbortController();
    const request = {
      method: 'GET',
      headers: {},
      timeoutMs: 5000,
      bodyBytesMax: 10,
      repeatable: true,
    } as const;
    const first = lonely.request({ ...request, url: `${server.url}/first` });
    const second = lonely.request({ ...request, url: `${server.url}/second`, signal: controller.signal });
    setTimeout(() => controller.abort(reason), 50);
    await expect(second).rejects.toBe(reason);
    release[0]!();
    await first;
    await lonely.close();
    expect(server.requests.map(({ url }) => url)).toEqual(['/first']);
  });
});

describe('a body that is streamed', () => {
  it('arrives whole, with its length, and is made anew for each request', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 200, {}));
    let pulled = 0;
    const body = {
      length: 5_000_000,
      async *pieces() {
        const piece = Buffer.alloc(500_000);
        for (let index = 0; index < 10; index++) {
          pulled++;
          piece.fill(index);
          yield Buffer.from(piece);
        }
      },
    };
    for (let index = 0; index < 2; index++) await send(server.url, { method: 'POST', body });
    expect(pulled).toBe(20);
    for (const request of server.requests) {
      expect(request.headers['content-length']).toBe('5000000');
      expect(request.body[4_999_999]).toBe(9);
    }
  });

  it('that fails ends the request', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 200, {}));
    const body = {
      length: 100,
      async *pieces() {
        yield Buffer.alloc(50);
        throw new Error('the disk failed');
      },
    };
    expect((await failureOf(send(server.url, { method: 'POST', body }))).kind).toBe('cut');
    expect(server.requests).toEqual([]);
  });
});

describe('an answer that is received in pieces', () => {
  const SIZE = 40_000_000;
  const serving = () =>
    startHttpServer((request, response) => {
      const length = request.url === '/cut' ? SIZE + 1 : SIZE;
      response.writeHead(request.url === '/missing' ? 404 : 200, { 'content-length': length });
      response.end(Buffer.alloc(SIZE, 'a'), () => request.url === '/cut' && response.destroy());
    });

  it('goes to the sink, each piece waited for, however long it is', async () => {
    await using server = await serving();
    let length = 0;
    let underWay = 0;
    let most = 0;
    const answer = await send(server.url, {
      receive: ({ status, headers }) => {
        expect([status, headers['content-length']]).toEqual([200, String(SIZE)]);
        return async (piece) => {
          most = Math.max(most, ++underWay);
          await new Promise(setImmediate);
          underWay--;
          length += piece.length;
        };
      },
    });
    expect([answer.status, answer.body.length, length, most]).toEqual([200, 0, SIZE, 1]);
  });

  it('is not taken where there is no sink for its head', async () => {
    await using server = await serving();
    const receive = ({ status }: { status: number }) => (status === 200 ? () => {} : null);
    const answer = await send(`${server.url}/missing`, { receive, bodyBytesMax: SIZE });
    expect([answer.status, answer.body.length]).toEqual([404, SIZE]);
  });

  it('fails as any other where it is cut, and with what the sink throws', async () => {
    await using server = await serving();
    const cut = await failureOf(send(`${server.url}/cut`, { receive: () => () => {} }));
    expect(cut.kind).toBe('cut');
    const reason = new Error('enough');
    const throwing = () => {
      throw reason;
    };
    await expect(send(server.url, { receive: () => throwing })).rejects.toBe(reason);
    await expect(send(server.url, { receive: throwing })).rejects.toBe(reason);
  });

  it('can take longer than the silence that is tolerated', async () => {
    await using server = await serving();
    let pieces = 0;
    const receive = () => async () => {
      if (pieces++ === 1) await new Promise((resolve) => setTimeout(resolve, 2500));
    };
    expect((await send(server.url, { receive, timeoutMs: 1000 })).status).toBe(200);
  });
});
