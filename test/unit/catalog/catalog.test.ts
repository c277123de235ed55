import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCatalog, readManifest } from '../../../src/catalog/catalog.ts';
import { encodeManifest, RECORD_BYTES_MAX, type UnsignedManifest } from '../../../src/model/manifest.ts';
import { createPlatform } from '../../../src/platform/platform.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { backupError } from '../../support/expected-errors.ts';
import { BACKUP_ID, MANIFEST_FIELDS } from '../../support/manifests.ts';
import { memoryStore } from '../../support/memory-store.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const damaged = backupError('MANIFEST_DAMAGED', BACKUP_ID);

/** A store with one manifest whose own hash is right, whatever it says. */
function storeWith(fields: Partial<UnsignedManifest>, backupId = BACKUP_ID) {
  const bytes = encodeManifest(zlibCodec, {
    ...MANIFEST_FIELDS,
    backup_id: backupId,
    ...fields,
  });
  return {
    platform: { codec: zlibCodec },
    store: memoryStore(new Map([[`manifests/${backupId}.json`, Buffer.from(bytes)]])),
  };
}

describe('a manifest that somebody has rewritten, hash and all', () => {
  const other = 'users_full_20250109_143001';

  it('is read where it says what its id says', async () => {
    expect((await readManifest(storeWith({}), BACKUP_ID)).object_path).toBe(`backups/${BACKUP_ID}.json.gz`);
  });

  it.each<[string, Partial<UnsignedManifest>]>([
    ['the archive of another backup', { object_path: `backups/${other}.json.gz` }],
    ['a path out of the store', { object_path: '../../etc/passwd' }],
    ['an absolute path', { object_path: '/etc/passwd' }],
    ['itself', { object_path: `manifests/${BACKUP_ID}.json` }],
    ['the archive of another compression', { object_path: `backups/${BACKUP_ID}.json.zst` }],
    ['another file', { file_name: '../x.json.gz' }],
    ['another collection', { collection: 'events' }],
    ['another type', { backup_type: 'incremental' }],
  ])('is damaged where it names %s', async (_, fields) => {
    const home = storeWith(fields);
    await expect(readManifest(home, BACKUP_ID)).rejects.toEqual(damaged);
    expect(await readCatalog(home)).toMatchObject({ backups: [], damaged: [{ backupId: BACKUP_ID }] });
  });

  it('is never looked for under an id that is a path', async () => {
    for (const id of ['../../etc/passwd', '..', 'a/b_full_20250109_143000', 'x_full_20250109_143000/..'])
      await expect(readManifest(storeWith({}), id)).rejects.toEqual(backupError('BACKUP_MISSING'));
  });
});

describe('a manifest that is too long', () => {
  it('is refused unread: Z07', async () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, 'manifests'));
    const path = join(directory.path, 'manifests', `${BACKUP_ID}.json`);
    writeFileSync(path, '{');
    truncateSync(path, 2 ** 36); // 64 GiB of zeros that take no room
    const platform = createPlatform();
    const home = { platform, store: openDirectoryStore(platform, directory.path) };
    const before = process.memoryUsage().arrayBuffers;
    await expect(readManifest(home, BACKUP_ID)).rejects.toMatchObject({
      code: 'MANIFEST_DAMAGED',
      message: expect.stringContaining('longer than'),
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * RECORD_BYTES_MAX);
  });

  it('is never written', () => {
    const table_definition = 'x'.repeat(RECORD_BYTES_MAX);
    expect(() => encodeManifest(zlibCodec, { ...MANIFEST_FIELDS, table_definition })).toThrow(
      backupError('SOURCE_TOO_LARGE', 'users'),
    );
  });
});
