import { describe, expect, test } from 'vitest';
import { sandboxForTest } from './client.ts';

const QUERY = ['POST', '/collections/users/query', '{}'] as const;
const login = { email: 'ada@example.org', password: 'correct horse', tokenSeconds: 1800 };

describe('API keys', () => {
  test.each([
    ['both', 'x-api-key', 200],
    ['both', 'authorization', 200],
    ['x-api-key', 'x-api-key', 200],
    ['x-api-key', 'authorization', 401],
    ['bearer', 'x-api-key', 401],
    ['bearer', 'authorization', 200],
  ] as const)('with keyHeader %s the key in %s gives %i', async (keyHeader, header, status) => {
    const { sandbox, call } = await sandboxForTest({ keyHeader });
    const value = header === 'authorization' ? `Bearer ${sandbox.apiKey}` : sandbox.apiKey;
    expect((await call(...QUERY, { [header]: value })).status).toBe(status);
  });

  test('wrong, missing and doubled credentials are told apart', async () => {
    const { sandbox, call } = await sandboxForTest();
    const refused = async (headers: Record<string, string>) => {
      const answer = await call(...QUERY, headers);
      return [answer.status, answer.json];
    };
    expect(await refused({})).toEqual([401, { detail: 'Not authenticated' }]);
    expect(await refused({ 'x-api-key': 'wrong' })).toEqual([
      401,
      { detail: 'Invalid API key', error_code: 'INVALID_API_KEY' },
    ]);
    expect(await refused({ authorization: 'Bearer wrong' })).toEqual([
      401,
      { detail: 'Could not validate credentials' },
    ]);
    const both = { 'x-api-key': sandbox.apiKey, authorization: `Bearer ${sandbox.apiKey}` };
    expect((await refused(both))[0]).toBe(401);
  });

  test('no write gets through without credentials', async () => {
    const { sandbox, call } = await sandboxForTest();
    const answer = await call('POST', '/collections/users/documents', '{"data":{}}', {});
    expect([answer.status, sandbox.writes, sandbox.collections]).toEqual([401, 0, []]);
  });

  test('each sandbox has a key and a project of its own', async () => {
    const { startSandbox } = await import('../../../src/sandbox/sandbox.ts');
    await using one = await startSandbox();
    await using other = await startSandbox();
    expect(one.apiKey).not.toBe(other.apiKey);
    expect(one.project).not.toBe(other.project);
  });
});

describe('login', () => {
  test.each([
    ['/v1/auth/login', 'email'],
    ['/v1/public/auth/login-json', 'username'],
    ['/api/v1/auth/login', 'email'],
  ])('at %s gives a token that works as a bearer', async (path, member) => {
    const { call } = await sandboxForTest({ login });
    const body = JSON.stringify({ [member]: login.email, password: login.password });
    const { json } = await call('POST', path, body, {});
    expect(json).toMatchObject({ token_type: 'bearer', expires_in: 1800 });
    expect((await call(...QUERY, { authorization: `Bearer ${json.access_token}` })).status).toBe(200);
    expect((await call(...QUERY, { 'x-api-key': json.access_token })).status).toBe(401);
    const claims = JSON.parse(Buffer.from(json.access_token.split('.')[1], 'base64url').toString());
    expect(Math.abs(claims.exp - Date.now() / 1000 - 1800)).toBeLessThan(10);
  });

  test('takes a form as well', async () => {
    const { call } = await sandboxForTest({ login });
    const form = new URLSearchParams({ username: login.email, password: login.password });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await call('POST', '/v1/public/auth/login', form.toString(), headers)).status).toBe(200);
  });

  test('refuses a wrong password, a body without one, and paths that are switched off', async () => {
    const { call } = await sandboxForTest({ login: { ...login, paths: ['/v1/auth/login'] } });
    const wrong = await call('POST', '/v1/auth/login', JSON.stringify({ ...login, password: 'no' }), {});
    expect(wrong.status).toBe(401);
    expect((await call('POST', '/v1/auth/login', '{"email":"x"}', {})).status).toBe(422);
    expect((await call('POST', '/api/v1/auth/login', JSON.stringify(login), {})).status).toBe(404);
    const without = await sandboxForTest();
    expect((await without.call('POST', '/v1/auth/login', JSON.stringify(login), {})).status).toBe(404);
  });

  test.each([401, 403] as const)('tokens expire with %i and can be refreshed', async (expiredStatus) => {
    let now = 1_736_000_000_000;
    const clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
    const { call } = await sandboxForTest({ login: { ...login, expiredStatus }, clock });
    const first = (await call('POST', '/api/v1/auth/login', JSON.stringify(login), {})).json;
    const status = async (token: string) =>
      (await call(...QUERY, { authorization: `Bearer ${token}` })).status;
    now += 1_799_000;
    expect(await status(first.access_token)).toBe(200);
    now += 2_000;
    expect(await status(first.access_token)).toBe(expiredStatus);
    const refresh = (token: string) =>
      call('POST', '/api/v1/auth/refresh', JSON.stringify({ refresh_token: token }), {});
    const second = (await refresh(first.refresh_token)).json;
    expect(await status(second.access_token)).toBe(200);
    expect((await refresh(first.access_token)).status).toBe(401);
    expect(await status(first.refresh_token)).toBe(401);
    expect(await status(`${second.access_token.slice(0, -2)}xx`)).toBe(401);
  });
});
