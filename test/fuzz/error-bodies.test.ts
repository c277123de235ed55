import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { HttpResponse } from '../../src/kernel/http.ts';
import { Redaction } from '../../src/kernel/redaction.ts';
import { errorFields, failureOf, malformedAnswer, messageOf, saysExists } from '../../src/zerodb/answers.ts';
import { attempt, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { untrusted } from '../support/mutations.ts';

const SECRET = 'canary-4711';
const SAMPLES = [
  `{"detail":"Not authenticated with ${SECRET}","error_code":"UNAUTHORIZED"}`,
  '{"detail":[{"loc":["body","row_data"],"msg":"field required","type":"x"},{"loc":["query",0],"msg":"no"}]}',
  `{"success":false,"error":{"message":"no ${SECRET}","details":null},"expected_field":"data"}`,
  '{"error":"not_found","message":"Table already exists","details":[{"field":"name","message":"missing"}]}',
  `<!DOCTYPE html><html><title>Sign in ${SECRET}</title><body>authorization: Bearer abcdefghijkl</body></html>`,
  `upstream https://me:${SECRET}@host failed, eyJabcdefgh.eyJabcdefgh.abc`,
];
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

const response: fc.Arbitrary<HttpResponse> = fc.record({
  status: fc.constantFrom(200, 204, 302, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 599),
  headers: fc.record(
    {
      'content-type': fc.constantFrom('application/json', 'text/html; charset=utf-8', '', 'x\u009b2J'),
      location: fc.oneof(
        fc.webUrl(),
        fc.string(),
        fc.constant(`https://u:${SECRET}@host/`),
        fc.constantFrom('//', `/login?next=${SECRET}`),
      ),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, string>>,
  body: untrusted(SAMPLES),
});

it('an error body of any form becomes one short line without secrets', FUZZ_TIMEOUT, async () => {
  const redaction = new Redaction();
  redaction.register(SECRET);
  const about = {
    task: 'read collection "users"',
    object: 'users',
    credentials: 'ZERODB_API_KEY',
    redaction,
  };
  await fuzz(response, 5000, async (answer) => {
    const fields = errorFields(answer);
    for (const text of [fields.code ?? '', ...fields.fields]) expect(typeof text).toBe('string');
    expect(typeof saysExists(answer)).toBe('boolean');
    const message = messageOf(answer, redaction);
    expect(message.length).toBeLessThanOrEqual(300);
    for (const make of [() => failureOf(answer, about), () => malformedAnswer(answer, about, 'no list')]) {
      const failed = await attempt(() => {
        throw make();
      });
      if (!('error' in failed)) return;
      expect(failed.error.message).not.toMatch(UNPRINTABLE);
      expect(failed.error.message.length).toBeLessThan(1000);
      expect(failed.error.message).not.toContain(SECRET);
    }
  });
});
