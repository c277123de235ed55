import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Files } from '../../../src/kernel/files.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { onePiece, readObject, type Store } from '../../../src/stores/store.ts';
import { describeStore } from '../../contracts/store.contract.ts';
import { backupError } from '../../support/expected-errors.ts';
import { type FileCall, interceptedFiles, osError } from '../../support/intercepted-files.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary-directory.ts';
import { testPlatform } from '../../support/test-platform.ts';

describeStore('the directory store', async () => {
  const directory = temporaryDirectory();
  let seed = 0;
  const open = () => openDirectoryStore(testPlatform(++seed), `${directory.path}/store`);
  const store = open();
  return {
    store,
    reopen: async () => open(),
    [Symbol.asyncDispose]: async () => {
      await store.close();
      directory[Symbol.dispose]();
    },
  };
});

describe('the directory store on its disk', () => {
  const platform = testPlatform();
  let outside: TemporaryDirectory;
  let root: string;
  beforeEach(() => {
    outside = temporaryDirectory();
    root = `${outside.path}/above/store`;
  });
  afterEach(() => outside[Symbol.dispose]());

  const open = (files: Files = platform.files, path = root): Store =>
    openDirectoryStore({ ...platform, files }, path);
  const put = (store: Store, key: string, content = key): Promise<void> =>
    store.put(key, onePiece(Buffer.from(content)));
  const keys = async (store: Store, prefix = ''): Promise<string[]> =>
    (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).sort();
  const partials = (): string[] => (existsSync(`${root}/.partial`) ? readdirSync(`${root}/.partial`) : []);

  /** The calls of `action` that change something, with paths from the store's root on. */
  async function changesOf(action: (store: Store) => Promise<void>): Promise<string[]> {
    const changes: string[] = [];
    const record = ({ operation, path }: FileCall): void => {
      if (['stat', 'list', 'open', 'read'].includes(operation)) return;
      const place = path.replace(outside.path, '').replace(/\.partial\/[0-9a-f]{32}$/, '.partial/*');
      changes.push(`${operation} ${place}`);
    };
    await action(open(interceptedFiles(platform.files, record)));
    return changes;
  }

  describe('durability', () => {
    const written = (key: string): string[] => [
      'create /above/store/.partial/*',
      'write /above/store/.partial/*',
      'sync /above/store/.partial/*',
      'close /above/store/.partial/*',
      `link /above/store/${key}`,
      `syncDirectory /above/store/${key.slice(0, key.lastIndexOf('/'))}`,
      'remove /above/store/.partial/*',
    ];

    it('content first, then the name; each directory is made durable in the one above', async () => {
      expect(await changesOf((store) => put(store, 'restores/r/plan'))).toEqual([
        `syncDirectory ${dirname(outside.path)}`,
        'makeDirectory /above',
        'syncDirectory ',
        'makeDirectory /above/store',
        'syncDirectory /above',
        'makeDirectory /above/store/.partial',
        'syncDirectory /above/store',
        'makeDirectory /above/store/restores',
        'syncDirectory /above/store',
        'makeDirectory /above/store/restores/r',
        'syncDirectory /above/store/restores',
        ...written('restores/r/plan'),
      ]);
    });

    it('the second object of a directory costs no more than its own', async () => {
      const changes = await changesOf(async (store) => {
        await put(store, 'backups/a');
        await put(store, 'backups/b');
      });
      expect(changes.slice(-7)).toEqual(written('backups/b'));
      expect(changes.slice(-14, -7)).toEqual(written('backups/a'));
    });

    it('a removal is made durable', async () => {
      await put(open(), 'manifests/a');
      expect(await changesOf((store) => store.remove('manifests/a'))).toEqual([
        'remove /above/store/manifests/a',
        'syncDirectory /above/store/manifests',
      ]);
    });

    it('nobody else may read what is in it', async () => {
      await put(open(), 'backups/a');
      expect(statSync(`${root}/backups/a`).mode & 0o777).toBe(0o600);
      for (const directory of [root, `${root}/backups`, `${root}/.partial`]) {
        expect(statSync(directory).mode & 0o777).toBe(0o700);
      }
    });
  });

  describe('a disk that fails', () => {
    /** Calls of one put of a new key in a new store. */
    async function callsOfPut(): Promise<FileCall[]> {
      const calls: FileCall[] = [];
      const spied = openDirectoryStore(
        { ...platform, files: interceptedFiles(platform.files, (call) => void calls.push(call)) },
        `${outside.path}/spied`,
      );
      await spied.put('manifests/new', threePieces());
      return calls;
    }

    it('at any call: either nothing has happened, or the object is there; and the next put succeeds', async () => {
      const wholeCalls = await callsOfPut();
      const total = wholeCalls.length;
      expect(total).toBeGreaterThan(15);
      const aboveAt = wholeCalls.findIndex(({ operation }) => operation === 'syncDirectory');
      for (const code of ['EIO', 'EACCES', 'EDQUOT']) {
        for (let failing = 0; failing < total; failing++) {
          root = `${outside.path}/${code}-${failing}`;
          let calls = 0;
          let failed = '';
          const files = interceptedFiles(platform.files, ({ operation, path }) => {
            if (calls++ !== failing) return;
            failed = path === dirname(outside.path) ? `${operation} above` : operation;
            throw osError(code);
          });
          const store = open(files);
          const expected = { EIO: 'STORE_FAILED', EACCES: 'STORE_FORBIDDEN', EDQUOT: 'STORE_FULL' }[code]!;
          // what stands above the store need not be ours
          const isHarmless = failing === total - 1 || (code === 'EACCES' && failing === aboveAt);
          if (isHarmless) {
            await store.put('manifests/new', threePieces());
            expect(failed).toBe(failing === aboveAt ? 'syncDirectory above' : 'remove');
          } else {
            await expect(
              store.put('manifests/new', threePieces()),
              `${code} at call ${failing}`,
            ).rejects.toEqual(backupError(expected as 'STORE_FAILED', 'manifests/new'));
            expect(existsSync(root) ? await keys(open()) : []).toEqual([]);
            expect(partials()).toEqual([]);
            await store.put('manifests/new', threePieces());
          }
          expect((await readObject(store, 'manifests/new', 1 << 20)).toString()).toBe('one two three');
        }
      }
    });

    it('full at any write: says so, leaves nothing behind, and earlier objects as they were', async () => {
      const total = (await callsOfPut()).filter(({ operation }) => operation === 'write').length;
      expect(total).toBe(3);
      await put(open(), 'manifests/earlier');
      for (let failing = 0; failing < total; failing++) {
        let writes = 0;
        const files = interceptedFiles(platform.files, ({ operation }) => {
          if (operation === 'write' && writes++ === failing) throw osError('ENOSPC');
        });
        await expect(open(files).put('manifests/new', threePieces())).rejects.toMatchObject({
          code: 'STORE_FULL',
          message: `cannot write ${root}/manifests/new: ENOSPC`,
          cure: expect.stringMatching(/^Free space/),
        });
        expect(await keys(open())).toEqual(['manifests/earlier']);
        expect(partials()).toEqual([]);
      }
      expect(readFileSync(`${root}/manifests/earlier`, 'utf8')).toBe('manifests/earlier');
    });

    it('at any call of get, size, list and remove: a BackupError, and nothing is lost', async () => {
      const actions: Record<string, (store: Store) => Promise<unknown>> = {
        get: (store) => readObject(store, 'manifests/a', 1 << 20),
        size: (store) => store.size('manifests/a'),
        list: (store) => keys(store),
      };
      await put(open(), 'manifests/a');
      for (const [name, action] of Object.entries(actions)) {
        let total = 0;
        await action(open(interceptedFiles(platform.files, () => void total++)));
        for (let failing = 0; failing < total; failing++) {
          let calls = 0;
          const files = interceptedFiles(platform.files, () => {
            if (calls++ === failing) throw osError('EIO');
          });
          await expect(action(open(files)), `${name}, call ${failing}`).rejects.toEqual(
            backupError('STORE_FAILED'),
          );
        }
      }
      const files = interceptedFiles(platform.files, ({ operation }) => {
        if (operation === 'remove') throw osError('EACCES');
      });
      await expect(open(files).remove('manifests/a')).rejects.toEqual(backupError('STORE_FORBIDDEN'));
      expect(await keys(open())).toEqual(['manifests/a']);
    });

    it('a directory that may not be written to is named', async () => {
      const files = interceptedFiles(platform.files, ({ operation }) => {
        if (operation === 'create') throw osError('EROFS');
      });
      await expect(put(open(files), 'backups/a')).rejects.toMatchObject({
        code: 'STORE_FORBIDDEN',
        message: `cannot write ${root}/backups/a: EROFS`,
      });
    });

    it.skipIf(process.getuid?.() === 0)('really may not be written to', async () => {
      mkdirSync(root, { recursive: true, mode: 0o500 });
      await expect(put(open(), 'backups/a')).rejects.toEqual(backupError('STORE_FORBIDDEN'));
    });
  });

  describe('what dead runs left', () => {
    it('is invisible, and swept when nobody has written to it for an hour', async () => {
      await put(open(), 'manifests/a');
      const now = platform.clock.now() / 1000;
      for (const [name, age] of [
        ['old', 3601],
        ['young', 3599],
        ['future', -10_000],
      ] as const) {
        writeFileSync(`${root}/.partial/${name}`, 'half');
        utimesSync(`${root}/.partial/${name}`, now - age, now - age);
      }
      expect(await keys(open())).toEqual(['manifests/a']);
      await expect(open().size('.partial/old')).rejects.toEqual(backupError('STORE_FAILED'));
      await put(open(), 'manifests/b');
      expect(partials().sort()).toEqual(['future', 'young']);
      expect(await keys(open())).toEqual(['manifests/a', 'manifests/b']);
    });
  });

  it('an object that is being written is not swept, even where the clock says that it is old', async () => {
    const store = open();
    await put(store, 'manifests/first');
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    async function* slowly() {
      yield Buffer.from('half');
      await finished;
      yield Buffer.from('whole');
    }
    const writing = store.put('manifests/slow', slowly());
    const written = () => partials().map((name) => readFileSync(`${root}/.partial/${name}`, 'utf8'));
    await expect.poll(written).toEqual(['half']);
    utimesSync(`${root}/.partial/${partials()[0]}`, 0, 0);
    // after a failure everything is looked at again
    await expect(put(store, 'manifests/first')).rejects.toEqual(backupError('STORE_EXISTS'));
    await put(store, 'manifests/other');
    finish();
    await writing;
    expect(await keys(store)).toEqual(['manifests/first', 'manifests/other', 'manifests/slow']);
  });

  describe('links', () => {
    let elsewhere: string;
    beforeEach(async () => {
      await put(open(), 'manifests/real');
      elsewhere = `${outside.path}/elsewhere`;
      mkdirSync(elsewhere);
      writeFileSync(`${elsewhere}/secret`, 'not ours');
    });

    it.each(['secret', 'nothing'])('in the place of an object are no object: %s', async (target) => {
      symlinkSync(`${elsewhere}/${target}`, `${root}/manifests/linked`);
      const store = open();
      expect(await store.size('manifests/linked')).toBeNull();
      await expect(readObject(store, 'manifests/linked', 1 << 20)).rejects.toEqual(
        backupError('STORE_MISSING'),
      );
      await expect(store.remove('manifests/linked')).rejects.toEqual(backupError('STORE_MISSING'));
      await expect(put(store, 'manifests/linked')).rejects.toEqual(backupError('STORE_EXISTS'));
      expect(await keys(store)).toEqual(['manifests/real']);
      expect(readdirSync(elsewhere)).toEqual(['secret']);
      expect(readFileSync(`${elsewhere}/secret`, 'utf8')).toBe('not ours');
    });

    it('in the place of a directory are an error, never an empty list', async () => {
      symlinkSync(elsewhere, `${root}/backups`);
      const store = open();
      for (const action of [
        () => put(store, 'backups/a'),
        () => readObject(store, 'backups/secret', 1 << 20),
        () => store.size('backups/secret'),
        () => store.remove('backups/secret'),
        () => keys(store, 'backups/'),
        () => keys(store, 'backups/s'),
      ]) {
        await expect(action()).rejects.toEqual(backupError('STORE_FAILED', `${root}/backups`));
      }
      expect(await keys(store, 'manifests/')).toEqual(['manifests/real']);
      expect(readdirSync(elsewhere)).toEqual(['secret']);
    });

    it('in the place of .partial are an error', async () => {
      const linked = `${outside.path}/linked`;
      mkdirSync(linked);
      symlinkSync(elsewhere, `${linked}/.partial`);
      await expect(put(open(platform.files, linked), 'backups/a')).rejects.toEqual(
        backupError('STORE_FAILED', `${linked}/.partial`),
      );
      expect(readdirSync(elsewhere)).toEqual(['secret']);
    });

    it('to the store itself are followed', async () => {
      symlinkSync(root, `${outside.path}/shortcut`);
      const store = open(platform.files, `${outside.path}/shortcut`);
      await put(store, 'manifests/new');
      expect(await keys(store)).toEqual(['manifests/new', 'manifests/real']);
      expect(await keys(open())).toEqual(['manifests/new', 'manifests/real']);
    });
  });

  describe('other things in its place', () => {
    it('a store that is not there: listing is an error, looking finds nothing, putting makes it', async () => {
      await expect(keys(open())).rejects.toEqual(backupError('STORE_MISSING', root));
      expect(existsSync(root)).toBe(false);
      expect(await open().size('manifests/a')).toBeNull();
      await expect(open().remove('manifests/a')).rejects.toEqual(backupError('STORE_MISSING'));
      expect(existsSync(root)).toBe(false);
      await put(open(), 'manifests/a');
      expect(await keys(open())).toEqual(['manifests/a']);
    });

    it('a file where the store should be', async () => {
      writeFileSync(`${outside.path}/file`, 'x');
      const store = open(platform.files, `${outside.path}/file`);
      await expect(put(store, 'manifests/a')).rejects.toEqual(backupError('STORE_FAILED'));
      await expect(keys(store)).rejects.toEqual(backupError('STORE_FAILED'));
    });

    it('a directory in the place of an object is no object', async () => {
      mkdirSync(`${root}/manifests/a`, { recursive: true });
      expect(await open().size('manifests/a')).toBeNull();
      await expect(readObject(open(), 'manifests/a', 1 << 20)).rejects.toEqual(backupError('STORE_MISSING'));
      await expect(put(open(), 'manifests/a')).rejects.toEqual(backupError('STORE_EXISTS'));
    });

    it('files of other people are listed, so that a store is not begun among them; lost+found is nobody’s', async () => {
      mkdirSync(`${root}/lost+found`, { recursive: true });
      writeFileSync(`${root}/lost+found/#1`, 'x');
      expect(await keys(open())).toEqual([]);
      mkdirSync(`${root}/My Photos`);
      writeFileSync(`${root}/My Photos/IMG.JPG`, 'x');
      expect(await keys(open())).toEqual(['My Photos/IMG.JPG']);
    });

    it('names that are not UTF-8 are nobody’s, and hide nothing', async () => {
      await put(open(), 'manifests/a');
      mkdirSync(Buffer.concat([Buffer.from(`${root}/manifests/`), Buffer.of(0x80)]));
      writeFileSync(Buffer.concat([Buffer.from(`${root}/manifests/`), Buffer.alloc(255, 0x81)]), 'x');
      expect(await keys(open(), 'manifests/')).toEqual(['manifests/a']);
    });

    it('a slash at the end of its path means nothing', async () => {
      await put(open(platform.files, `${root}/`), 'manifests/a');
      expect(await keys(open())).toEqual(['manifests/a']);
      expect(open(platform.files, `${root}/`).label).toBe(`file://${root}`);
    });
  });
});

async function* threePieces(): AsyncGenerator<Uint8Array> {
  for (const text of ['one ', 'two ', 'three']) yield Buffer.from(text);
}
