import { describe, expect, it } from 'vitest';
import type { Http, HttpRequest, HttpResponse } from '../../../src/kernel/http.ts';
import { type SandboxOptions, startSandbox } from '../../../src/sandbox/sandbox.ts';
import { Authentication } from '../../../src/zerodb/authentication.ts';
import { type ClientOptions, ZerodbClient } from '../../../src/zerodb/client.ts';
import { tokenLifeMs } from '../../../src/zerodb/login.ts';
import { answerJson, type ReceivedRequest, startHttpServer } from '../../support/http-server.ts';
import { testPlatform } from '../../support/test-platform.ts';

const KEY = { value: 'zdb_0123456789', name: 'ZERODB_API_KEY' };
const LOGIN = {
  email: 'me@example.com',
  password: 'correct horse',
  name: 'ZERODB_EMAIL and ZERODB_PASSWORD',
};
const TASK = { task: 'read collection "users"', object: 'users' };

const READ = {
  method: 'POST',
  path: ['collections', 'users', 'query'],
  body: [Buffer.from('{}')],
  repeatable: true,
} as const;

/** A sandbox and a client that share one clock; counts logins. */
async function open(sandboxOptions: SandboxOptions, clientOptions: Partial<ClientOptions>) {
  const platform = testPlatform();
  const sandbox = await startSandbox({ apiKey: KEY.value, clock: platform.clock, ...sandboxOptions });
  const headers: ('key' | 'bearer' | 'both' | 'none')[] = [];
  let logins = 0;
  sandbox.beforeRequest((request) => {
    if (request.path.includes('/auth/')) logins++;
    const [key, bearer] = [request.headers['x-api-key'], request.headers.authorization];
    headers.push(
      key === undefined ? (bearer === undefined ? 'none' : 'bearer') : bearer === undefined ? 'key' : 'both',
    );
  });
  const client = new ZerodbClient(platform, {
    baseUrl: sandbox.url,
    redaction: platform.redaction,
    ...clientOptions,
  });
  return {
    platform,
    sandbox,
    client,
    headers,
    read: () => client.ask(READ, TASK),
    get logins() {
      return logins;
    },
    [Symbol.asyncDispose]: () => sandbox.close(),
  };
}

describe('an API key', () => {
  it('goes in X-API-Key where the server takes it there', async () => {
    await using world = await open({ keyHeader: 'both' }, { apiKey: KEY });
    await world.read();
    await world.read();
    expect(world.headers).toEqual(['key', 'key']);
  });

  it('goes as bearer where the server wants that, and only there from then on', async () => {
    await using world = await open({ keyHeader: 'bearer' }, { apiKey: KEY });
    await world.read();
    await world.read();
    expect(world.headers).toEqual(['key', 'bearer', 'bearer']);
  });

  it('is found as bearer also where a missing one is a 403', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.headers.authorization === undefined)
        answerJson(response, 403, { detail: 'Not authenticated' });
      else answerJson(response, 200, []);
    });
    const client = new ZerodbClient(testPlatform(), { baseUrl: server.url, apiKey: KEY });
    expect((await client.ask(READ, TASK)).status).toBe(200);
    expect(server.requests).toHaveLength(2);
  });

  it('that is wrong is tried once each way and named in the error, its value nowhere', async () => {
    const wrong = { value: 'zdb_wrong-one', name: 'ZERODB_API_KEY' };
    await using world = await open({}, { apiKey: wrong });
    await expect(world.read()).rejects.toMatchObject({
      code: 'SOURCE_UNAUTHORIZED',
      cure: expect.stringContaining('ZERODB_API_KEY'),
      message: expect.not.stringContaining(wrong.value),
    });
    expect(world.headers).toEqual(['key', 'bearer']);
  });

  it('that lacks a right gets the refusal that knew it', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.headers['x-api-key'] === KEY.value)
        answerJson(response, 403, { detail: 'this is not for you' });
      else answerJson(response, 401, { detail: 'Could not validate credentials' });
    });
    const client = new ZerodbClient(testPlatform(), { baseUrl: server.url, apiKey: KEY });
    await expect(client.ask(READ, TASK)).rejects.toMatchObject({
      code: 'SOURCE_FORBIDDEN',
      message: expect.stringContaining('this is not for you'),
    });
  });

  it('that worked before is not tried another way when it is refused', async () => {
    await using world = await open({}, { apiKey: KEY });
    await world.read();
    world.sandbox.misbehave({ forbidden: ['users'] });
    await expect(world.read()).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    expect(world.headers).toEqual(['key', 'key']);
  });

  it('gives way to a login where the server does not accept it', async () => {
    const login = { email: LOGIN.email, password: LOGIN.password, tokenSeconds: 3600 };
    await using world = await open(
      { login },
      { apiKey: { ...KEY, value: 'zdb_of-another-server' }, login: LOGIN },
    );
    await world.read();
    await world.read();
    expect(world.logins).toBe(1);
    expect(world.headers).toEqual(['key', 'bearer', 'none', 'bearer', 'bearer']);
  });
});

