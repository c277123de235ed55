import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/kernel/clock.ts';
import { createSystemClock } from '../../../src/platform/system-clock.ts';
import type { Fault } from '../../../src/sandbox/misbehaviour.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { sandboxForTest } from './client.ts';

const CREATE = ['POST', '/collections/users/documents', '{"id":"u","data":{"a":1}}'] as const;
const QUERY = ['POST', '/collections/users/query', '{}'] as const;

describe('errors', () => {
  test.each([
    ['json', 'application/json'],
    ['html', 'text/html; charset=utf-8'],
    ['empty', null],
  ] as const)('with a body of kind %s', async (body, type) => {
    const { call } = await sandboxForTest({
      misbehaviour: { faults: [{ kind: 'error', status: 502, body }] },
    });
    const answer = await call(...QUERY);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([502, type]);
    expect(answer.text === '').toBe(body === 'empty');
  });

  test('before the effect leave nothing, after it the write has happened', async () => {
    const { sandbox, call } = await sandboxForTest();
    sandbox.misbehave({ faults: [{ kind: 'error' }] });
    expect((await call(...CREATE)).status).toBe(503);
    expect([sandbox.documentCount('users'), sandbox.writes]).toEqual([0, 0]);
    sandbox.misbehave({ faults: [{ kind: 'error', afterEffect: true }] });
    expect((await call(...CREATE)).status).toBe(503);
    expect([sandbox.documentCount('users'), sandbox.writes]).toEqual([1, 1]);
  });

  test('come with their rate, for their requests, as often as told', async () => {
    const { sandbox, call } = await sandboxForTest();
    sandbox.misbehave({ faults: [{ kind: 'error', rate: 0.5 }] });
    const statuses = [];
    for (let n = 0; n < 200; n++) statuses.push((await call(...QUERY)).status);
    const failed = statuses.filter((status) => status === 503).length;
    expect(failed).toBeGreaterThan(60);
    expect(failed).toBeLessThan(140);
    sandbox.misbehave({ faults: [{ kind: 'error', times: 2, on: /^POST .*\/documents$/ }] });
    expect((await call(...QUERY)).status).toBe(200);
    expect((await call(...CREATE)).status).toBe(503);
    expect((await call(...CREATE)).status).toBe(503);
    expect((await call(...CREATE)).status).toBe(201);
    sandbox.misbehave({ faults: [] });
    expect((await call(...QUERY)).status).toBe(200);
  });

  test('a login page is a 200 with HTML', async () => {
    const { sandbox, call } = await sandboxForTest();
    sandbox.misbehave({ faults: [{ kind: 'error', status: 200, body: 'html' }] });
    const answer = await call(...QUERY);
    expect([answer.status, answer.text.startsWith('<html>')]).toEqual([200, true]);
  });
});

describe('lost answers', () => {
  test.each([true, false])('with the effect done: %s', async (afterEffect) => {
    const { sandbox, call } = await sandboxForTest();
    sandbox.misbehave({ faults: [{ kind: 'lost', afterEffect, times: 1 }] });
    await expect(call(...CREATE)).rejects.toThrow('fetch failed');
    expect([sandbox.documentCount('users'), sandbox.writes]).toEqual(afterEffect ? [1, 1] : [0, 0]);
    expect((await call(...QUERY)).status).toBe(200);
  });
});

describe('429', () => {
  const NOW = Date.UTC(2025, 0, 9, 15, 30, 0);

  test.each([
    ['seconds', '7'],
    ['date', 'Thu, 09 Jan 2025 15:30:07 GMT'],
    ['missing', null],
    [{ verbatim: 'soon' }, 'soon'],
    [{ verbatim: '-5' }, '-5'],
  ] as const)('says when to come again as %o', async (retryAfter, expected) => {
    const clock = { now: () => NOW, monotonic: () => NOW, sleep: async () => {} };
    const { sandbox, call } = await sandboxForTest({ clock });
    sandbox.misbehave({ faults: [{ kind: 'too-many', retryAfter, seconds: 7 }] });
    const answer = await call(...QUERY);
    expect([answer.status, answer.json.error_code]).toEqual([429, 'RATE_LIMIT_EXCEEDED']);
    expect(answer.headers.get('retry-after')).toBe(expected);
  });

  test('a rate limit is enforced, and lets through again what it says', async () => {
    let now = NOW;
    const clock = { now: () => now, monotonic: () => now, sleep: async () => {} };
    const { sandbox, call } = await sandboxForTest({ clock });
    sandbox.misbehave({ rateLimit: { requests: 3 } });
    const statuses = async (count: number) => {
      const seen = [];
      for (let n = 0; n < count; n++) seen.push((await call(...QUERY)).status);
      return seen;
    };
    expect(await statuses(1)).toEqual([200]);
    now += 20_000;
    expect(await statuses(4)).toEqual([200, 200, 429, 429]);
    expect((await call(...QUERY)).headers.get('retry-after')).toBe('40');
    now += 40_000;
    expect(await statuses(2)).toEqual([200, 429]);
    now += 60_000;
    expect(await statuses(4)).toEqual([200, 200, 200, 429]);
  });
});

