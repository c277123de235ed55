import { expect, test } from 'vitest';
import { MemberNames } from '../../../../src/kernel/json/member-names.ts';

const names = ['id', 'row_id', '_id', 'created_at', 'updated_at', 'größe', '', 'd'];
const find = (key: string) => {
  const bytes = Buffer.from(`"${key}"`);
  return new MemberNames(names).find(bytes, 1, bytes.length - 1);
};

test('each name is found', () => {
  expect(names.map(find)).toEqual(names.map((_, index) => index));
});

test('other keys are not, even with the same length, first and last byte', () => {
  for (const key of [
    'i',
    'idd',
    'Id',
    'row-id',
    'rowid',
    'creatad_at',
    'crested_at',
    'gröse',
    ' ',
    'x'.repeat(1000),
  ]) {
    expect(find(key), key).toBe(-1);
  }
});

test('among no names nothing is found', () => {
  expect(new MemberNames([]).find(Buffer.from('"a"'), 1, 2)).toBe(-1);
  expect(new MemberNames([]).find(Buffer.from('""'), 1, 1)).toBe(-1);
});
