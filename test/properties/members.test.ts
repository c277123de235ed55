import fc from 'fast-check';
import { expect, test } from 'vitest';
import { membersOf, spliceMembers } from '../../src/kernel/json/members.ts';

const plainObject = fc
  .dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true, maxKeys: 8 })
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>); // no minus zero
const space = fc.constantFrom('', ' ', '\n  ');

/** An object as somebody may write it: with white space, and names escaped in another way. */
const spelled = fc
  .tuple(
    plainObject.filter((value) => !Object.hasOwn(value, '__proto__')),
    space,
    fc.boolean(),
  )
  .map(([value, gap, escapes]) => {
    const name = (text: string): string =>
      escapes
        ? `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`
        : JSON.stringify(text);
    const members = Object.entries(value).map(
      ([key, member]) => `${gap}${name(key)}${gap}:${gap}${JSON.stringify(member)}${gap}`,
    );
    return { value, text: Buffer.from(`{${members.join(',')}${gap}}`) };
  });

test('splicing gives the value of Object.assign', () => {
  fc.assert(
    fc.property(spelled, spelled, (live, patch) => {
      const spliced = Buffer.from(spliceMembers(live.text, patch.text)!).toString('utf8');
      expect(JSON.parse(spliced)).toEqual({ ...live.value, ...patch.value });
      const same = Buffer.from(spliceMembers(live.text, live.text)!);
      expect(same.equals(live.text)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['{"a":1.0,"b":1e400}', '{"b":2}', '{"a":1.0,"b":2}'],
  ['{ "a" : 1 , "z" : [ 1, 2 ] }', '{"a":9007199254740993}', '{ "a" : 9007199254740993 , "z" : [ 1, 2 ] }'],
  ['{"a":1,"a":2}', '{"a":3}', '{"a":1,"a":3}'],
  ['{"a":1}', '{"b":1,"b":2}', '{"a":1,"b":2}'],
  ['{"\\u0061":1}', '{"a":2}', '{"\\u0061":2}'],
  ['{}', '{"a":{"b":[]}}', '{"a":{"b":[]}}'],
  ['{ }', '{"a":1}', '{ "a":1}'],
  ['{"a":1}', '{}', '{"a":1}'],
])('%s with %s is %s: no other byte changes', (live, patch, expected) => {
  expect(Buffer.from(spliceMembers(Buffer.from(live), Buffer.from(patch))!).toString()).toBe(expected);
});

test.each(['[1]', '1', '"a"', 'null'])('%s has no members', (text) => {
  expect(membersOf(Buffer.from(text))).toBeNull();
  expect(spliceMembers(Buffer.from(text), Buffer.from('{"a":1}'))).toBeNull();
});

test.each(['{"a"', '{"a":', '{"a":1', '{"a":1,}', '{a:1}', '{"a" 1}', '{"a":1 "b":2}'])(
  '%s is refused',
  (text) => {
    expect(() => membersOf(Buffer.from(text))).toThrow();
  },
);
