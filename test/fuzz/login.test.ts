import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Http } from '../../src/kernel/http.ts';
import { Redaction } from '../../src/kernel/redaction.ts';
import { Login, tokenLifeMs } from '../../src/zerodb/login.ts';
import { retryAfterMs } from '../../src/zerodb/patient-http.ts';
import { attempt, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { hostileValue, untrusted } from '../support/mutations.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const base64url = (text: string | Uint8Array): string =>
  Buffer.from(text as Uint8Array).toString('base64url');
const CLAIMS = '{"sub":"me","iat":1735689600,"exp":1735693200}';
const TOKEN = `eyJhbGciOiJIUzI1NiJ9.${base64url(CLAIMS)}.c2ln`;
const ANSWERS = [
  `{"access_token":"${TOKEN}","token_type":"bearer","expires_in":1800}`,
  `{"access_token":"opaque","expires_in":"60","user":{"id":1}}`,
  '{"detail":"Incorrect username or password"}',
];

it('an answer to a login is a token, or a BackupError', FUZZ_TIMEOUT, async () => {
  await fuzz(
    fc.tuple(untrusted(ANSWERS), fc.constantFrom(200, 201, 400, 401, 422, 503)),
    3000,
    async ([body, status]) => {
      const redaction = new Redaction();
      const http: Http = { request: async () => ({ status, headers: {}, body }), close: async () => {} };
      const credentials = { email: 'me@example.com', password: 'correct horse', name: 'ZERODB_EMAIL' };
      const clock = new VirtualClock();
      const login = new Login({
        http,
        baseUrl: 'http://host',
        credentials,
        clock,
        redaction,
        timeoutMs: 1000,
      });
      const got = await attempt(() => login.token(null));
      if (!('value' in got)) return;
      expect(status).toBeLessThan(300);
      expect(got.value).toBe((JSON.parse(body.toString()) as { access_token?: unknown }).access_token);
      expect(got.value).toMatch(/^[\x21-\x7e]+$/);
      if (got.value.length >= 4) expect(redaction.redact(got.value)).not.toContain(got.value);
    },
  );
});

it('a token lives for a time that is none or more', FUZZ_TIMEOUT, async () => {
  const token = untrusted([CLAIMS, '{"exp":1e308}']).map((claims) => `a.${base64url(claims)}.c`);
  const expiresIn = fc.oneof(fc.constant(undefined), hostileValue.map(jsonOrText), fc.double());
  await fuzz(fc.tuple(token, expiresIn, fc.nat(2 ** 42)), 4000, ([text, seconds, now]) => {
    expect(tokenLifeMs(text, seconds, now)).toBeGreaterThanOrEqual(0);
  });
});

it('a Retry-After asks for a pause that is none or more, or for nothing', FUZZ_TIMEOUT, async () => {
  const header = untrusted(['120', '1.5', 'Wed, 21 Oct 2026 07:28:00 GMT', '2026-10-21T07:28:00Z', '-1']).map(
    (value) => value.toString('latin1'),
  );
  await fuzz(fc.tuple(header, fc.option(header, { nil: undefined })), 4000, ([value, date]) => {
    const headers = { 'retry-after': value, ...(date !== undefined && { date }) };
    const wait = retryAfterMs(headers, Date.UTC(2026, 9, 21));
    expect(wait === undefined || wait >= 0).toBe(true);
    if (/^\d{1,9}$/.test(value)) expect(wait).toBe(1000 * Number(value));
  });
});

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