describe('the way of an answer', () => {
  const cut = (framing: 'length' | 'chunked' | 'close' | 'gzip') =>
    sandboxForTest({ misbehaviour: { faults: [{ kind: 'cut', framing, times: 1, on: /query/ }] } });

  async function raw(sandbox: { url: string; apiKey: string }) {
    const init = { method: 'POST', body: '{"limit":1000}', headers: { 'x-api-key': sandbox.apiKey } };
    return fetch(`${sandbox.url}/collections/users/query`, init);
  }

  test.each([
    ['length', 'content-length'],
    ['chunked', 'transfer-encoding'],
  ] as const)('cut short in the framing %s', async (framing, header) => {
    const { sandbox } = await cut(framing);
    sandbox.insert('users', JSON.stringify({ long: 'x'.repeat(500_000) }));
    const response = await raw(sandbox);
    expect([response.status, response.headers.has(header)]).toEqual([200, true]);
    await expect(response.text()).rejects.toThrow('terminated');
    expect((await (await raw(sandbox)).text()).endsWith('}')).toBe(true);
  });

  test('cut short where only the end of the connection ends the body', async () => {
    const { sandbox } = await cut('close');
    sandbox.insert('users', JSON.stringify({ long: 'x'.repeat(500_000) }));
    const response = await raw(sandbox);
    expect(response.headers.has('content-length') || response.headers.has('transfer-encoding')).toBe(false);
    const text = await response.text();
    const whole = await (await raw(sandbox)).text();
    expect(text).toBe(whole.slice(0, whole.length >> 1));
  });

  test('cut short within a gzip stream of the announced length', async () => {
    const { sandbox } = await cut('gzip');
    for (let n = 0; n < 500; n++) sandbox.insert('users', JSON.stringify({ n: Math.sqrt(n) }));
    const response = await raw(sandbox);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    const text = await response.text().catch(() => 'refused');
    const whole = await (await raw(sandbox)).text();
    expect(text === 'refused' || text.length < whole.length).toBe(true);
  });

  test.each(['head', 'body'] as const)('stalled at its %s, then ended', async (where) => {
    const { sandbox } = await sandboxForTest();
    sandbox.insert('users', JSON.stringify({ long: 'x'.repeat(500_000) }));
    sandbox.misbehave({ faults: [{ kind: 'stall', where, ms: 300 }] });
    const began = performance.now();
    const answer = raw(sandbox);
    if (where === 'head') {
      await expect(answer).rejects.toThrow('fetch failed');
    } else {
      expect((await answer).status).toBe(200);
      expect(performance.now() - began).toBeLessThan(250);
      await expect((await answer).text()).rejects.toThrow('terminated');
    }
    expect(performance.now() - began).toBeGreaterThan(290);
  });

  test('late by the latency', async () => {
    const { call } = await sandboxForTest({ misbehaviour: { latencyMs: 120 } });
    const began = performance.now();
    expect((await call(...QUERY)).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThan(115);
  });

  test('a redirect names the same path on another host', async () => {
    const { sandbox, call } = await sandboxForTest();
    sandbox.misbehave({ faults: [{ kind: 'redirect', to: 'http://other.example' }] });
    const answer = await call('GET', '/collections/users/documents/u?x=1');
    expect(answer.status).toBe(307);
    expect(answer.headers.get('location')).toBe('http://other.example/collections/users/documents/u?x=1');
  });

  test('closing ends a stall, and leaves no timer behind', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const clock = createSystemClock();
    const listening: Clock = {
      ...clock,
      sleep(ms, signal) {
        signals.push(signal);
        return clock.sleep(ms, signal);
      },
    };
    const faults: Fault[] = [{ kind: 'stall', where: 'head', ms: 60_000 }];
    const sandbox = await startSandbox({ clock: listening, misbehaviour: { faults } });
    const answer = expect(raw(sandbox)).rejects.toThrow();
    while (signals.length === 0) await clock.sleep(5);
    await sandbox.close();
    await answer;
    expect(signals.map((signal) => signal?.aborted)).toEqual([true]);
  });
});
