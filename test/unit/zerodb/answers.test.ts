import { describe, expect, it } from 'vitest';
import type { HttpResponse } from '../../../src/kernel/http.ts';
import { Redaction } from '../../../src/kernel/redaction.ts';
import {
  type About,
  errorFields,
  failureOf,
  isWebPage,
  malformedAnswer,
  messageOf,
  saysExists,
} from '../../../src/zerodb/answers.ts';

function answer(status: number, body: unknown, headers: Record<string, string> = {}): HttpResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers, body: Buffer.from(text) };
}

function aboutUsers(): About {
  const redaction = new Redaction();
  redaction.register('s3cret-value');
  return { task: 'read collection "users"', object: 'users', credentials: 'ZERODB_API_KEY', redaction };
}

describe("the server's own words", () => {
  it.each([
    [{ detail: 'Not authenticated' }, 'Not authenticated'],
    [{ detail: 'Table not found', error_code: 'TABLE_NOT_FOUND' }, 'Table not found'],
    [{ message: 'first', detail: 'second', traceId: 'x' }, 'second'],
    [{ message: 'only', timestamp: 'x' }, 'only'],
    [{ error: 'not_found_error', message: 'No such row', request_id: 'r' }, 'No such row'],
    [{ success: false, error: { message: 'Bad operation', details: null } }, 'Bad operation'],
    [{ error: 'plain' }, 'plain'],
    [
      {
        detail: [
          { loc: ['body', 'row_data'], msg: 'field required', type: 'x' },
          { loc: ['query', 'limit'], msg: 'too big' },
        ],
      },
      'body.row_data: field required; query.limit: too big',
    ],
    [{ error: { code: 1 }, details: [{ field: 'name', message: 'missing', code: 2 }] }, 'name: missing'],
    ['upstream connect error', 'upstream connect error'],
    ['<html><body>502</body></html>', 'an HTML page'],
    ['  <!DOCTYPE html><p>', 'an HTML page'],
    ['', 'empty'],
    [{ something: 'else' }, 'a JSON object'],
    [{ detail: [{ msg: { toString: 1 } }] }, 'an object'],
    [{ detail: [{ loc: [{ toString: 1 }, 'x'], msg: 'no' }] }, 'an object.x: no'],
    ['{"detail":"cut', '{"detail":"cut'],
    ['[1,2]', '[1,2]'],
  ])('in %j are %j', (body, expected) => {
    expect(messageOf(answer(500, body), new Redaction())).toBe(expected);
  });

  it('hold no secret, in the title of a page and in the goal of a redirect neither', () => {
    const about = aboutUsers();
    const page = '<html><title>Sign in again, s3cret-value</title>';
    expect(messageOf(answer(403, page), about.redaction)).toBe('an HTML page "Sign in again, [redacted]"');
    expect(malformedAnswer(answer(200, page), about, 'no list').message).not.toContain('s3cret');
    const redirect = answer(302, '', { location: '/login?key=s3cret-value' });
    expect(failureOf(redirect, about).message).toContain('redirects to /login?key=[redacted]');
  });

  it('may lie as deep as they like', () => {
    const deep = '['.repeat(20_000) + ']'.repeat(20_000);
    const words = (body: string) => messageOf(answer(400, body), new Redaction());
    expect(words(`{"detail":[{"msg":${deep}}]}`)).toBe('a list');
    expect(words(`{"detail":[{"loc":[${deep}],"msg":"no"}]}`)).toBe('a list: no');
  });

  it('are cut, escaped and redacted', () => {
    const { redaction } = aboutUsers();
    const message = messageOf(
      answer(400, { detail: `a\nb\u001b[2J s3cret-value ${'x'.repeat(1000)}` }),
      redaction,
    );
    expect(message).toMatch(/^a\\nb\\x1b\[2J \[redacted\] x+…$/);
    expect(message).toHaveLength(300);
  });
});

describe('the failure that a status stands for', () => {
  it.each([401, 403])('asks for credentials where there are none: %i', (status) => {
    const failure = failureOf(answer(status, { detail: 'Not authenticated' }), {
      ...aboutUsers(),
      credentials: null,
    });
    expect(failure.cure).toMatch(/none are configured: set ZERODB_API_KEY/);
  });

  it('points to the project where a 403 is about no collection', () => {
    const { object: _none, ...about } = aboutUsers();
    expect(failureOf(answer(403, {}), about).cure).toMatch(/project id.*ZERODB_API_KEY/);
    expect(failureOf(answer(403, {}), aboutUsers()).cure).toMatch(/leave it out/);
  });

  it.each([
    [302, 'SOURCE_REFUSED', false],
    [307, 'SOURCE_REFUSED', false],
    [400, 'SOURCE_REFUSED', false],
    [401, 'SOURCE_UNAUTHORIZED', false],
    [403, 'SOURCE_FORBIDDEN', false],
    [404, 'SOURCE_NOT_FOUND', false],
    [405, 'SOURCE_NOT_FOUND', false],
    [409, 'SOURCE_REFUSED', false],
    [410, 'SOURCE_NOT_FOUND', false],
    [413, 'SOURCE_REFUSED', false],
    [422, 'SOURCE_REFUSED', false],
    [429, 'SOURCE_RATE_LIMITED', true],
    [500, 'SOURCE_FAILED', true],
    [503, 'SOURCE_FAILED', true],
  ])('%d is %s', (status, code, temporary) => {
    const failure = failureOf(answer(status, { detail: 'why' }), aboutUsers());
    expect(failure).toMatchObject({ code, temporary, object: 'users' });
    expect(failure.message).toContain('cannot read collection "users": ');
    expect(failure.message).not.toMatch(/\.$/);
    expect(failure.cure).toMatch(/^[A-Z].*\.$/);
    if (status >= 400) expect(failure.message).toContain(`answered ${status}: why`);
  });

  it('names the credential, never its value', () => {
    const failure = failureOf(answer(401, { detail: 'key s3cret-value is wrong' }), aboutUsers());
    expect(failure.cure).toContain('ZERODB_API_KEY');
    expect(JSON.stringify([failure.message, failure.cure])).not.toContain('s3cret-value');
  });

  it('names the server that a redirect leads to', () => {
    const location = 'https://elsewhere.example/login?token=abc';
    const failure = failureOf(answer(302, '', { location }), aboutUsers());
    expect(failure.message).toContain('redirects to https://elsewhere.example');
    expect(failure.message).not.toContain('token');
  });
});

describe('an answer that is not what it should be', () => {
  it.each([
    ['<html><title>Sign in</title>', /an HTML page "Sign in"$/],
    ['', /the answer is empty$/],
    ['OK', /not a JSON object: OK/],
    [{ error: 'no such\nthing' }, /a JSON object that says "no such\\nthing"/],
    [`{"rows":"${'x'.repeat(500)}"}`, /a JSON object: \{"rows":"x{50}…/],
  ])('is described: %j', (body, expected) => {
    const failure = malformedAnswer(answer(200, body), aboutUsers(), 'there is no list');
    expect(failure).toMatchObject({ code: 'SOURCE_MALFORMED', object: 'users', temporary: false });
    expect(failure.message).toMatch(expected);
    expect(failure.message).toContain('cannot read collection "users": there is no list; ');
  });
});

describe('facts in refusals', () => {
  it.each([
    [answer(409, {}), true],
    [answer(400, { detail: "Table 'users' already exists" }), true],
    [answer(400, { detail: 'duplicate', error_code: 'TABLE_ALREADY_EXISTS' }), true],
    [answer(400, 'document exists'), true],
    [answer(400, { detail: 'field required' }), false],
    [answer(400, { detail: 'existing rules forbid it' }), false],
    [answer(422, { detail: 'already exists' }), false],
    [answer(500, { detail: 'already exists' }), false],
  ])('%#: exists is %s', (response, expected) => {
    expect(saysExists(response)).toBe(expected);
  });

  it('fields that a 422 names', () => {
    const detail = [
      { loc: ['body', 'row_data'], msg: 'x' },
      { loc: ['body', 0, 'data'] },
      { loc: 'rows' },
      {},
      null,
    ];
    expect(errorFields(answer(422, { detail })).fields).toEqual(['row_data', 'data', 'rows']);
    const c = { detail: 'x', error_code: 'INVALID_FIELD_NAME', expected_field: 'row_data' };
    expect(errorFields(answer(422, c))).toEqual({ code: 'INVALID_FIELD_NAME', fields: ['row_data'] });
    expect(errorFields(answer(422, 'text'))).toEqual({ code: null, fields: [] });
  });

  it('web pages, by their type or their looks', () => {
    expect(isWebPage(answer(200, '', { 'content-type': 'text/html; charset=utf-8' }))).toBe(true);
    expect(isWebPage(answer(200, '\n<HTML>'))).toBe(true);
    expect(isWebPage(answer(200, '{"a":"<html>"}', { 'content-type': 'application/json' }))).toBe(false);
  });
});
