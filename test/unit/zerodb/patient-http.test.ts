import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { HttpFailure, type HttpRequest, type HttpResponse } from '../../../src/kernel/http.ts';
import type { Patience } from '../../../src/kernel/retry.ts';
import { AnswerRemarks } from '../../../src/zerodb/answer-remarks.ts';
import { Contact } from '../../../src/zerodb/contact.ts';
import { Pace } from '../../../src/zerodb/pace.ts';
import { PatientHttp, retryAfterMs } from '../../../src/zerodb/patient-http.ts';
import { startHttpServer, type TestServer } from '../../support/http-server.ts';
import { startRawServer } from '../../support/raw-server.ts';
import { type TestPlatform, testPlatform } from '../../support/test-platform.ts';

const PATIENCE: Patience = { attemptsMax: 5, delayMsFirst: 500, delayMsMax: 30_000, totalMsMax: 600_000 };

interface Client {
  readonly platform: TestPlatform;
  readonly send: (more?: Partial<HttpRequest>) => Promise<HttpResponse>;
}

function clientOf(url: string): Client {
  const platform = testPlatform();
  const pace = new Pace(platform.clock, { concurrency: 16, perMinute: null });
  const contact = new Contact(platform.clock, platform.log);
  const http = new PatientHttp(
    platform.http,
    { pace, contact, remarks: new AnswerRemarks(platform.clock), urlName: 'ZERODB_API_BASE_URL' },
    PATIENCE,
    platform,
  );
  const request = { method: 'GET', url, headers: {}, timeoutMs: 5000, bodyBytesMax: 1000 } as const;
  return { platform, send: (more) => http.request({ ...request, repeatable: true, ...more }) };
}

type Answer = number | readonly [status: number, headers: Record<string, string>];

/** Answers with the given statuses in turn, the last one for ever. */
function serving(answers: readonly Answer[]): Promise<TestServer> {
  let next = 0;
  return startHttpServer((_request, response: ServerResponse) => {
    const answer = answers[Math.min(next++, answers.length - 1)]!;
    const [status, headers] = typeof answer === 'number' ? [answer, {}] : answer;
    response.writeHead(status, headers).end('{"detail":"so it is"}');
  });
}

async function errorOf(promise: Promise<unknown>): Promise<BackupError> {
  const error = await promise.then(
    () => 'resolved',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BackupError);
  return error as BackupError;
}

describe('a repeatable request', () => {
  it.each([408, 500, 502, 503, 504, 520])('is repeated after a %d', async (status) => {
    await using server = await serving([status, status, 200]);
    const { platform, send } = clientOf(server.url);
    expect((await send()).status).toBe(200);
    expect(server.requests).toHaveLength(3);
    const [first, second] = platform.clock.sleeps;
    expect(first).toBeGreaterThanOrEqual(250);
    expect(first).toBeLessThanOrEqual(500);
    expect(second).toBeGreaterThanOrEqual(500);
    expect(second).toBeLessThanOrEqual(1000);
  });

  it.each([200, 204, 301, 400, 401, 403, 404, 409, 413, 422, 501])(
    'takes a %d for an answer',
    async (status) => {
      await using server = await serving([status]);
      expect((await clientOf(server.url).send()).status).toBe(status);
      expect(server.requests).toHaveLength(1);
    },
  );

  it('is repeated after a lost answer', async () => {
    let requests = 0;
    await using server = await startRawServer((socket) => {
      if (++requests < 3) socket.destroy();
      else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    expect((await clientOf(server.url).send()).status).toBe(200);
    expect(requests).toBe(3);
  });

  it('is given up after a while, with an error that says so', async () => {
    await using server = await serving([503]);
    const { send } = clientOf(server.url);
    const error = await errorOf(send());
    expect(server.requests).toHaveLength(PATIENCE.attemptsMax);
    expect(error).toMatchObject({
      code: 'SOURCE_FAILED',
      temporary: true,
      cure: expect.stringMatching(/\.$/),
    });
    expect(error.message).toContain('answered 503: so it is');
    expect(error.message).toContain('attempt 5');
  });

  it('waits as long as a 503 asks for', async () => {
    await using server = await serving([[503, { 'retry-after': '7' }], 200]);
    const { platform, send } = clientOf(server.url);
    await send();
    expect(platform.clock.elapsedMs).toBeGreaterThanOrEqual(7000);
    expect(platform.clock.elapsedMs).toBeLessThanOrEqual(7700);
  });

  it('is not repeated when the answer is too large', async () => {
    await using server = await startHttpServer((_request, response) => void response.end('x'.repeat(2000)));
    await expect(clientOf(server.url).send()).rejects.toMatchObject({ kind: 'too-large' });
    expect(server.requests).toHaveLength(1);
  });

  it('stops at once when aborted', async () => {
    await using server = await serving([503]);
    const reason = new Error('stop');
    const controller = new AbortController();
    const { platform, send } = clientOf(server.url);
    const { clock } = platform;
    const sleep = clock.sleep.bind(clock);
    clock.sleep = (ms, signal) => {
      queueMicrotask(() => controller.abort(reason));
      return sleep(ms, signal);
    };
    await expect(send({ signal: controller.signal })).rejects.toBe(reason);
    expect(server.requests).toHaveLength(1);
  });
});

describe('a request that is not repeatable', () => {
  const insert = { method: 'POST', body: [Buffer.from('{}')], repeatable: false } as const;

  it('gets a 5xx as its answer', async () => {
    await using server = await serving([500]);
    expect((await clientOf(server.url).send(insert)).status).toBe(500);
    expect(server.requests).toHaveLength(1);
  });

  it('gets a lost answer as a failure', async () => {
    let requests = 0;
    await using server = await startRawServer((socket) => {
      requests++;
      socket.destroy();
    });
    const failure = await clientOf(server.url)
      .send(insert)
      .catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(HttpFailure);
    expect(failure).toMatchObject({ kind: 'cut' });
    expect(requests).toBe(1);
  });

  it('is repeated after a 429, which did nothing', async () => {
    await using server = await serving([429, 429, 201]);
    expect((await clientOf(server.url).send(insert)).status).toBe(201);
    expect(server.requests).toHaveLength(3);
  });

  it('is repeated while no connection comes about', async () => {
    const gone = await serving([201]);
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    const error = await errorOf(clientOf(url).send(insert));
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE', temporary: true });
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+ cannot be reached: .*ECONNREFUSED.*tried 3 times/);
  });
});

describe('a failure of which nobody knows whether the server acted', () => {
  it('stays one, even if the server cannot be reached afterwards', async () => {
    const server = await startHttpServer((_request, response) => {
      response.socket!.destroy();
      void server[Symbol.asyncDispose]();
    });
    const error = await errorOf(clientOf(server.url).send());
    expect(error).toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringContaining('cannot be reached'),
    });
  });
});

