import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BackupError } from '../../../src/kernel/errors.ts';
import { canonicalJson } from '../../../src/kernel/json/canonical.ts';
import { encodeManifest, encodeMarker, parseManifest, parseMarker } from '../../../src/model/manifest.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { backupError } from '../../support/expected-errors.ts';
import { BACKUP_ID, MANIFEST_FIELDS } from '../../support/manifests.ts';

const encode = (change: Record<string, unknown> = {}): Buffer =>
  Buffer.from(encodeManifest(zlibCodec, { ...MANIFEST_FIELDS, ...change }));
const parse = (bytes: Uint8Array | string) => parseManifest(zlibCodec, Buffer.from(bytes), BACKUP_ID);
const damaged = backupError('MANIFEST_DAMAGED', BACKUP_ID);

/** A record with these fields in canonical form, its hash right. */
function sealed(fields: Record<string, unknown>, hashMember = 'manifest_sha256'): Buffer {
  const hash = createHash('sha256').update(canonicalJson(fields)).digest('hex');
  return Buffer.from(canonicalJson({ ...fields, [hashMember]: hash }));
}

describe('a manifest', () => {
  it('comes back as it was encoded', () => {
    expect(parse(encode())).toEqual({
      ...MANIFEST_FIELDS,
      manifest_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('is one line in the form of RFC 8785, hashed without hash and signature', () => {
    const text = encode({ table_definition: '{"é":"\\u2028\u2028","tab":"\t\u0001"}' }).toString();
    expect(text).not.toMatch(/\n|: |, /);
    const { manifest_sha256: hash, ...fields } = JSON.parse(text) as Record<string, unknown>;
    expect(Object.keys(fields)).toEqual(Object.keys(fields).toSorted());
    const again = text.replace(`"manifest_sha256":"${String(hash)}",`, '');
    expect(createHash('sha256').update(again).digest('hex')).toBe(hash);
    expect(text).toContain(
      String.raw`"table_definition":"{\"é\":\"\\u2028${'\u2028'}\",\"tab\":\"\t\u0001\"}"`,
    );

    const signed = canonicalJson({ ...(JSON.parse(text) as Record<string, unknown>), signature: 'abc' });
    expect(parse(signed).signature).toBe('abc');
  });

  it('keeps members that this version does not know, and covers them by its hash', () => {
    const bytes = encode({
      later: { nested: [1, null, 'x'] },
      source: { host: 'x', project: null, dialect: 'A', region: 'eu' },
    });
    expect(parse(bytes)).toMatchObject({ later: { nested: [1, null, 'x'] }, source: { region: 'eu' } });
    expect(() => parse(bytes.toString().replace('"eu"', '"us"'))).toThrow(damaged);
  });

  it('is damaged by any flipped bit and any cut', () => {
    const bytes = encode();
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 0x20, 0x80]) {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= bit;
        expect(() => parse(flipped), `byte ${at} ^ ${bit}`).toThrow(damaged);
      }
      expect(() => parse(bytes.subarray(0, at)), `cut at ${at}`).toThrow(damaged);
    }
  });

  it.each([
    ['white space behind it', (text: string) => `${text}\n`],
    ['white space inside', (text: string) => text.replace('":', '": ')],
    ['a byte order mark', (text: string) => `\ufeff${text}`],
    ['another order', (text: string) => text.replace(/^\{("backup_id":"[^"]*"),(.*)\}$/, '{$2,$1}')],
    ['a repeated member', (text: string) => text.replace('{', '{"backup_id":"x",')],
    [
      'the same member twice',
      (text: string) => text.replace('"backup_type":"full"', '"backup_type":"full","backup_type":"full"'),
    ],
    ['an escape too many', (text: string) => text.replace('"full"', '"\\u0066ull"')],
    ['a fraction', (text: string) => text.replace(/"raw_size":(\d+)/, '"raw_size":$1.0')],
    ['an exponent', (text: string) => text.replace(/"deleted_count":0/, '"deleted_count":0e0')],
    ['minus nought', (text: string) => text.replace(/"deleted_count":0/, '"deleted_count":-0')],
    ['a huge number', (text: string) => text.replace(/"deleted_count":0/, '"deleted_count":1e999')],
    [
      'a number beyond 2^53',
      (text: string) => text.replace(/"deleted_count":0/, '"deleted_count":9007199254740993'),
    ],
    [
      'an upper-case hash',
      (text: string) =>
        text.replace(
          /("manifest_sha256":")([0-9a-f]+)/,
          (_, name: string, hash: string) => name + hash.toUpperCase(),
        ),
    ],
    ['no hash', (text: string) => text.replace(/"manifest_sha256":"[0-9a-f]+",/, '')],
  ])('is damaged by %s, though it means the same', (_, change) => {
    const text = encode().toString();
    const changed = change(text);
    expect(changed).not.toBe(text);
    expect(() => parse(changed)).toThrow(damaged);
  });

  it.each([
    '',
    'null',
    '[]',
    '"x"',
    '1',
    '{}',
    '{"manifest_sha256":null}',
    '\xff',
    '['.repeat(100_000),
    `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  ])('is not: %.20s', (text) => {
    expect(() => parse(Buffer.from(text, 'latin1'))).toThrow(damaged);
  });

  it('of another backup is damaged: it stands under the wrong name', () => {
    const other = encode({ backup_id: 'users_full_20250109_143001' });
    expect(() => parse(other)).toThrow(damaged);
  });

  it.each([
    ['format', 'zerodb-backup/2'],
    ['format', 'zerodb-backup/1.1'],
    ['format', 1],
    ['format', undefined],
  ])('with %s %j is of an unknown format, whatever else it says', (name, value) => {
    const fields: Record<string, unknown> = {
      ...MANIFEST_FIELDS,
      document_shape: 'something new',
      [name]: value,
    };
    expect(() => parse(sealed(fields))).toThrow(backupError('FORMAT_UNKNOWN', BACKUP_ID));
  });

  it.each(Object.keys(MANIFEST_FIELDS).filter((name) => name !== 'format'))(
    'without %s is refused',
    (name) => {
      const { [name]: _, ...fields } = MANIFEST_FIELDS as Record<string, unknown>;
      expect(() => parse(sealed(fields))).toThrow(backupError('FORMAT_UNKNOWN', BACKUP_ID));
    },
  );

  it.each<[string, unknown]>([
    ['backup_type', 'partial'],
    ['file_size', -1],
    ['version', '1.0.1'],
    ['file_size', '12'],
    ['document_count', null],
    ['status', 'ok'],
    ['created_at', '2025-01-09T14:30:00Z'],
    ['window', { start: '2025-01-09T14:30:00.000000Z', end: '2025-01-09T14:30:44.000000' }],
    ['consistency', 'sure'],
    ['missing', 'nothing'],
    ['missing', [1]],
    ['document_shape', 'round'],
    ['compression', 'brotli'],
    ['sha256', 'abc'],
    ['sha256', 'A'.repeat(64)],
    ['documents_digest', '0'.repeat(31)],
    ['index', { size: 1 }],
    ['source', null],
    ['encryption', { method: 'age' }],
    ['source', { host: 'x', project: 1, dialect: 'A' }],
  ])('with %s %j is refused', (name, value) => {
    expect(() => parse(sealed({ ...MANIFEST_FIELDS, [name]: value }))).toThrow(
      backupError('FORMAT_UNKNOWN', BACKUP_ID),
    );
  });

  it('read from anything at all is a manifest or a BackupError', () => {
    const refused = (bytes: Uint8Array): void => {
      expect(() => parse(bytes)).toThrow(backupError(/^(MANIFEST_DAMAGED|FORMAT_UNKNOWN)$/, BACKUP_ID));
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), refused), { numRuns: 500 });
    fc.assert(
      fc.property(fc.json(), (text) => refused(Buffer.from(text))),
      { numRuns: 500 },
    );
    // members of all kinds, sealed with the right hash where they have a canonical form
    const value = fc.jsonValue({ maxDepth: 3 });
    const name = fc.oneof(fc.constantFrom(...Object.keys(MANIFEST_FIELDS)), fc.string());
    fc.assert(
      fc.property(fc.dictionary(name, value, { minKeys: 1, maxKeys: 4 }), (change) => {
        const fields = { ...MANIFEST_FIELDS, ...change };
        let bytes: Buffer;
        try {
          bytes = sealed(fields);
        } catch {
          bytes = Buffer.from(JSON.stringify({ ...fields, manifest_sha256: '0'.repeat(64) }));
        }
        try {
          expect(parse(bytes)).toMatchObject({ backup_id: BACKUP_ID, format: 'zerodb-backup/1' });
        } catch (thrown) {
          if (!(thrown instanceof BackupError)) throw thrown;
          expect(['MANIFEST_DAMAGED', 'FORMAT_UNKNOWN']).toContain(thrown.code);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('changes no prototype', () => {
    const bytes = sealed(
      JSON.parse(
        '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"format":"x"}',
      ) as Record<string, unknown>,
    );
    expect(bytes.toString()).toContain('"__proto__"');
    expect(() => parse(bytes)).toThrow(backupError('FORMAT_UNKNOWN'));
    expect('polluted' in {}).toBe(false);
  });
});

describe('the marker', () => {
  const fields = {
    format: 'zerodb-backup/1',
    repository_id: '0123456789abcdef0123456789abcdef',
    created_at: '2025-01-09T14:30:00.000000Z',
    source: { host: 'api.example.com', project: null },
  } as const;
  const markerDamaged = backupError('MARKER_DAMAGED', 'repository.json');

  it('comes back as it was encoded', () => {
    const bytes = encodeMarker(zlibCodec, fields);
    expect(parseMarker(zlibCodec, bytes)).toEqual({ ...fields, marker_sha256: expect.any(String) });
  });

  it('is damaged by any flipped bit and any cut', () => {
    const bytes = Buffer.from(encodeMarker(zlibCodec, fields));
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1;
      expect(() => parseMarker(zlibCodec, flipped)).toThrow(markerDamaged);
      expect(() => parseMarker(zlibCodec, bytes.subarray(0, at))).toThrow(markerDamaged);
    }
  });

  it('of an unknown format, or without its fields, is refused', () => {
    const seal = (record: Record<string, unknown>) => sealed(record, 'marker_sha256');
    expect(() => parseMarker(zlibCodec, seal({ ...fields, format: 'zerodb-backup/2' }))).toThrow(
      backupError('FORMAT_UNKNOWN', 'repository.json'),
    );
    for (const name of ['repository_id', 'created_at', 'source']) {
      const { [name]: _, ...rest } = fields as Record<string, unknown>;
      expect(() => parseMarker(zlibCodec, seal(rest))).toThrow(backupError('FORMAT_UNKNOWN'));
    }
  });
});
