import { describe, expect, test } from 'vitest';
import { DocumentScanner, JsonMalformed } from '../../../../src/kernel/json/document-scanner.ts';
import { MemberNames } from '../../../../src/kernel/json/member-names.ts';

const MEMBERS = new MemberNames(['id', 'data']);
const LIST_NAMES = ['rows', 'data', 'documents', 'items'];
const ENVELOPE = { names: new MemberNames([...LIST_NAMES, 'total', 'next']), listNames: LIST_NAMES.length };

type Text = string | Uint8Array;

function read(text: Text, envelope: typeof ENVELOPE | null) {
  const bytes = Buffer.from(text);
  const scanner = new DocumentScanner(MEMBERS, envelope);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  const { spans, lineBreaks, endsWithComma, envelopeSpans } = scanner;
  const slice = (start: number, end: number) => bytes.toString('latin1', start, end);
  const member = (index: number, which: number) =>
    spans.hasMember(index, which)
      ? slice(spans.memberStart(index, which), spans.memberEnd(index, which))
      : null;
  const indexes = Array.from({ length: spans.count }, (_, index) => index);
  return {
    documents: indexes.map((index) => slice(spans.start(index), spans.end(index))),
    ids: indexes.map((index) => member(index, 0)),
    total: slice(envelopeSpans[8]!, envelopeSpans[9]!),
    next: slice(envelopeSpans[10]!, envelopeSpans[11]!),
    lineBreaks,
    endsWithComma,
    text: bytes.toString('latin1'),
  };
}

const readPage = (text: Text) => read(text, ENVELOPE);
const readLines = (text: Text) => read(text, null);

function refusal(text: Text): string {
  try {
    readPage(text);
  } catch (error) {
    if (error instanceof JsonMalformed) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('where the list stands', () => {
  test.each(LIST_NAMES)('under %s', (name) => {
    const page = readPage(`{"total":2,"${name}":[{"id":1},{"id":"b"}],"next":null}`);
    expect(page).toMatchObject({
      documents: ['{"id":1}', '{"id":"b"}'],
      ids: ['1', '"b"'],
      total: '2',
      next: 'null',
    });
  });

  test('alone', () => {
    expect(readPage('[{"id":1},{"id":2}]').documents).toEqual(['{"id":1}', '{"id":2}']);
    expect(readPage('[]').documents).toEqual([]);
  });

  test('in the first member of those names that holds an array', () => {
    expect(readPage('{"rows":null,"data":{"rows":[1]},"items":[2],"documents":[3]}').documents).toEqual([
      '2',
    ]);
  });

  test('not in an array under another name, nor further inside', () => {
    expect(readPage('{"errors":[1],"meta":{"rows":[2]},"rows":[3]}').documents).toEqual(['3']);
    expect(refusal('{"result":{"rows":[1]}}')).toBe('there is no list of documents in the answer');
  });

  test('under a name with escapes', () => {
    expect(readPage('{"ro\\u0077s":[1]}').documents).toEqual(['1']);
  });

  test('the last of repeated envelope members counts, but two lists are refused', () => {
    expect(readPage('{"total":1,"rows":[],"total":2}').total).toBe('2');
    expect(refusal('{"rows":[1],"rows":[2]}')).toBe('the answer holds two lists of one name');
  });

  test('members of documents are not those of the envelope', () => {
    expect(readPage('{"rows":[{"total":1,"next":2}],"id":9}')).toMatchObject({
      ids: [null],
      total: '',
      next: '',
    });
  });
});

describe('what is no list of documents', () => {
  test.each([
    ['', 'the text is empty'],
    [' \r\n\t', 'the text is empty'],
    ['<!DOCTYPE html><html></html>', 'the answer is not a list of documents'],
    ['Internal Server Error', 'the answer is not a list of documents'],
    ['"rows"', 'the answer is not a list of documents'],
    ['null', 'the answer is not a list of documents'],
    ['5', 'the answer is not a list of documents'],
    ['\ufeff[]', 'the answer is not a list of documents'],
    [']', 'the answer is not a list of documents'],
    ['{}', 'there is no list of documents in the answer'],
    ['{"detail":"not found"}', 'there is no list of documents in the answer'],
    ['{"rows":{}}', 'there is no list of documents in the answer'],
    ['[] []', 'text after the end where none may stand'],
    ['[]x', 'text after the end where none may stand'],
    ['{"rows":[]}}', 'text after the end where none may stand'],
  ])('%j: %s', (text, message) => {
    expect(refusal(text)).toBe(message);
  });
});

const SMALL_PAGE =
  '{ "total": 3, "rows": [ {"id": "a\\"b", "data": {"x": [1, {}]}}, 17, "s" ], "next": "k" }';

describe('damage', () => {
  test('a page that was cut at any byte is refused', () => {
    const bytes = Buffer.from(SMALL_PAGE);
    expect(refusal(bytes)).toBe('accepted');
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(bytes.subarray(0, length)), `${length} bytes`).not.toBe('accepted');
    }
  });

  test.each('{}[],:'.split(''))(
    'a page in which any %s is missing, doubled or replaced is refused',
    (character) => {
      const page = '{"total":3,"rows":[{"id":"a","data":[]},[{}],{"x":{},"id":5}],"next":"k"}';
      const rivals = '{}[],:'.split('').filter((rival) => rival !== character);
      expect(refusal(page)).toBe('accepted');
      for (let at = page.indexOf(character); at >= 0; at = page.indexOf(character, at + 1)) {
        for (const instead of ['', character + character, ...rivals]) {
          const damaged = page.slice(0, at) + instead + page.slice(at + 1);
          expect(refusal(damaged), damaged).not.toBe('accepted');
        }
      }
    },
  );

  test.each([
    '[{"a":1} {"a":2}]',
    '[1 2]',
    '["a""b"]',
    '[,1]',
    '[1,]',
    '[1,,2]',
    '[{"a":1 "b":2}]',
    '[{"a":1,}]',
    '[{,"a":1}]',
    '[{"a"}]',
    '[{"a":}]',
    '[{"a" 1}]',
    '[{"a"::1}]',
    '[{a:1}]',
    '[{1:1}]',
    '[{[]:1}]',
    '[{"a":1:2}]',
    '[:]',
    "['a']",
    '[<null>]',
    '[{"a":"x]',
    '[{"a":[1}]]',
    '{"rows":[}',
    '{"rows":[1}',
    '["a\\"]',
  ])('%s is refused', (text) => {
    expect(refusal(text)).not.toBe('accepted');
  });

  test.each(['["a\nb"]', '["a\\\nb"]', '[{"k\n":1}]', '[[["\n"]]]', '{"x":"\n","rows":[]}'])(
    'a raw line feed in a string: %j',
    (text) => {
      expect(refusal(text)).toBe('a string holds a raw line feed');
    },
  );

  test('the refusal says where', () => {
    const bytes = Buffer.from('[{"a":1},,2]');
    const scanner = new DocumentScanner(MEMBERS, ENVELOPE);
    expect(() => scanner.advance(bytes, bytes.length)).toThrow(expect.objectContaining({ at: 9 }));
  });
});

