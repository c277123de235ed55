import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JsonMalformed } from '../../src/kernel/json/document-scanner.ts';
import { DOCUMENT_SHAPES, MEMBERS } from '../../src/model/document.ts';
import { detectShape, nameOfDocument, payloadId, scanKey } from '../../src/model/shape.ts';
import { sortValues } from '../../src/sources/scan/sort-values.ts';
import type { Page } from '../../src/sources/source.ts';
import { scanList } from '../../src/zerodb/pages.ts';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { untrusted } from '../support/mutations.ts';

const LIST_NAMES = ['documents', 'rows', 'data', 'items', 'results', 'tables', 'objects'];
const SAMPLES = [
  '[{"id":"a","data":{"id":7,"created_at":"2025-01-01"},"created_at":"x"},{"id":2,"data":{}}]',
  '{"total":2,"rows":[{"row_id":"r1","row_data":{"id":"a\\u0062"}},{"row_id":"r2","row_data":{}}],"limit":100}',
  '{"documents":[{"_id":"x","n":[1,{"y":null}]}],"data":[],"total":"1"}',
  '\ufeff {"success":true,"data":{"rows":[1]},"items" : [ "text" , 5 ,\r\n{"id":"\\ud83d\\ude00"} ] }',
  '{"tables":[{"table_name":"users","schema":{"a":{}}},{"name":"b\\"c"}],"skip":0}',
  '[]',
];

it('a list that is accepted holds what JSON.parse finds in it', FUZZ_TIMEOUT, async () => {
  await fuzz(untrusted(SAMPLES), 8000, (bytes) => {
    const reference = listIn(bytes);
    const page = scanned(bytes);
    if (page === null || reference === null) {
      // what is JSON and holds one list, or several of different names, is no reason to refuse it
      if (reference !== null) expect(reference.repeated).toBe(true);
      return;
    }
    const texts = Array.from({ length: page.spans.count }, (_, at) =>
      Buffer.from(page.bytes.subarray(page.spans.start(at), page.spans.end(at))).toString(),
    );
    expect(texts.map(parsed)).toEqual(reference.list);
    expect(page.total ?? null).toBe(reference.total);
    for (const text of texts) expect(text).not.toMatch(/[\r\n]/);
  });
});

it('a list of anything can be taken apart further', FUZZ_TIMEOUT, async () => {
  await fuzz(fc.tuple(untrusted(SAMPLES), fc.constantFrom(...DOCUMENT_SHAPES)), 3000, ([bytes, shape]) => {
    const page = scanned(bytes);
    if (page === null) return;
    detectShape(page, DOCUMENT_SHAPES);
    for (const field of ['key', 'created_at'] as const) sortValues(page, shape, field);
    for (let at = 0; at < page.spans.count; at++) {
      const [key, id] = [scanKey(page, at, shape), payloadId(page, at, shape)];
      expect(key?.length).not.toBe(0);
      expect(id?.length).not.toBe(0);
      expect(nameOfDocument(page, at, shape).length).toBeLessThanOrEqual(101);
    }
  });
});

function scanned(bytes: Buffer): Page | null {
  try {
    return scanList(Buffer.from(bytes), MEMBERS);
  } catch (thrown) {
    if (thrown instanceof JsonMalformed) return null; // what readList makes a SOURCE_MALFORMED of
    throw thrown;
  }
}

interface FoundList {
  readonly list: readonly unknown[];
  readonly total: number | null;
  /** Whether a list stands twice under one name. */
  readonly repeated: boolean;
}

/** The simple reading: JSON.parse of all of it, and of each member of the envelope. Null where there is no list. */
function listIn(bytes: Buffer): FoundList | null {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text);
    JSON.stringify(value); // shallow enough to be compared
  } catch {
    return null;
  }
  if (Array.isArray(value)) return { list: value, total: null, repeated: false };
  if (typeof value !== 'object' || value === null) return null;
  const members = membersOf(text);
  const lists = members.filter(([name, one]) => LIST_NAMES.includes(name) && one.startsWith('['));
  const first = lists[0];
  if (first === undefined) return null;
  const total = members.findLast(([name]) => name === 'total')?.[1] ?? '';
  return {
    list: JSON.parse(first[1]) as unknown[],
    total: /^\d{1,15}$/.test(total) ? Number(total) : null,
    repeated: lists.filter(([name]) => name === first[0]).length > 1,
  };
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s"[\]{},:]+/g;

/** Names and texts of the members of an object that is known to be JSON, repeated ones as often as they stand. */
function membersOf(text: string): (readonly [name: string, value: string])[] {
  const members: [string, string][] = [];
  let depth = 0;
  let name: string | null = null;
  let value = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '}' || token === ']') depth--;
    const ends = (depth === 1 && token === ',') || (depth === 0 && token === '}');
    if (ends && name !== null) members.push([name, value]);
    if (ends) name = null;
    else if (depth === 1 && name === null && token.startsWith('"'))
      [name, value] = [JSON.parse(token) as string, ''];
    else if (name !== null && !(depth === 1 && token === ':')) value += token;
    if (token === '{' || token === '[') depth++;
  }
  return members;
}

function parsed(text: string): unknown {
  return JSON.parse(text) as unknown;
}
