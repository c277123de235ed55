import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBaseUrl, resourceUrl } from '../../../src/zerodb/resource-url.ts';

const BASE = 'https://api.example.com/zerodb';

describe('the URL of a resource', () => {
  it.each([
    [['collections', 'users', 'query'], '/collections/users/query'],
    [['a/b', 'c?d', 'e#f', 'g h', '50%', '%2e%2e'], '/a%2Fb/c%3Fd/e%23f/g%20h/50%25/%252e%252e'],
    [
      ['...', '.a', "it's", 'ümläut', '日本', '😀'],
      "/.../.a/it's/%C3%BCml%C3%A4ut/%E6%97%A5%E6%9C%AC/%F0%9F%98%80",
    ],
    [['a\nb', 'a\\b', 'a:b', 'a;b=c', '~!*()', '\u202e'], '/a%0Ab/a%5Cb/a%3Ab/a%3Bb%3Dc/~!*()/%E2%80%AE'],
  ])('encodes %j', (segments, path) => {
    expect(resourceUrl(BASE, segments)).toBe(BASE + path);
  });

  it.each([['..'], ['.'], [''], ['\ud800']])('refuses %j, which would lead elsewhere', (name) => {
    for (const segments of [[name], ['collections', name, 'query'], ['collections', 'users', name]]) {
      expect(() => resourceUrl(BASE, segments)).toThrow(
        expect.objectContaining({ code: 'SOURCE_REFUSED', cure: expect.any(String) }),
      );
    }
  });

  it('leads to the intended place or nowhere, whatever the names', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '..',
        '.',
        '',
        '/',
        '%2e',
        '%2E%2e',
        '..\\',
        '.%2e',
        ' ..',
        '..;',
        '?',
        '#',
        '@',
        '//host',
      ),
    );
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (segments) => {
        let url: string;
        try {
          url = resourceUrl(BASE, segments);
        } catch {
          return segments.some((segment) => ['', '.', '..'].includes(segment) || !segment.isWellFormed());
        }
        const { origin, pathname, search, hash } = new URL(url);
        const decoded = pathname.split('/').slice(2).map(decodeURIComponent);
        expect([origin, decoded, search, hash]).toEqual(['https://api.example.com', segments, '', '']);
        return true;
      }),
    );
  });

  it('appends a query', () => {
    const query = { skip: 0, limit: 100, name: 'a&b' };
    expect(resourceUrl(BASE, ['rows'], query)).toBe(`${BASE}/rows?skip=0&limit=100&name=a%26b`);
  });
});

describe('a base URL', () => {
  it.each([
    ['https://API.example.com', 'https://api.example.com'],
    ['https://api.example.com:443/', 'https://api.example.com'],
    ['http://localhost:8000/zerodb//', 'http://localhost:8000/zerodb'],
  ])('%s is taken as %s', (text, base) => {
    expect(parseBaseUrl(text)).toBe(base);
    expect(resourceUrl(parseBaseUrl(text), ['a'])).toBe(`${base}/a`);
  });

  it.each([
    '',
    'api.example.com',
    'ftp://host',
    'https://u:s3cret@host',
    'https://host?key=s3cret',
    'https://host/#s3cret',
  ])('is not %j, and the error shows no secret', (text) => {
    const thrown = expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.not.stringContaining('s3cret'),
    });
    expect(() => parseBaseUrl(text)).toThrow(thrown);
  });
});
