import { expect, it } from 'vitest';
import { MEMBERS } from '../../../../src/model/document.ts';
import { sortValues } from '../../../../src/sources/scan/sort-values.ts';
import { scanList } from '../../../../src/zerodb/pages.ts';

/** Times of one document, as the server sent it. */
function times(document: string): readonly string[] | null {
  const page = scanList(Buffer.from(`[${document}]`), MEMBERS);
  return sortValues(page, 'id_data', 'created_at')?.map(({ text }) => String(text)) ?? null;
}

it('prefers the time of the payload to that of the server', () => {
  expect(times('{"id":1,"data":{"created_at":"own"},"created_at":"theirs"}')).toEqual(['own']);
  expect(times('{"id":1,"data":{"created_at":7},"created_at":"theirs"}')).toEqual(['theirs']);
  expect(times('{"id":1,"data":{}}')).toBeNull();
});

// nothing looks into a payload when the answer is taken apart, so that it may hold anything between its brackets
it.each(['{"a" 1}', '{"created_at":"own",}', '{created_at:"own"}', '{,}'])(
  'takes the time of the server where the payload is no JSON: %s',
  (payload) => {
    expect(times(`{"id":1,"data":${payload},"created_at":"theirs"}`)).toEqual(['theirs']);
  },
);