describe('a login', () => {
  const login = { email: LOGIN.email, password: LOGIN.password, tokenSeconds: 3600 };

  it('happens once, however many requests wait for it', async () => {
    await using world = await open({ login }, { login: LOGIN });
    await Promise.all(Array.from({ length: 20 }, () => world.read()));
    expect(world.logins).toBe(1);
  });

  it.each([
    ['/v1/auth/login'],
    ['/v1/public/auth/login-json'],
    ['/api/v1/auth/login'],
    ['/v1/public/auth/login'],
  ])('is found at %s', async (path) => {
    await using world = await open({ login: { ...login, paths: [path] } }, { login: LOGIN });
    await world.read();
    const tries = world.logins;
    world.platform.clock.elapsedMs += 3_500_000;
    await world.read();
    expect(world.logins).toBe(tries + 1); // the place that worked is remembered
  });

  it('is renewed five minutes before the token ends', async () => {
    await using world = await open({ login }, { login: LOGIN });
    await world.read();
    world.platform.clock.elapsedMs += 3_299_000;
    await world.read();
    expect(world.logins).toBe(1);
    world.platform.clock.elapsedMs += 2000;
    await Promise.all([world.read(), world.read()]);
    expect(world.logins).toBe(2);
    expect(world.headers.filter((header) => header === 'bearer')).toHaveLength(4);
  });

  it('uses half the life of a token that lives shorter than that', async () => {
    await using world = await open({ login: { ...login, tokenSeconds: 60 } }, { login: LOGIN });
    await world.read();
    world.platform.clock.elapsedMs += 29_000;
    await world.read();
    expect(world.logins).toBe(1);
    world.platform.clock.elapsedMs += 2000;
    await world.read();
    expect(world.logins).toBe(2);
  });

  it.each([401, 403] as const)(
    'is repeated when the server ends a token early with a %d',
    async (expiredStatus) => {
      await using world = await open({ login: { ...login, expiredStatus } }, { login: LOGIN });
      await world.read();
      // the server's clock runs ahead of what the client counts
      const { clock } = world.platform;
      const monotonic = clock.monotonic.bind(clock);
      clock.monotonic = () => 0;
      clock.elapsedMs += 4_000_000;
      await Promise.all(Array.from({ length: 5 }, () => world.read()));
      expect(world.logins).toBe(2);
      clock.monotonic = monotonic;
    },
  );

  it('is repeated as often as a token ends while its request waits', async () => {
    await using world = await open({ login: { ...login, tokenSeconds: 60 } }, { login: LOGIN });
    await world.read();
    let waits = 3;
    world.sandbox.beforeRequest(({ path }) => {
      if (path.endsWith('/query') && waits-- > 0) world.platform.clock.elapsedMs += 70_000;
    });
    await world.read();
    expect(world.logins).toBe(4);
  });

  it('is repeated only once for a request, never in a loop', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.url.includes('auth'))
        answerJson(response, 200, { access_token: `token${server.requests.length}` });
      else answerJson(response, 401, { detail: 'Token expired' });
    });
    const client = new ZerodbClient(testPlatform(), { baseUrl: server.url, login: LOGIN });
    await expect(client.ask(READ, TASK)).rejects.toMatchObject({
      code: 'SOURCE_UNAUTHORIZED',
      cure: expect.stringContaining('ZERODB_PASSWORD'),
    });
    expect(server.requests.map(({ url }) => url.includes('auth'))).toEqual([true, false, true, false]);
  });

  it('with a wrong password ends at once and names the variables, not the values', async () => {
    await using world = await open({ login }, { login: { ...LOGIN, password: 'battery staple' } });
    await expect(world.read()).rejects.toMatchObject({
      code: 'SOURCE_UNAUTHORIZED',
      message: expect.not.stringContaining('battery staple'),
      cure: expect.stringContaining('ZERODB_EMAIL and ZERODB_PASSWORD'),
    });
    expect(world.logins).toBe(1);
  });

  it('nowhere to be found says so', async () => {
    await using server = await startHttpServer((_request, response) =>
      answerJson(response, 404, { detail: 'Not Found' }),
    );
    const client = new ZerodbClient(testPlatform(), { baseUrl: server.url, login: LOGIN });
    await expect(client.ask(READ, TASK)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    expect(new Set(server.requests.map(({ url }) => url)).size).toBe(6);
  });

  it('answered without a token is malformed', async () => {
    await using server = await startHttpServer((_request, response) => {
      response.end('<html>Sign in</html>');
    });
    const client = new ZerodbClient(testPlatform(), { baseUrl: server.url, login: LOGIN });
    await expect(client.ask(READ, TASK)).rejects.toMatchObject({
      code: 'SOURCE_MALFORMED',
      message: expect.stringContaining('an HTML page'),
    });
  });

  it('shows no secret in errors, not even where the server repeats it', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.url.includes('auth')) return answerJson(response, 200, { access_token: 'opaque-token-1' });
      return answerJson(response, 400, {
        detail: `who is ${request.headers.authorization?.slice(7)} ${LOGIN.password}?`,
      });
    });
    const client = new ZerodbClient(testPlatform(), { baseUrl: server.url, login: LOGIN });
    await expect(client.ask(READ, TASK)).rejects.toMatchObject({
      message: expect.stringMatching(/: who is \[redacted\] \[redacted\]\?$/),
    });
  });
});