describe('documents are kept as they are', () => {
  test.each([
    'null',
    'true',
    'false',
    '5',
    '-0',
    '1e400',
    '12345678901234567890.10E+05',
    'NaN',
    '"x"',
    '""',
    '"\\ud800"',
    '"\\\\"',
    '"]}"',
    '[]',
    '{}',
    '[[1],{"id":7}]',
    '{"b":1,"10":2,"2":3}',
    '{"a":1,"a":2}',
    '{"__proto__":{"x":1},"":0}',
    '{ "a" :\t[ 1 , 2 ] }',
  ])('%s', (document) => {
    expect(readPage(`[1,${document},{"id":2}]`).documents).toEqual(['1', document, '{"id":2}']);
    expect(readPage(`[${document}]`).documents).toEqual([document]);
    expect(readLines(document).documents).toEqual([document]);
  });

  test('with invalid UTF-8, NUL and carriage returns in strings', () => {
    const string = Buffer.from([0x22, 0xff, 0xc3, 0x00, 0x0d, 0x80, 0x22]);
    const page = Buffer.concat([Buffer.from('[{"id":'), string, Buffer.from('}]')]);
    expect(readPage(page)).toMatchObject({ ids: [string.toString('latin1')], lineBreaks: 0 });
  });

  test('line breaks between tokens of documents become spaces and are counted, others stay', () => {
    const page = readPage(
      '\r\n{"rows" :\n[\n{\r\n"id"\n:\n1\n,"x":[\n1,\r{\n}]\n}\n,\n5\n,[\n]]\n, "meta":{\n}}\n',
    );
    expect(page.documents).toEqual(['{  "id" : 1 ,"x":[ 1, { }] }', '5', '[ ]']);
    expect(page.lineBreaks).toBe(10);
    expect(page.text).toBe('\r\n{"rows" :\n[\n{  "id" : 1 ,"x":[ 1, { }] }\n,\n5\n,[ ]]\n, "meta":{\n}}\n');
  });

  test('100,000 deep', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"id":', '}'],
    ] as const) {
      const document = `${open.repeat(100_000)}1${close.repeat(100_000)}`;
      expect(readPage(`[${document},2]`).documents).toEqual([document, '2']);
      expect(refusal(`[${document.slice(0, -1)},2]`)).not.toBe('accepted');
    }
  });

  test('hundreds of them, of any length', () => {
    const documents = Array.from({ length: 700 }, (_, index) => `{"id":${index},"x":"${'y'.repeat(index)}"}`);
    const page = readPage(`[${documents.join(',')}]`);
    expect(page.documents).toEqual(documents);
    expect(page.ids).toEqual(documents.map((_, index) => String(index)));
  });
});

