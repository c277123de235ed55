import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compactTime,
  encodeCollectionName,
  formatBackupId,
  parseBackupId,
} from '../../../src/model/backup-id.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { isStoreKey } from '../../../src/stores/store.ts';

const encode = (name: string): string => encodeCollectionName(zlibCodec, name);
const startedAt = Date.UTC(2025, 0, 9, 14, 30, 0);

describe('a collection’s name in ids and keys', () => {
  it.each([
    ['agent_memory', 'agent_memory'],
    ['a-z.0', 'a-z.0'],
    ['Users', '%55sers'],
    ['größe', 'gr%c3%b6%c3%9fe'],
    ['gro\u0308ße', 'gro%cc%88%c3%9fe'],
    ['a/b', 'a%2fb'],
    ['a\\b', 'a%5cb'],
    ['..', '%2e%2e'],
    ['.', '%2e'],
    ['...', '...'],
    ['../x', '..%2fx'],
    ['%2e', '%252e'],
    ['x~y', 'x%7ey'],
    ['a b\n\0', 'a%20b%0a%00'],
    ['CON', '%43%4f%4e'],
    ['ж'.repeat(20), '%d0%b6'.repeat(20)],
    ['ж'.repeat(21), `${'%d0%b6'.repeat(13)}~4b34a40efac4258e`],
    ['a'.repeat(120), 'a'.repeat(120)],
    ['a'.repeat(121), `${'a'.repeat(80)}~e9615320128cc7a3`],
  ])('%j', (name, encoded) => {
    expect(encode(name)).toBe(encoded);
  });

  it('is cut between characters, never inside one', () => {
    const name = '😀'.repeat(30); // 12 bytes encoded each
    expect(encode(name)).toMatch(/^(%f0%9f%98%80){6}~[0-9a-f]{16}$/);
    const mixed = `${'a'.repeat(79)}ж${'b'.repeat(100)}`;
    expect(encode(mixed)).toMatch(/^a{79}~[0-9a-f]{16}$/);
  });

  it('makes a segment of a key from any name, and two from two names', () => {
    const name = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }),
      fc.constantFrom('users', 'Users', 'USERS', '.', '..', '~', '%', 'a_full', 'a_full_20250109_143000'),
    );
    fc.assert(
      fc.property(name, name, (one, other) => {
        fc.pre(one.isWellFormed() && other.isWellFormed());
        expect(isStoreKey(encode(one))).toBe(true);
        expect(encode(one).length).toBeLessThanOrEqual(120);
        expect(encode(one)).toBe(encode(one).toLowerCase());
        if (one !== other) expect(encode(one)).not.toBe(encode(other));
        const id = formatBackupId({ encodedCollection: encode(one), backupType: 'incremental', startedAt });
        expect(parseBackupId(id)).toEqual({
          encodedCollection: encode(one),
          backupType: 'incremental',
          startedAt,
        });
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a backup id', () => {
  it('cuts fractions of a second off', () => {
    const id = formatBackupId({
      encodedCollection: 'users',
      backupType: 'full',
      startedAt: startedAt + 999.999,
    });
    expect(id).toBe('users_full_20250109_143000');
    expect(compactTime(Date.UTC(2024, 1, 29, 23, 59, 59))).toBe('20240229_235959');
  });

  it('is parsed from the right', () => {
    expect(parseBackupId('a_full_20250109_143000_full_20250109_143001')).toEqual({
      encodedCollection: 'a_full_20250109_143000',
      backupType: 'full',
      startedAt: startedAt + 1000,
    });
    expect(parseBackupId('users_full_incremental_20250109_143000')?.encodedCollection).toBe('users_full');
    expect(parseBackupId('__incremental_20250109_143000')?.encodedCollection).toBe('_');
  });

  it.each([
    '',
    'users',
    '_full_20250109_143000',
    'users_partial_20250109_143000',
    'users_full_20250109143000',
    'users_full_20250109_14300',
    'users_full_20250109_1430000',
    'users_full_20250109_143060',
    'users_full_20250109_243000',
    'users_full_20250230_143000',
    'users_full_00000000_000000',
    'Users_full_20250109_143000',
    'a/b_full_20250109_143000',
    'users_full_20250109_143000\n',
    '\nusers_full_20250109_143000',
    'users_full_20250109_143000.json',
    'users_full_2025010９_143000',
  ])('is not: %j', (text) => {
    expect(parseBackupId(text)).toBeNull();
  });
});
