import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readCatalog } from '../../src/catalog/catalog.ts';
import { canonicalJson } from '../../src/kernel/json/canonical.ts';
import { formatBackupId, parseBackupId } from '../../src/model/backup-id.ts';
import {
  encodeManifest,
  encodeMarker,
  FORMAT,
  parseManifest,
  parseMarker,
} from '../../src/model/manifest.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';
import { attempt, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { BACKUP_ID, MANIFEST_FIELDS } from '../support/manifests.ts';
import { memoryStore } from '../support/memory-store.ts';
import { hostileValue, untrusted } from '../support/mutations.ts';

const plain = encodeManifest(zlibCodec, MANIFEST_FIELDS);
const rich = encodeManifest(zlibCodec, {
  ...MANIFEST_FIELDS,
  collection: 'Größe/../x y',
  table_definition: '{"name":"ünïcode","schema":{"a":[1,2]}}',
  missing: ['a document', 'another'],
  later: { member: [null, true, -1] },
});
const marker = encodeMarker(zlibCodec, {
  format: FORMAT,
  repository_id: '0'.repeat(32),
  created_at: '2025-01-09T14:30:00.000000Z',
  source: { host: 'api.example.com', project: 'p1' },
});
const genuine = (bytes: Buffer): boolean => [plain, rich, marker].some((one) => bytes.equals(one));

it('a manifest that is accepted is one that was written', FUZZ_TIMEOUT, async () => {
  await fuzz(untrusted([plain, rich, marker]), 2500, async (bytes) => {
    const manifest = await attempt(() => parseManifest(zlibCodec, bytes, BACKUP_ID));
    if ('value' in manifest) {
      expect(genuine(bytes)).toBe(true);
      expect(manifest.value).toEqual(JSON.parse(bytes.toString()));
    }
    const catalog = await readCatalog({
      platform: { codec: zlibCodec },
      store: memoryStore(new Map([[`manifests/${BACKUP_ID}.json`, bytes]])),
    });
    expect(catalog.backups.length + catalog.damaged.length).toBe(1);
  });
});

it('a marker that is accepted is one that was written', FUZZ_TIMEOUT, async () => {
  await fuzz(untrusted([marker, plain]), 1500, async (bytes) => {
    const read = await attempt(() => parseMarker(zlibCodec, bytes));
    if ('value' in read) {
      expect(genuine(bytes)).toBe(true);
      expect(read.value).toEqual(JSON.parse(bytes.toString()));
    }
  });
});

it(
  'a manifest that somebody has sealed again is read as JSON.parse reads it, or refused',
  FUZZ_TIMEOUT,
  async () => {
    const names = fc.constantFrom(
      ...Object.keys(MANIFEST_FIELDS),
      '__proto__',
      'constructor',
      'toString',
      'signature',
    );
    await fuzz(fc.tuple(names, hostileValue), 1500, async ([name, json]) => {
      const bytes = sealed(name, json);
      if (bytes === null) return;
      const read = await attempt(() => parseManifest(zlibCodec, bytes, BACKUP_ID));
      if (!('value' in read)) return;
      expect(Object.getPrototypeOf(read.value)).toBe(Object.prototype);
      if (name !== '__proto__') expect(read.value).toEqual(JSON.parse(bytes.toString()));
      for (const count of [read.value.file_size, read.value.raw_size, read.value.document_count]) {
        expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
      }
    });
  },
);

/** A manifest with another value for one member, its own hash right; null where it has no canonical form. */
function sealed(name: string, json: string): Buffer | null {
  try {
    const { [name as 'format']: _, ...others } = MANIFEST_FIELDS;
    const fields = JSON.parse(
      `${JSON.stringify(others).slice(0, -1)},${JSON.stringify(name)}:${json}}`,
    ) as object;
    const { signature: __, ...hashed } = fields as Record<string, unknown>;
    const hash = createHash('sha256').update(canonicalJson(hashed)).digest('hex');
    const text = JSON.stringify(fields).slice(0, -1);
    return Buffer.from(canonicalJson(JSON.parse(`${text},"manifest_sha256":"${hash}"}`)));
  } catch {
    return null;
  }
}

it('a backup id is what it is made of', FUZZ_TIMEOUT, async () => {
  const samples = [BACKUP_ID, '%2e%2e_incremental_99991231_235959', 'a_full_full_00000101_000000'];
  await fuzz(untrusted(samples), 5000, (bytes) => {
    const text = bytes.toString();
    const parts = parseBackupId(text);
    if (parts === null) return;
    expect(formatBackupId(parts)).toBe(text);
    expect(text).toMatch(/^[a-z0-9_.%~-]+$/);
  });
});