describe('without credentials', () => {
  it('requests go out without any, and a refusal says what to set', async () => {
    await using world = await open({}, {});
    await expect(world.read()).rejects.toMatchObject({
      code: 'SOURCE_UNAUTHORIZED',
      cure: expect.stringContaining('ZERODB_API_KEY'),
    });
    expect(world.headers).toEqual(['none']);
  });
});

describe('a redirect', () => {
  it('is an error that names the other host, and takes no credentials there', async () => {
    const elsewhere: ReceivedRequest[] = [];
    await using other = await startHttpServer((request, response) => {
      elsewhere.push(request);
      answerJson(response, 200, []);
    });
    await using world = await open(
      { misbehaviour: { faults: [{ kind: 'redirect', to: other.url }] } },
      { apiKey: KEY },
    );
    await expect(world.read()).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining(new URL(other.url).host),
    });
    expect(elsewhere).toEqual([]);
  });
});

it('reads only the beginning of a refusal, however long it is', async () => {
  // as long as a lone document may be, and longer than any text that the engine can hold
  const refusal: HttpResponse = { status: 403, headers: {}, body: new Uint8Array(2 ** 29 + 1) };
  const http: Http = { request: async () => refusal, close: async () => {} };
  const request: HttpRequest = {
    method: 'GET',
    url: 'http://host/',
    headers: {},
    timeoutMs: 1,
    bodyBytesMax: 1,
    repeatable: true,
  };
  expect((await new Authentication(KEY, null).send(http, request)).status).toBe(403);
});

describe('the life of a token', () => {
  const now = Date.UTC(2026, 10, 22);
  const jwt = (claims: object) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`;
  it.each([
    ['x', 1800, 1_800_000],
    ['x', '60', 60_000],
    [jwt({ exp: now / 1000 + 60 }), undefined, 60_000],
    [jwt({ exp: now / 1000 + 60 }), 30, 30_000],
    // the server's clock is a day off: what counts is how long it lets the token live
    [jwt({ iat: now / 1000 - 86_400, exp: now / 1000 - 86_340 }), undefined, 60_000],
    [jwt({ exp: now / 1000 - 1 }), undefined, 0],
    [jwt({ exp: 'tomorrow' }), undefined, 1_800_000],
    ['opaque', undefined, 1_800_000],
    ['opaque', 0, 1_800_000],
    ['opaque', -5, 1_800_000],
    ['opaque', '', 1_800_000],
    ['opaque', 'soon', 1_800_000],
    ['a.!!!.c', null, 1_800_000],
    [`x.${Buffer.from('{"iat":1e308,"exp":1e308}').toString('base64url')}.y`, undefined, 1_800_000],
  ])('%#', (token, expiresIn, expected) => {
    expect(tokenLifeMs(token, expiresIn, now)).toBe(expected);
  });
});