describe('members of documents', () => {
  test.each([
    ['{"id":1,"id":2}', '2'],
    ['{"id":1,"id":null}', 'null'],
    ['{"id":1,"\\u0069d":"x"}', '"x"'],
    ['{"\\u0069\\u0064":{"id":5}}', '{"id":5}'],
    ['{"i\\u0064":[1, 2]}', '[1, 2]'],
    ['{ "id"\t: true }', 'true'],
    ['{"\\\\u0069d":1}', null],
    ['{"ID":1}', null],
    ['{"idx":1,"i":2,"d":3,"":4}', null],
    ['{"x":{"id":1}}', null],
    ['[{"id":1}]', null],
    ['"id"', null],
  ])('the id of %s is %s', (document, id) => {
    expect(readPage(`[{"id":"before"},${document},{"id":"behind"}]`).ids).toEqual([
      '"before"',
      id,
      '"behind"',
    ]);
  });
});

describe('lines of an archive block', () => {
  test('are documents with commas between them', () => {
    expect(readLines('{"id":1},\n{"id":"b"},\n5\n')).toMatchObject({
      documents: ['{"id":1}', '{"id":"b"}', '5'],
      ids: ['1', '"b"', null],
      endsWithComma: false,
    });
  });

  test.each([
    ['', []],
    ['\n', []],
    ['{"id":1}', ['{"id":1}']],
    ['12', ['12']],
    ['12\n', ['12']],
    ['{},12', ['{}', '12']],
    ['12,\n34\n', ['12', '34']],
    ['"a"', ['"a"']],
  ])('%j', (lines, documents) => {
    expect(readLines(lines)).toMatchObject({ documents, endsWithComma: false });
  });

  test.each(['{},\n', '12,\n', '{},{},'])('%j ends with a comma: more follow', (lines) => {
    expect(readLines(lines).endsWithComma).toBe(true);
  });

  test.each([
    ',',
    ',{}',
    '{},,{}',
    '{} {}',
    '1 2',
    '{}]',
    ']',
    '{}}',
    '{"id":1',
    '{"id":1 ',
    '{',
    '"a',
    '[1',
    '{"id":1]',
  ])('%s is refused', (lines) => {
    expect(() => readLines(lines)).toThrow(JsonMalformed);
  });
});

test('documents are known as soon as their end has been fed', () => {
  const text = '{"rows":[{"id":1}, 25,"x",[2]]}';
  const bytes = Buffer.from(text);
  const scanner = new DocumentScanner(MEMBERS, ENVELOPE);
  const seen = Array.from(text, (_, index) => {
    scanner.advance(bytes, index + 1);
    return scanner.spans.count;
  });
  const firstWith = (count: number) => text.slice(0, seen.indexOf(count) + 1);
  expect(firstWith(1)).toBe('{"rows":[{"id":1}');
  // another digit may follow upon a number
  expect(firstWith(2)).toBe('{"rows":[{"id":1}, 25,');
  expect(firstWith(3)).toBe('{"rows":[{"id":1}, 25,"x"');
  expect(firstWith(4)).toBe('{"rows":[{"id":1}, 25,"x",[2]');
});

describe('a scanner that begins anew', () => {
  test.each(['{"id":1}', '{"id":1,"data":[[{"a', '{"id":1,"data":"open', '{"id":1}]', '{"id":7'])(
    'has forgotten %s',
    (former) => {
      const scanner = new DocumentScanner(MEMBERS, null);
      const before = Buffer.from(former);
      try {
        scanner.advance(before, before.length);
        scanner.finish();
      } catch {
        // what is left of a text that was refused must not matter either
      }
      const text = Buffer.from('skipped {"data":\n2},');
      scanner.restart(8);
      scanner.advance(text, text.length);
      scanner.finish();
      expect(scanner.spans.count).toBe(1);
      expect([scanner.spans.start(0), scanner.spans.end(0)]).toEqual([8, 19]);
      expect(scanner.spans.hasMember(0, 0)).toBe(false);
      expect(scanner.spans.memberStart(0, 1)).toBe(17);
      expect(scanner.lineBreaks).toBe(1);
      expect(scanner.endsWithComma).toBe(true);
    },
  );
});
