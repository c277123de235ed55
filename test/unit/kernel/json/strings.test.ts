import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodedKey, usableKey } from '../../../../src/kernel/json/strings.ts';

function keyOf(json: string | Uint8Array): Uint8Array {
  const value = typeof json === 'string' ? new TextEncoder().encode(json) : json;
  const around = Uint8Array.of(0x22, 0x5c, ...value, 0x5c, 0x22);
  return decodedKey(around, 2, 2 + value.length);
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('the bytes of a key', () => {
  test.each([
    ['"abc"', '616263'],
    ['""', ''],
    ['"é€😀"', 'c3a9e282acf09f9880'],
    [String.raw`"\u0061\u00e9\u20AC"`, '61c3a9e282ac'],
    [String.raw`"\"\\\/\b\f\n\r\t"`, '225c2f080c0a0d09'],
    [String.raw`"a\\u0062"`, '615c7530303632'],
    [String.raw`"\u0000"`, '00'],
    // a pair is one character of four bytes, a lone half is three bytes
    [String.raw`"\ud83d\ude00"`, 'f09f9880'],
    [String.raw`"\ud83d"`, 'eda0bd'],
    [String.raw`"\ude00x"`, 'edb88078'],
    [String.raw`"\ude00\ud83d"`, 'edb880eda0bd'],
    [String.raw`"\ud83d\ud83d\ude00"`, 'eda0bdf09f9880'],
    [String.raw`"\ude00\ude01"`, 'edb880edb881'],
    [String.raw`"\ue000\ude00"`, 'ee8080edb880'],
    [String.raw`"\ud83d\ue000"`, 'eda0bdee8080'],
    [String.raw`"\ud83dx\ude00"`, 'eda0bd78edb880'],
    [String.raw`"\ud800\udc00"`, 'f0908080'],
    [String.raw`"\udbff\udfff"`, 'f48fbfbf'],
    // numbers keep their source text
    ['12345678901234567890', hex(Buffer.from('12345678901234567890'))],
    ['-1.50E+2', hex(Buffer.from('-1.50E+2'))],
    // no JSON, kept as it stands
    [String.raw`"\x\u12"`, hex(Buffer.from(String.raw`\x\u12`))],
    [String.raw`"\u12"`, hex(Buffer.from(String.raw`\u12`))],
    [String.raw`"\ud83d\u12"`, `eda0bd${hex(Buffer.from(String.raw`\u12`))}`],
    [String.raw`"\u+123"`, hex(Buffer.from(String.raw`\u+123`))],
  ])('%s', (json, expected) => {
    expect(hex(keyOf(json))).toBe(expected);
  });

  test('invalid UTF-8 between escapes stays as it is', () => {
    expect(hex(keyOf(Uint8Array.of(0x22, 0xff, 0x5c, 0x74, 0xc3, 0x22)))).toBe('ff09c3');
  });

  test('without an escape nothing is copied', () => {
    const bytes = new TextEncoder().encode('{"id":"abc"}');
    expect(decodedKey(bytes, 6, 11).buffer).toBe(bytes.buffer);
  });

  test('is what JSON.parse gives, for every string and any choice of escapes', () => {
    const character = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom('"', '\\', '/', '\n', 'é', '😀'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(character, fc.boolean())), (characters) => {
        const content = characters.map(([text, escaped]) =>
          escaped
            ? text.replaceAll(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
            : JSON.stringify(text).slice(1, -1),
        );
        const json = `"${content.join('')}"`;
        expect(hex(keyOf(json))).toBe(hex(new TextEncoder().encode(JSON.parse(json) as string)));
      }),
    );
  });
});

describe('a key that identifies', () => {
  test.each(['"a"', '" "', String.raw`"\u0000"`, '0', '-0', '5', '-12', '1e5', '12345678901234567890'])(
    '%s',
    (json) => {
      expect(usableKey(new TextEncoder().encode(json), 0, json.length)).toBe(true);
    },
  );

  test.each(['""', 'null', 'true', 'false', '{}', '[]', '["a"]', '{"id":1}', '-', '-Infinity', 'NaN', ''])(
    'not %s',
    (json) => {
      expect(usableKey(new TextEncoder().encode(`${json},1`), 0, json.length)).toBe(false);
    },
  );
});
