import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onePiece, readObject, type Store, type StoredObject } from '../../src/stores/store.ts';
import { backupError } from '../support/expected-errors.ts';

/** A driver over an empty place. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Another handle on the same objects, as another process would have it. */
  reopen(): Promise<Store>;
}

/** What every driver of Store promises. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let world: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      world = await open();
      ({ store } = world);
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const put = (key: string, content: string, into = store): Promise<void> =>
      into.put(key, onePiece(Buffer.from(content)));
    const read = async (key: string, from = store): Promise<string> =>
      (await readObject(from, key, 1 << 20)).toString();
    const keys = async (prefix = '', of = store): Promise<string[]> =>
      (await listed(prefix, of)).map(({ key }) => key);

    async function listed(prefix = '', of = store): Promise<StoredObject[]> {
      const objects = await Array.fromAsync(of.list(prefix));
      return objects.sort((a, b) => (a.key < b.key ? -1 : 1));
    }

    describe('an object', () => {
      it('comes back as it was put, from every handle', async () => {
        await put('manifests/users_full_20250109_143000.json', '{"a":1}');
        const other = await world.reopen();
        for (const handle of [store, other]) {
          expect(await read('manifests/users_full_20250109_143000.json', handle)).toBe('{"a":1}');
          expect(await handle.size('manifests/users_full_20250109_143000.json')).toBe(7);
        }
      });

      it('may be empty', async () => {
        await put('indexes/empty', '');
        await store.put('indexes/nothing', noPieces());
        expect(await read('indexes/empty')).toBe('');
        expect(await store.size('indexes/nothing')).toBe(0);
        expect(await listed()).toEqual([
          { key: 'indexes/empty', size: 0 },
          { key: 'indexes/nothing', size: 0 },
        ]);
      });

      it('may have any bytes, in pieces of any size that are overwritten once they were taken', async () => {
        const hash = createHash('sha256');
        let size = 0;
        async function* pieces() {
          const buffer = Buffer.alloc(700_000);
          for (let index = 0; index < 5; index++) {
            buffer.fill(`${index}\0\r\n\xff`, 'latin1');
            const piece = buffer.subarray(0, [700_000, 1, 0, 65_536, 699_999][index]);
            hash.update(piece);
            size += piece.length;
            yield piece;
          }
        }
        await store.put('backups/large.json.gz', pieces());
        const back = createHash('sha256');
        for await (const piece of store.get('backups/large.json.gz')) back.update(piece);
        expect(back.digest('hex')).toBe(hash.digest('hex'));
        expect(await store.size('backups/large.json.gz')).toBe(size);
      });

      it('is pulled one piece at a time', async () => {
        let waiting = 0;
        let most = 0;
        const pieces: AsyncIterable<Uint8Array> = {
          [Symbol.asyncIterator]: () => {
            let left = 20;
            return {
              async next() {
                most = Math.max(most, ++waiting);
                await Promise.resolve();
                waiting--;
                return left-- > 0
                  ? { done: false, value: Buffer.from('x') }
                  : { done: true, value: undefined };
              },
            };
          },
        };
        await store.put('indexes/pieces', pieces);
        expect(most).toBe(1);
        expect(await store.size('indexes/pieces')).toBe(20);
      });

      it('has every key that the layout makes', async () => {
        const long = `${'%d0%b6'.repeat(20)}_incremental_20250109_143000`;
        const all = [
          'repository.json',
          `backups/${long}.json.zst.age`,
          'backups/%2e%2e_full_20250109_143000.json.gz',
          'backups/.x-y~0123456789abcdef_full_20250109_143000.json.gz',
          'marks/users_full_20250109_143000.pin.json',
          'restores/20250109_143000_0a1b2c3d/pre-images',
          'leases/catalog',
        ];
        for (const key of all) await put(key, key);
        for (const key of all) expect(await read(key)).toBe(key);
        expect(await keys()).toEqual(all.toSorted());
      });
    });

    describe('ranges', () => {
      const bytes = Array.from({ length: 600_000 }, (_, at) => String.fromCharCode(97 + (at % 23))).join('');
      const range = async (start: number, end: number): Promise<string> => {
        const pieces: Buffer[] = [];
        for await (const piece of store.get('indexes/range', { start, end })) pieces.push(Buffer.from(piece));
        return Buffer.concat(pieces).toString();
      };

      it('give what stands there, and what there is where the object is shorter', async () => {
        await put('indexes/range', bytes);
        for (const [start, end] of [
          [0, 1],
          [0, 600_000],
          [5, 5],
          [599_999, 600_000],
          [262_143, 524_289],
          [599_000, 700_000],
          [600_000, 600_001],
        ] as const) {
          expect(await range(start, end)).toBe(bytes.slice(start, end));
        }
      });

      it('of an object that is not there are an error', async () => {
        await expect(range(0, 1)).rejects.toEqual(backupError('STORE_MISSING'));
      });
    });

    describe('put', () => {
      it('never overwrites', async () => {
        await put('manifests/a', 'first');
        const other = await world.reopen();
        for (const handle of [store, other]) {
          await expect(put('manifests/a', 'second', handle)).rejects.toEqual(
            backupError('STORE_EXISTS', 'manifests/a'),
          );
          await expect(put('manifests/a', 'first', handle)).rejects.toEqual(backupError('STORE_EXISTS'));
        }
        expect(await read('manifests/a')).toBe('first');
        expect(await keys()).toEqual(['manifests/a']);
      });

      it('by several at once lets one win, whole', async () => {
        const handles = await Promise.all(Array.from({ length: 6 }, () => world.reopen()));
        const contents = handles.map((_, index) => String(index).repeat(300_000));
        const outcomes = await Promise.allSettled(
          handles.map((handle, index) => put('manifests/raced', contents[index]!, handle)),
        );
        const winners = outcomes.filter(({ status }) => status === 'fulfilled');
        expect(winners.length).toBeGreaterThan(0);
        if (store.traits.exclusiveCreate) expect(winners).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toEqual(backupError('STORE_EXISTS'));
        }
        const content = await read('manifests/raced');
        const winner = contents.indexOf(content);
        expect(winner).toBeGreaterThanOrEqual(0);
        if (store.traits.exclusiveCreate) expect(outcomes[winner]!.status).toBe('fulfilled');
      });

      it('of many objects at once stores all of them', async () => {
        const all = Array.from({ length: 40 }, (_, index) => `indexes/n${String(index).padStart(2, '0')}`);
        await Promise.all(all.map((key) => put(key, key)));
        expect(await keys('indexes/')).toEqual(all);
      });

      it('shows nothing before it is done', async () => {
        let release = () => {};
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        let begun = () => {};
        const halfway = new Promise<void>((resolve) => {
          begun = resolve;
        });
        async function* pieces() {
          yield Buffer.from('first half, ');
          begun();
          await held;
          yield Buffer.from('second half');
        }
        const writing = store.put('backups/slow', pieces());
        await halfway;
        expect(await store.size('backups/slow')).toBeNull();
        expect(await keys()).toEqual([]);
        await expect(read('backups/slow')).rejects.toEqual(backupError('STORE_MISSING'));
        release();
        await writing;
        expect(await read('backups/slow')).toBe('first half, second half');
      });

      it('that fails half-way throws that failure and leaves nothing', async () => {
        const failure = new Error('the source failed');
        async function* pieces() {
          yield Buffer.from('half');
          throw failure;
        }
        await expect(store.put('backups/half', pieces())).rejects.toBe(failure);
        expect(await store.size('backups/half')).toBeNull();
        expect(await keys()).toEqual([]);
        await put('backups/half', 'whole');
        expect(await read('backups/half')).toBe('whole');
      });

      it('that is aborted throws the reason and leaves nothing', async () => {
        const abort = new AbortController();
        const reason = new Error('stopped');
        async function* pieces() {
          yield Buffer.from('half');
          abort.abort(reason);
          yield Buffer.from('other half');
        }
        await expect(store.put('backups/half', pieces(), abort.signal)).rejects.toBe(reason);
        expect(await keys()).toEqual([]);
      });
    });

    describe('list', () => {
      it('gives every object that starts with the prefix, with its size, and no other', async () => {
        for (const key of ['manifests/a', 'manifests/ab', 'manifests/b', 'marks/a', 'repository.json']) {
          await put(key, key);
        }
        expect(await keys()).toEqual([
          'manifests/a',
          'manifests/ab',
          'manifests/b',
          'marks/a',
          'repository.json',
        ]);
        expect(await keys('manifests/')).toEqual(['manifests/a', 'manifests/ab', 'manifests/b']);
        expect(await keys('manifests/a')).toEqual(['manifests/a', 'manifests/ab']);
        expect(await keys('m')).toHaveLength(4);
        expect(await keys('manifests/c')).toEqual([]);
        expect(await keys('indexes/')).toEqual([]);
        expect(await listed('marks/')).toEqual([{ key: 'marks/a', size: 7 }]);
      });

      it('is complete where there are many', async () => {
        const count = 1100; // one more than a page of any server's list
        for (let from = 0; from < count; from += 100) {
          await Promise.all(Array.from({ length: 100 }, (_, index) => put(`manifests/${from + index}`, 'x')));
        }
        expect(new Set(await keys('manifests/')).size).toBe(count);
      });

      it('can be left early', async () => {
        await put('manifests/a', 'x');
        await put('manifests/b', 'x');
        for await (const { key } of store.list('manifests/')) {
          expect(key).toMatch(/^manifests/);
          break;
        }
        expect(await keys()).toHaveLength(2);
      });
    });

    describe('remove', () => {
      it('removes that object and no other; its key is free again', async () => {
        await put('manifests/a', 'first');
        await put('manifests/ab', 'other');
        await store.remove('manifests/a');
        expect(await store.size('manifests/a')).toBeNull();
        expect(await keys()).toEqual(['manifests/ab']);
        await expect(read('manifests/a')).rejects.toEqual(backupError('STORE_MISSING', 'manifests/a'));
        await put('manifests/a', 'second');
        expect(await read('manifests/a')).toBe('second');
      });

      it('of what is not there is an error', async () => {
        await put('manifests/a', 'x');
        for (const key of ['manifests/b', 'manifests', 'manifests/a/b', 'leases/x']) {
          await expect(store.remove(key)).rejects.toEqual(backupError(/^STORE_(MISSING|FAILED)$/));
        }
        expect(await read('manifests/a')).toBe('x');
      });
    });

    describe('what is not there', () => {
      it('has no size and cannot be read', async () => {
        await put('manifests/a', 'x');
        for (const key of ['manifests/b', 'manifests', 'leases/x/y', 'x'.repeat(120)]) {
          expect(await store.size(key)).toBeNull();
          await expect(read(key)).rejects.toEqual(backupError('STORE_MISSING', key));
        }
      });
    });

    describe('a text that is no key', () => {
      const refused = [
        '',
        '/',
        '/etc/passwd',
        '..',
        '../x',
        'backups/..',
        'backups/../../x',
        './x',
        'backups/.',
        'backups//x',
        'backups/',
        'backups/X',
        'backups/a b',
        'backups/a\\b',
        'backups/a\0b',
        'backups/a\nb',
        'backups/ä',
        'backups/a:b',
        'backups/a*',
        'c:/x',
      ];
      it.each(refused)('is refused: %j', async (key) => {
        await expect(put(key, 'x')).rejects.toEqual(backupError('STORE_FAILED', key));
        await expect(read(key)).rejects.toEqual(backupError('STORE_FAILED', key));
        await expect((async () => store.size(key))()).rejects.toEqual(backupError('STORE_FAILED', key));
        await expect((async () => store.remove(key))()).rejects.toEqual(backupError('STORE_FAILED', key));
      });
    });

    it('names itself without secrets', () => {
      expect(store.label).toMatch(/^[a-z0-9]+:\S*$/);
      expect(store.label).not.toMatch(/@|secret|password/i);
    });
  });
}

async function* noPieces(): AsyncGenerator<Uint8Array> {}
