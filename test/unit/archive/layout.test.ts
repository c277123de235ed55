import { describe, expect, it } from 'vitest';
import {
  archiveFileName,
  archiveKey,
  backupIdOfArchiveKey,
  backupIdOfManifestKey,
  indexKey,
  manifestKey,
} from '../../../src/archive/layout.ts';
import { isStoreKey } from '../../../src/stores/store.ts';

const id = '%55sers~0123_full_20250109_143000';

describe('the keys of a store', () => {
  it('follow from the backup id', () => {
    expect(manifestKey(id)).toBe(`manifests/${id}.json`);
    expect(archiveKey(id, 'gzip')).toBe(`backups/${id}.json.gz`);
    expect(archiveKey(id, 'zstd')).toBe(`backups/${id}.json.zst`);
    expect(archiveFileName(id, 'gzip')).toBe(`${id}.json.gz`);
    expect(indexKey(id)).toBe(`indexes/${id}`);
    for (const key of [manifestKey(id), archiveKey(id, 'zstd'), indexKey(id)])
      expect(isStoreKey(key)).toBe(true);
  });

  it('tell the backup id', () => {
    expect(backupIdOfManifestKey(manifestKey(id))).toBe(id);
    expect(backupIdOfArchiveKey(archiveKey(id, 'gzip'))).toBe(id);
    expect(backupIdOfArchiveKey(archiveKey(id, 'zstd'))).toBe(id);
  });

  it.each([
    indexKey(id),
    `manifests/${id}`,
    `backups/${id}.json.gz.tmp`,
    `x/manifests/${id}.json`,
    'repository.json',
  ])('are nothing else: %s', (key) => {
    expect(backupIdOfManifestKey(key)).toBeNull();
    expect(backupIdOfArchiveKey(key)).toBeNull();
  });
});
