import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeMembers, payloadId, reformatted } from '../../../src/sandbox/raw-json.ts';
import { compareUtf8 } from '../../../src/sandbox/selection.ts';

const merge = (live: string, patch: string) =>
  Buffer.from(mergeMembers(Buffer.from(live), Buffer.from(patch))).toString();

describe('merging', () => {
  test.each([
    ['{"a":1,"b":2}', '{"b": 3.0}', '{"a":1,"b":3.0}'],
    ['{ }', '{"a":1}', '{ "a":1}'],
    ['{"a":1}', '{}', '{"a":1}'],
    ['{"a":1,\n"c":{"a":2}\n}', '{"c":[],"d":null}', '{"a":1,\n"c":[]\n,"d":null}'],
    ['{"a":1,"a":2}', '{"a":3}', '{"a":1,"a":3}'],
    ['{"\\u0061":1}', '{"a":2}', '{"\\u0061":2}'],
    ['{"b":1,"10":1}', '{"10":2,"2":3}', '{"b":1,"10":2,"2":3}'],
    ['{"__proto__":1}', '{"__proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
    ['{"s":"}"}', '{"t":"{\\""}', '{"s":"}","t":"{\\""}'],
  ])('%s with %s is %s', (live, patch, expected) => {
    expect(merge(live, patch)).toBe(expected);
  });

  test('means what spreading means', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true });
    fc.assert(
      fc.property(object, object, (live, patch) => {
        const merged = JSON.parse(merge(JSON.stringify(live), JSON.stringify(patch)));
        expect(merged).toEqual(JSON.parse(JSON.stringify({ ...live, ...patch })));
      }),
    );
  });
});

test.each([
  ['{"id":"a\\u00e9"}', 'aé'],
  ['{"id":12345678901234567890}', '12345678901234567890'],
  ['{"id":-1.0}', '-1.0'],
  ['{"a":{"id":1},"id":"x","id":"last"}', 'last'],
  ['{"id":""}', null],
  ['{"id":null}', null],
  ['{"id":{"a":1}}', null],
  ['{"id":"\\ud800"}', null],
  ['[1]', null],
])('the id of %s is %s', (payload, expected) => {
  expect(payloadId(Buffer.from(payload))).toBe(expected);
});

test('reformatting sorts keys at every depth and prints numbers as values', () => {
  const text = '{"b":[{"d":1.0,"c":-0}],"a":1e400,"__proto__":{"z":1}}';
  expect(Buffer.from(reformatted(Buffer.from(text))).toString()).toBe(
    '{"__proto__":{"z":1},"a":null,"b":[{"c":0,"d":1}]}',
  );
});

test('strings are compared as their UTF-8 bytes', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, text, (one, other) => {
      const expected = Buffer.compare(Buffer.from(one), Buffer.from(other));
      expect(Math.sign(compareUtf8(one, other))).toBe(expected);
    }),
  );
});
