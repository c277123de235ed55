import fc from 'fast-check';

/**
 * Bytes that somebody else may have written: valid samples changed in the ways in which bytes get changed, values
 * that parsers stumble over in the places of valid ones, and bytes of no origin at all.
 */
export function untrusted(samples: readonly (string | Uint8Array)[]): fc.Arbitrary<Buffer> {
  const valid = samples.map((sample) => Buffer.from(sample as Uint8Array));
  const sample = fc.constantFrom(...valid);
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.tuple(sample, fc.array(change(valid), { minLength: 1, maxLength: 3 })).map(applied),
    },
    { weight: 4, arbitrary: fc.tuple(sample, place, hostileValue).map(withOtherValue) },
    { weight: 1, arbitrary: hostileValue.map((value) => Buffer.from(value)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: sample },
  );
}

type Change = (bytes: Buffer) => Buffer;

/** A place in bytes of any length: 0 is their beginning, 1 their end. (Doubles of fast-check are mostly near 0.) */
const place = fc.integer({ min: 0, max: 1_000_000 }).map((millionth) => millionth / 1_000_000);

function change(samples: readonly Buffer[]): fc.Arbitrary<Change> {
  const at = (bytes: Buffer, where: number): number =>
    Math.min(bytes.length, Math.floor(where * (bytes.length + 1)));
  const replaced = (bytes: Buffer, from: number, to: number, by: Uint8Array): Buffer =>
    Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
  return fc.oneof(
    // one bit, often: it is the smallest change of all, and hidden by any other
    {
      weight: 6,
      arbitrary: fc.tuple(place, fc.nat(7)).map(
        ([where, bit]): Change =>
          (bytes) => {
            const changed = Buffer.from(bytes);
            const index = Math.min(at(bytes, where), bytes.length - 1);
            if (index >= 0) changed[index]! ^= 1 << bit;
            return changed;
          },
      ),
    },
    // a cut, at the end and in between
    place.map(
      (where): Change =>
        (bytes) =>
          bytes.subarray(0, at(bytes, where)),
    ),
    fc.tuple(place, fc.integer({ min: 1, max: 64 })).map(
      ([where, length]): Change =>
        (bytes) => {
          const from = at(bytes, where);
          return replaced(bytes, from, Math.min(bytes.length, from + length), Buffer.alloc(0));
        },
    ),
    // something put in, or in the place of something
    fc.tuple(place, intruder, fc.boolean()).map(
      ([where, token, over]): Change =>
        (bytes) => {
          const from = at(bytes, where);
          return replaced(bytes, from, over ? Math.min(bytes.length, from + token.length) : from, token);
        },
    ),
    // a stretch of it repeated
    fc.tuple(place, place, fc.integer({ min: 2, max: 50 })).map(
      ([one, other, times]): Change =>
        (bytes) => {
          const [from, to] = [at(bytes, Math.min(one, other)), at(bytes, Math.max(one, other))];
          const stretch = bytes.subarray(from, Math.min(to, from + 2000));
          return replaced(bytes, from, from, Buffer.concat(Array<Buffer>(times).fill(stretch)));
        },
    ),
    // the beginning of it with the end of another
    fc.tuple(place, fc.constantFrom(...samples), place).map(
      ([where, other, there]): Change =>
        (bytes) =>
          Buffer.concat([bytes.subarray(0, at(bytes, where)), other.subarray(at(other, there))]),
    ),
  );
}

/** Short pieces that mean something to some parser. */
const intruder: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .constantFrom(
      ...[
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '\n',
        '\r\n',
        '\0',
        ' ',
        '-',
        '%',
        '&',
        '*',
        '!',
        '#',
        '<',
        '\t',
      ],
      ...[
        '\ufeff',
        '\u2028',
        '\u001b[2J',
        '\\ud800',
        '\\u0000',
        'null',
        'NaN',
        '"__proto__":{"polluted":1},',
      ],
    )
    .map((text) => Buffer.from(text)),
  fc
    .constantFrom('ff', 'c080', 'eda080', 'f4908080', '00000000', 'ffffffff', '7fffffff', 'ffffffffffffffff')
    .map((hex) => Buffer.from(hex, 'hex')),
);

const DEEP = 100_000;

/** JSON text of values that are rarely thought of. */
export const hostileValue: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      ...['null', 'true', '0', '-0', '-1', '1.5', '1e999', '-1e-999', '9007199254740993', '9'.repeat(400)],
      ...[
        '""',
        '"\\u0000"',
        '"\\ud800"',
        '"\u001b[2J"',
        '"__proto__"',
        '"constructor"',
        '".."',
        '"a/../b"',
        '"%2e%2e"',
      ],
      ...['[]', '{}', '[null]', '{"toString":1,"valueOf":null}', '{"toJSON":1}', '{"length":4294967295}'],
      ...[
        '{"__proto__":{"polluted":1}}',
        '{"constructor":{"prototype":{"polluted":1}}}',
        '{"a":1,"a":2}',
        '',
      ],
    ),
  },
  { weight: 1, arbitrary: fc.constant(`"${'x'.repeat(DEEP)}"`) },
  { weight: 1, arbitrary: fc.constant('['.repeat(DEEP) + ']'.repeat(DEEP)) },
  { weight: 1, arbitrary: fc.constant('{"a":'.repeat(DEEP)) },
  { weight: 3, arbitrary: fc.json({ maxDepth: 3 }) },
);

const VALUE = /"(?:[^"\\]|\\.)*"(?!\s*:)|-?\b\d[\d.eE+-]*|\b(?:true|false|null)\b|\[\]|\{\}/g;

/** JSON text with another value in the place of one of its own; other bytes stay as they are. */
function withOtherValue([sample, where, value]: [Buffer, number, string]): Buffer {
  const text = sample.toString('latin1');
  const values = [...text.matchAll(VALUE)];
  const chosen = values[Math.floor(where * (values.length - 1))];
  if (chosen === undefined) return sample;
  const end = chosen.index + chosen[0].length;
  return Buffer.concat([sample.subarray(0, chosen.index), Buffer.from(value), sample.subarray(end)]);
}

function applied([sample, changes]: [Buffer, Change[]]): Buffer {
  return changes.reduce((bytes, change) => change(bytes), sample);
}
