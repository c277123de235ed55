import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeManifest } from '../../src/model/manifest.ts';
import { list } from '../../src/operations/list.ts';
import { verify } from '../../src/operations/verify.ts';
import { openRepository } from '../../src/repository.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { isStoreKey } from '../../src/stores/store.ts';
import { attempt, FUZZ_TIMEOUT, fuzz } from '../support/fuzzing.ts';
import { BACKUP_ID, MANIFEST_FIELDS } from '../support/manifests.ts';
import { untrusted } from '../support/mutations.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { testPlatform } from '../support/test-platform.ts';

const NAMES = [
  `${BACKUP_ID}.json`,
  `${BACKUP_ID}.json.gz`,
  BACKUP_ID,
  '%2e%2e_full_20250109_143000.json',
  '.json',
  'lost+found',
];

/** A name as a directory can have it: any bytes but `/` and NUL, at most 255 of them. */
const fileName = untrusted(NAMES)
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0 && byte !== 0x2f)).subarray(0, 255))
  .filter((name) => name.length > 0 && !['.', '..'].includes(name.toString()));

const entry = fc.record({
  place: fc.constantFrom('', 'manifests/', 'backups/', 'indexes/', '.partial/', 'other/'),
  name: fileName,
  kind: fc.constantFrom('file', 'file', 'file', 'directory', 'link', 'dangling link'),
  content: fc.constantFrom('', '{}', 'x'),
});

it(
  'a directory may hold any names: every manifest is told of, none is taken for another',
  FUZZ_TIMEOUT,
  async () => {
    using directory = temporaryDirectory();
    const platform = testPlatform();
    const root = `${directory.path}/store`;
    const manifest = encodeManifest(platform.codec, MANIFEST_FIELDS);
    await fuzz(fc.array(entry, { maxLength: 6 }), 150, async (entries) => {
      rmSync(root, { recursive: true, force: true });
      for (const place of ['manifests', 'backups', 'indexes', '.partial', 'other'])
        mkdirSync(`${root}/${place}`, { recursive: true });
      writeFileSync(`${root}/manifests/${BACKUP_ID}.json`, manifest);
      for (const made of entries) make(root, made);

      const store = openDirectoryStore(platform, root);
      const repository = openRepository(platform, store, directory.path);
      const listed = await attempt(() => list(repository, {}));
      const verified = await attempt(() =>
        verify(repository, { backupIds: null, level: 'presence', maxAgeMs: null }),
      );
      if ('value' in listed) {
        expect(listed.value.backups.map(({ manifest: one }) => one.backup_id)).toEqual([BACKUP_ID]);
        expect('value' in verified && verified.value.exit_code).not.toBe(0);
      }
      const manifests = (await Array.fromAsync(store.list('manifests/'))).filter(({ key }) =>
        key.endsWith('.json'),
      );
      if ('value' in listed) {
        expect(listed.value.backups.length + listed.value.errors.length).toBe(manifests.length);
      }
      for await (const { key } of store.list('')) {
        const read = await attempt(() => store.size(key));
        expect('value' in read).toBe(isStoreKey(key));
      }
    });
  },
);

interface Entry {
  readonly place: string;
  readonly name: Buffer;
  readonly kind: string;
  readonly content: string;
}

/** Makes it where nothing stands in its way. */
function make(root: string, { place, name, kind, content }: Entry): void {
  const path = Buffer.concat([Buffer.from(`${root}/${place}`), name]);
  try {
    if (kind === 'directory') mkdirSync(path);
    else if (kind === 'file') writeFileSync(path, content, { flag: 'wx' });
    else symlinkSync(kind === 'link' ? root : '/nowhere/at/all', path);
  } catch (thrown) {
    if (!['EEXIST', 'EISDIR', 'EILSEQ'].includes((thrown as NodeJS.ErrnoException).code ?? '')) throw thrown;
  }
}