describe('429', () => {
  it('for ever ends, with the wish of the server in the error', async () => {
    await using server = await serving([[429, { 'retry-after': '86400' }]]);
    const { platform, send } = clientOf(server.url);
    const error = await errorOf(send());
    expect(error).toMatchObject({ code: 'SOURCE_RATE_LIMITED', temporary: true });
    expect(error.message).toContain('Retry-After: 86400');
    expect(platform.clock.elapsedMs).toBeLessThanOrEqual(PATIENCE.totalMsMax);
    expect(Math.max(...platform.clock.sleeps)).toBeLessThanOrEqual(132_000);
    expect(server.requests.length).toBeGreaterThan(3);
  });

  it.each([
    ['missing', {}],
    ['garbage', { 'retry-after': 'soon' }],
    ['negative', { 'retry-after': '-5' }],
    ['zero', { 'retry-after': '0' }],
    ['in the past', { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }],
  ])('with a Retry-After that is %s does not make us hammer', async (_name, headers) => {
    await using server = await serving([[429, headers], [429, headers], [429, headers], 200]);
    const { platform, send } = clientOf(server.url);
    expect((await send()).status).toBe(200);
    expect(platform.clock.elapsedMs).toBeGreaterThanOrEqual(1500);
    expect(platform.clock.elapsedMs).toBeLessThan(60_000);
  });

  it('holds back everybody, not only the request that got it', async () => {
    await using server = await serving([[429, { 'retry-after': '30' }], 200]);
    const { platform, send } = clientOf(server.url);
    const times = await Promise.all([
      send().then(() => platform.clock.elapsedMs),
      platform.clock.sleep(1).then(async () => {
        while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
        await new Promise((resolve) => setTimeout(resolve, 50)); // the answer arrives
        await send();
        return platform.clock.elapsedMs;
      }),
    ]);
    for (const time of times) expect(time).toBeGreaterThanOrEqual(30_000);
  });

  it('is said in the log', async () => {
    await using server = await serving([[429, { 'retry-after': '30' }], 200]);
    const { platform, send } = clientOf(server.url);
    await send();
    expect(platform.logged[0]!.message).toMatch(/asks for fewer requests: waiting 3\d\.\d s/);
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 22, 10, 0, 0);
  const date = (ms: number) => new Date(ms).toUTCString();
  it.each([
    ['120', undefined, 120_000],
    [' 1.5 ', undefined, 1500],
    ['0', undefined, 0],
    [date(now + 60_000), undefined, 60_000],
    [date(now - 60_000), undefined, 0],
    // the server's clock is an hour ahead: what counts is its own
    [date(now + 3_660_000), date(now + 3_600_000), 60_000],
    [date(now + 60_000), 'nonsense', 60_000],
    ['-1', undefined, undefined],
    ['', undefined, undefined],
    ['soon', undefined, undefined],
    ['1e9', undefined, undefined],
    ['2026', undefined, 2_026_000],
    ['12-13', undefined, undefined],
  ])('%j (date %j) means %j ms', (value, serverDate, expected) => {
    const headers = { 'retry-after': value, ...(serverDate !== undefined && { date: serverDate }) };
    expect(retryAfterMs(headers, now)).toBe(expected);
  });

  it('may be missing', () => {
    expect(retryAfterMs({}, now)).toBeUndefined();
  });
});
