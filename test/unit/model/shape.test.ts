import { describe, expect, it } from 'vitest';
import { DOCUMENT_SHAPES, type DocumentShape } from '../../../src/model/document.ts';
import {
  detectShape,
  fitsShape,
  nameOfDocument,
  payload,
  payloadId,
  scanKey,
  scanKeyText,
} from '../../../src/model/shape.ts';
import { batchOf } from '../../support/archives.ts';

const batch = (...documents: (string | Buffer)[]) => batchOf(documents.map((text) => Buffer.from(text)));
const detect = (...documents: string[]): DocumentShape =>
  detectShape(batch(...documents), ['id_data', 'flat']);
const text = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : Buffer.from(bytes).toString();

/** Scan key, payload and the payload's own id of one document. */
function facts(shape: DocumentShape, document: string | Buffer): readonly (string | null)[] {
  const documents = batch('[]', document, '{"id":"neighbour","_id":"n","row_id":"n","data":1,"row_data":1}');
  return [
    text(scanKey(documents, 1, shape)),
    text(payload(documents, 1, shape)),
    text(payloadId(documents, 1, shape)),
  ];
}

describe('where things stand in a document', () => {
  it('flat: the document is the payload, its id the scan key', () => {
    expect(facts('flat', '{"id":"a","data":{"id":"b"}}')).toEqual(['a', '{"id":"a","data":{"id":"b"}}', 'a']);
    expect(facts('flat', '{"_id":"a","row_id":"b"}')).toEqual([null, '{"_id":"a","row_id":"b"}', null]);
    expect(facts('flat', 'null')).toEqual([null, 'null', null]);
  });

  it('id_data: the payload is what stands under data', () => {
    expect(facts('id_data', '{"id":"a","data":{"id":"b"}}')).toEqual(['a', '{"id":"b"}', 'b']);
    expect(facts('id_data', '{ "data" : [1, 2] , "id" : 7.0 }')).toEqual(['7.0', '[1, 2]', null]);
    expect(facts('id_data', '{"id":"a","data":"id"}')).toEqual(['a', '"id"', null]);
    expect(facts('id_data', '{"id":"a","data":12}')).toEqual(['a', '12', null]);
    expect(facts('id_data', '{"id":"a","data":null}')).toEqual(['a', 'null', null]);
    expect(facts('id_data', '{"id":null,"data":{"a":{"id":"inner"}}}')).toEqual([
      null,
      '{"a":{"id":"inner"}}',
      null,
    ]);
  });

  it('row: the same under row_data', () => {
    expect(facts('row', '{"row_id":"r","row_data":{"id":1},"id":"no"}')).toEqual(['r', '{"id":1}', '1']);
  });

  it('a payload of malformed text is kept and has no id', () => {
    const malformed = '{"id":"x",,}';
    expect(facts('row', `{"row_id":"r","row_data":${malformed}}`)).toEqual(['r', malformed, null]);
  });

  it('flat_id: the document is the payload, the server’s _id included', () => {
    expect(facts('flat_id', '{"_id":"s","id":"a"}')).toEqual(['s', '{"_id":"s","id":"a"}', 'a']);
    expect(facts('flat_id', '{"_id":"s"}')).toEqual(['s', '{"_id":"s"}', null]);
  });

  it('the last of repeated members counts, escaped names included', () => {
    expect(facts('flat', '{"id":"a","id":"b"}')[0]).toBe('b');
    expect(facts('flat', String.raw`{"id":"a","\u0069d":"b"}`)[0]).toBe('b');
    expect(facts('flat', '{"id":"a","id":null}')[0]).toBeNull();
    expect(facts('id_data', '{"data":{"id":1},"id":"x","data":{"id":2},"id":"y"}')).toEqual([
      'y',
      '{"id":2}',
      '2',
    ]);
    expect(facts('row', String.raw`{"row_id":"x","row_dat\u0061":{"id":2,"i\u0064":3}}`)).toEqual([
      'x',
      String.raw`{"id":2,"i\u0064":3}`,
      '3',
    ]);
  });

  it.each(['""', 'null', 'true', 'false', '{}', '[]', '["a"]', 'NaN', 'Infinity', '-Infinity', '-'])(
    'an id of %s identifies nothing',
    (value) => {
      expect(facts('flat', `{"id":${value}}`)[0]).toBeNull();
      expect(facts('id_data', `{"id":${value},"data":{"id":${value}}}`)).toEqual([
        null,
        `{"id":${value}}`,
        null,
      ]);
      expect(scanKeyText(batch(`{"id":${value}}`), 0, 'flat')).toBeNull();
    },
  );

  it.each([
    ['" "', ' '],
    [String.raw`"\u0000"`, '\0'],
    ['0', '0'],
    ['-0', '-0'],
    ['-0.0e+1', '-0.0e+1'],
    ['12345678901234567890', '12345678901234567890'],
  ])('an id of %s identifies', (value, key) => {
    expect(facts('flat', `{"id":${value}}`)[0]).toBe(key);
    expect(text(scanKeyText(batch(`{"id":${value}}`), 0, 'flat'))).toBe(value);
  });

  it('bytes that are not UTF-8 stay in a key', () => {
    const key = scanKey(batch(Buffer.from('{"id":"\xff\xed\xa0\x80"}', 'latin1')), 0, 'flat')!;
    expect(Buffer.from(key).toString('hex')).toBe('ffeda080');
  });
});

describe('the shape of a collection', () => {
  it('is judged by all documents', () => {
    expect(detect('{"id":1,"data":{}}', '{"id":2,"data":{}}')).toBe('id_data');
    expect(detect('{"id":1,"data":{}}', '{"id":2}')).toBe('flat');
    expect(detect('{"id":1}')).toBe('flat');
    expect(detect('null')).toBe('flat');
    expect(detect()).toBe('id_data');
  });

  it('is flat where a document has members of its own beside id and data', () => {
    expect(detect('{"id":1,"data":{},"created_at":"x","updated_at":"y","version":2}')).toBe('id_data');
    expect(detect('{"id":1,"data":{},"price":3}')).toBe('flat');
    expect(detect('{"id":1,"data":[NaN]}')).toBe('id_data'); // cannot be parsed: nothing is known of it
  });

  it('fits where its members are there, whatever they hold', () => {
    const documents = batch(
      '{"id":null,"data":null,"row_id":null,"row_data":null,"_id":null}',
      '{}',
      '"id_data"',
    );
    expect(DOCUMENT_SHAPES.map((shape) => fitsShape(documents, 0, shape))).toEqual([true, true, true, true]);
    for (const at of [1, 2]) {
      expect(DOCUMENT_SHAPES.map((shape) => fitsShape(documents, at, shape))).toEqual([
        true,
        false,
        false,
        false,
      ]);
    }
  });
});

describe('the name of a document in messages', () => {
  it('is its key as sent, cut where it is long, or its place', () => {
    expect(nameOfDocument(batch('{"id":"a\\n"}'), 0, 'flat')).toBe('"a\\n"');
    expect(nameOfDocument(batch('{"id":1}', '{}'), 1, 'flat')).toBe('document 2 of an answer');
    expect(nameOfDocument(batch(`{"id":"${'x'.repeat(5000)}"}`), 0, 'flat')).toBe(`"${'x'.repeat(99)}…`);
  });
});
