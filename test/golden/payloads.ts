/**
 * The payloads of the golden stores of format 1. What stands here is history: the stores were made from it and are
 * never made again, so nothing here may change.
 */
export interface GoldenPayload {
  readonly bytes: Buffer;
  /** Bytes of the payload's own logical id, written down by hand; null if it has none that is usable. */
  readonly id: Buffer | null;
}

/** `id` in UTF-8, or in latin1 where bytes are meant. */
function payload(text: string | Buffer, id: string | Buffer | null): GoldenPayload {
  return { bytes: Buffer.from(text), id: id === null ? null : Buffer.from(id) };
}

/** A text whose characters are bytes. */
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const nested = (depth: number): string =>
  `{"id":"deep","list":${'['.repeat(depth)}${']'.repeat(depth)},"object":${'{"a":'.repeat(depth)}null${'}'.repeat(depth)}}`;

const LONG_ID = 'ключ-🔑-'.repeat(256); // 4,096 bytes: 16 each

export const GOLDEN_PAYLOADS: readonly GoldenPayload[] = [
  // D01, D02: numbers
  payload(
    '{"id":"integers","n":[9007199254740993,9223372036854775807,-9223372036854775808,18446744073709551616,123456789012345678901234567890]}',
    'integers',
  ),
  payload(
    '{"id":"numbers","n":[1e400,-1e400,-0,-0.0,1.0,1E5,1e-400,0.1000000000000000055511151231257827]}',
    'numbers',
  ),
  payload('{"id":"not JSON","n":[NaN,Infinity,-Infinity]}', 'not JSON'),
  // D03: a key twice; the last one counts
  payload('{"id":"duplicate","a":1,"a":2,"a":{"a":3,"a":4}}', 'duplicate'),
  payload('{"id":"first","a":1,"id":"last"}', 'last'),
  payload('{"id":"lost","id":null}', null),
  payload('{"id":"plain","\\u0069\\u0064":"escaped name"}', 'escaped name'),
  // D04, D05: order and names
  payload('{"b":1,"10":1,"2":1,"a":1,"id":"order"}', 'order'),
  payload(
    '{"__proto__":{"polluted":true},"constructor":{"prototype":1},"toJSON":1,"":"","hasOwnProperty":2,"id":"prototype"}',
    'prototype',
  ),
  payload('{"a":{"id":"inner"},"list":[{"id":"inner"}],"ID":"upper","id ":"space"}', null),
  // D06, D07, D08: text
  payload(
    '{"id":"surrogates","s":"\\ud800 \\udc00 \\udfff\\ud83d \\ud83d\\ude00","\\ud834":1}',
    'surrogates',
  ),
  payload('{"id":"pair-\\ud83d\\uDE00"}', 'pair-😀'),
  payload('{"id":"lone-\\ud800-\\udc00\\ud800"}', bytes('lone-\xed\xa0\x80-\xed\xb0\x80\xed\xa0\x80')),
  payload('{"id":"escapes-\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9"}', 'escapes-"\\/\b\f\n\r\t\0é'),
  payload(bytes('{"id":"invalid UTF-8","s":"\xff\xfe \xc3\x28 \xed\xa0\x80 \xf8"}'), 'invalid UTF-8'),
  payload(bytes('{"id":"invalid-\xff\xfe"}'), bytes('invalid-\xff\xfe')),
  payload('{"id":"controls","s":"\0\x01\x1b[31m\x7f\t\r\u0085\u2028\u2029\ufeff"}', 'controls'),
  payload('{"id":"carriage\rreturn"}', 'carriage\rreturn'),
  // D09: nesting
  payload(nested(5000), 'deep'),
  // D10: next to nothing
  payload('{}', null),
  payload('{"id":""}', null),
  payload('{"id":true}', null),
  payload('{"id":{"a":1}}', null),
  payload('{"id":["x"]}', null),
  payload('[]', null),
  payload('[{"id":"in a list"}]', null),
  payload('""', null),
  payload('"a string"', null),
  payload('null', null),
  payload('false', null),
  payload('0', null),
  payload('-1.5e+10', null),
  // D11, D14: ids
  ...[
    'a/b',
    '..',
    '.',
    '%2e%2e',
    '../../etc/passwd',
    'ünïcode',
    '😀',
    '\uff5e',
    ' ',
    '__proto__',
    LONG_ID,
  ].map((id) => payload(JSON.stringify({ kind: 'odd id', id }), id)),
  payload('{"id":"line\\nbreak"}', 'line\nbreak'),
  payload('{"id":"nul\\u0000"}', 'nul\0'),
  payload('{"id":1}', '1'),
  payload('{"id":1.0}', '1.0'),
  payload('{"id":-0}', '-0'),
  payload('{"id":9007199254740993}', '9007199254740993'),
  payload('{"id":1e400}', '1e400'),
  // D15, D17: what is only text to us; white space
  payload(
    '{"id":"times","t":["9999-12-31T23:59:60Z","2025-01-09T14:30:00.123456789+05:45","0000-00-00"]}',
    'times',
  ),
  payload(
    `{"id":"embedding","v":[${Array.from({ length: 64 }, (_, at) => `0.${at}${'0123456789'.repeat(2)}`).join(',')}]}`,
    'embedding',
  ),
  payload('{ \t"a" : [ 1 ,\t2 , { } , [ ] ] ,  "id" \t: \t"spaces"\t}', 'spaces'),
];
