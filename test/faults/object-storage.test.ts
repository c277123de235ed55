import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPlatform } from '../../src/platform/platform.ts';
import type { SandboxRequest } from '../../src/sandbox/message.ts';
import type { Fault } from '../../src/sandbox/misbehaviour.ts';
import { onePiece, readObject, type Store } from '../../src/stores/store.ts';
import { backupError } from '../support/expected-errors.ts';
import { type ServedStore, serveStore } from '../support/zerodb-store.ts';

const KEY = 'backups/users_full_20250109_143000.json.gz';
const LARGE = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 7 + (at >> 8)) & 255));

describe.each(['A', 'B'] as const)('the Object Storage over dialect %s', (dialect) => {
  let served: ServedStore;
  let store: Store;
  let requests: SandboxRequest[];
  beforeEach(async () => {
    served = await serveStore([dialect]);
    ({ store } = served);
    requests = [];
    served.sandbox.beforeRequest((request) => requests.push(request));
  });
  afterEach(() => served[Symbol.asyncDispose]());

  const put = (content: Uint8Array = LARGE, key = KEY) => store.put(key, onePiece(content));
  const read = (key = KEY) => readObject(store, key, LARGE.length);
  const meet = (...faults: Fault[]) => served.misbehave({ faults });
  const uploads = () => requests.filter(({ path }) => path.endsWith('/upload'));
  const names = () => served.sandbox.objects.map(({ name }) => name);
  const UPLOAD = /\/upload$/;
  const DOWNLOAD = /\/download/;
  const LIST = /\/(list|files|metadata\/.*)$/;

  describe('an upload', () => {
    const passing: readonly [string, Fault, number][] = [
      ['fails before it does anything', { kind: 'error', times: 2, on: UPLOAD }, 3],
      ['is lost before it does anything', { kind: 'lost', times: 1, on: UPLOAD }, 2],
      ['is done, and its answer is lost', { kind: 'lost', afterEffect: true, times: 1, on: UPLOAD }, 1],
      [
        'is done, and answered with 502',
        { kind: 'error', status: 502, afterEffect: true, times: 1, on: UPLOAD },
        1,
      ],
      ['is answered with a web page', { kind: 'error', status: 200, body: 'html', times: 1, on: UPLOAD }, 2],
      ['has to wait', { kind: 'too-many', times: 3, on: UPLOAD }, 4],
    ];
    it.each(passing)('that %s ends well, and once', async (_what, fault, count) => {
      meet(fault);
      await put();
      expect(uploads()).toHaveLength(count);
      expect(names()).toEqual([KEY]);
      expect((await read()).equals(LARGE)).toBe(true);
    });

    it('that never ends well leaves nothing', async () => {
      meet({ kind: 'error', status: 500, on: UPLOAD });
      await expect(put()).rejects.toEqual(backupError('STORE_FAILED', KEY));
      expect(names()).toEqual([]);
      meet();
      await put();
    });

    it('of which the server keeps a half does not leave it', async () => {
      const plantOnce = plantWithNextUpload(LARGE.subarray(0, 1_000_000));
      meet({ kind: 'lost', times: 1, on: UPLOAD });
      await put();
      expect(plantOnce.planted).toBe(true);
      expect(names()).toEqual([KEY]);
      expect((await read()).equals(LARGE)).toBe(true);
      await store.remove(KEY);
      plantWithNextUpload(LARGE.subarray(0, 1_000_000));
      meet({ kind: 'error', status: 507, times: 1, on: UPLOAD });
      await expect(put()).rejects.toEqual(backupError('STORE_FULL', KEY));
      expect(names()).toEqual([]);
    });

    it("that fails while another's object comes under its key leaves that alone", async () => {
      const other = Buffer.from('written by another run');
      plantWithNextUpload(other);
      meet({ kind: 'error', times: 1, on: UPLOAD });
      await expect(put()).rejects.toEqual(backupError('STORE_EXISTS', KEY));
      expect(served.sandbox.object(KEY)?.equals(other)).toBe(true);
    });

    function plantWithNextUpload(content: Uint8Array): { planted: boolean } {
      const state = { planted: false };
      served.sandbox.beforeRequest(({ path }) => {
        if (state.planted || !UPLOAD.test(path)) return;
        state.planted = true;
        served.sandbox.putObject(KEY, content);
      });
      return state;
    }

    it('that is aborted when the server has done its work leaves nothing', async () => {
      const slow = served.reopen(createPlatform().clock);
      await slow.size(KEY);
      const abort = new AbortController();
      const reason = new Error('stopped');
      served.misbehave({ latencyMs: 400 });
      served.sandbox.beforeRequest(({ path }) => {
        if (!UPLOAD.test(path)) return;
        setTimeout(() => {
          served.misbehave({ latencyMs: 0 });
          abort.abort(reason);
        }, 100);
      });
      await expect(slow.put(KEY, onePiece(LARGE), abort.signal)).rejects.toBe(reason);
      expect(uploads()).toHaveLength(1);
      expect(names()).toEqual([]);
    });

    it.each([400, 403, 413, 507] as const)(
      'beyond the quota, said with %i, makes the store full',
      async (quotaStatus) => {
        await put(Buffer.from('small'), 'manifests/earlier');
        served.behave({ quotaBytes: 1000, quotaStatus });
        const failure: unknown = await put().catch((error: unknown) => error);
        expect(failure).toEqual(backupError('STORE_FULL', KEY));
        expect(failure).toMatchObject({
          exit: 7,
          message: expect.stringContaining('quota exceeded') as unknown,
        });
        expect(names()).toEqual(['manifests/earlier']);
      },
    );
  });

  describe('credentials that end', () => {
    it('are an error of everything, and nothing is taken for missing', async () => {
      await put();
      meet({ kind: 'error', status: 401 });
      const forbidden = backupError('STORE_FORBIDDEN');
      await expect(put(LARGE, 'backups/other')).rejects.toEqual(forbidden);
      await expect(read()).rejects.toEqual(forbidden);
      await expect(store.size(KEY)).rejects.toEqual(forbidden);
      await expect(Array.fromAsync(store.list(''))).rejects.toEqual(forbidden);
      await expect(store.remove(KEY)).rejects.toEqual(forbidden);
      expect(names()).toEqual([KEY]);
    });
  });

  describe('a list', () => {
    const list = async (prefix = 'manifests/') =>
      (await Array.fromAsync(store.list(prefix))).map(({ key }) => key).sort();
    const plant = (count: number) => {
      const keys = Array.from(
        { length: count },
        (_, index) => `manifests/n${String(index).padStart(4, '0')}`,
      );
      for (const key of keys) served.sandbox.putObject(key, Buffer.from('x'));
      return keys;
    };

    it.each([
      ['fails', { kind: 'error', status: 500, on: LIST }],
      ['is a web page', { kind: 'error', status: 200, body: 'html', on: LIST }],
      ['is gone half-way', { kind: 'error', status: 404, on: LIST, rate: 1 }],
      ['is empty text', { kind: 'error', status: 200, body: 'empty', on: LIST }],
    ] as const)('that %s is an error, not empty', async (_what, fault) => {
      plant(250);
      served.behave({ listClamp: 100 });
      expect(await list('manifests/n000')).toHaveLength(10);
      meet(fault);
      await expect(list()).rejects.toEqual(backupError('STORE_FAILED'));
    });

    it.each([1, 3, 100, 250])(
      'that ignores where it should start is an error (%i objects)',
      async (count) => {
        plant(count);
        served.behave({ ignored: ['offset', 'skip'], listClamp: 100, total: 'page' });
        await expect(list()).rejects.toEqual(backupError('STORE_FAILED'));
      },
    );

    it.each([1, 99, 100, 101, 200, 250, 520])('of %i objects in pages of 100 is complete', async (count) => {
      const keys = plant(count);
      served.behave({ listClamp: 100, total: 'page', ignored: ['limit'] });
      expect(await list()).toEqual(keys);
    });

    it('of a server that takes only small limits is asked for with one', async () => {
      const keys = plant(250);
      served.behave({ listLimitMax: 100 });
      expect(await list()).toEqual(keys);
      requests = [];
      expect(await list()).toEqual(keys);
      expect(new Set(requests.map(({ query }) => query.get('limit')))).toEqual(new Set(['100']));
    });

    it('that knows no prefixes is searched through', async () => {
      const keys = plant(3);
      served.sandbox.putObject('images/photo', Buffer.from('x'));
      served.behave({ ignored: ['prefix'] });
      expect(await list()).toEqual(keys);
      expect(await store.size(keys[1]!)).toBe(1);
      expect(await store.size('manifests/n')).toBeNull();
      await expect(put(LARGE, keys[2])).rejects.toEqual(backupError('STORE_EXISTS'));
    });

    it('from which something is removed while it is read holds all that stays', async () => {
      const keys = plant(350);
      served.behave({ listClamp: 100 });
      let seen = 0;
      served.sandbox.beforeRequest(({ path }) => {
        if (LIST.test(path) && ++seen === 4) served.sandbox.removeObject(keys[7]!);
      });
      const found = await list();
      expect(keys.filter((key) => key !== keys[7] && !found.includes(key))).toEqual([]);
    });

    it("leaves out what cannot be ours: objects of other people's names", async () => {
      for (const name of ['images/Photo 1.jpg', '../x', 'manifests/ok', 'manifests//x', 'Ünder'])
        served.sandbox.putObject(name, Buffer.from('x'));
      expect(await list('')).toEqual(['manifests/ok']);
      expect(await list('manifests')).toEqual(['manifests/ok']);
    });
  });

  describe('a download', () => {
    it.each([
      ['length', true],
      ['length', false],
      ['chunked', true],
      ['close', true],
    ] as const)('that is cut (%s, ranges honoured: %s) goes on', async (framing, ranges) => {
      await put();
      await put(Buffer.from('small'), 'manifests/first');
      await read('manifests/first'); // shows how the server delivers
      requests = [];
      served.behave({ ranges });
      meet({ kind: 'cut', framing, times: 2, on: DOWNLOAD });
      expect((await read()).equals(LARGE)).toBe(true);
      const asked = requests.filter(({ path }) => DOWNLOAD.test(path)).map(({ headers }) => headers.range);
      expect(asked.length).toBeGreaterThan(2);
      // what has come is not sent again
      if (ranges) expect(asked.at(-1)).toMatch(/^bytes=2250000-/);
    });

    it('that is cut again and again goes on as long as something comes', async () => {
      await put();
      await put(Buffer.from('small'), 'manifests/first');
      await read('manifests/first');
      meet({ kind: 'cut', framing: 'length', times: 12, on: DOWNLOAD });
      expect((await read()).equals(LARGE)).toBe(true);
    });

    it('whose end only the size tells is read again where it was too short, also the first', async () => {
      await put();
      meet({ kind: 'cut', framing: 'close', times: 2, on: DOWNLOAD });
      expect((await read()).equals(LARGE)).toBe(true);
    });

    it('of a part asks for that part', async () => {
      await put();
      await read(); // shows how the server delivers
      requests = [];
      const pieces: Buffer[] = [];
      for await (const piece of store.get(KEY, { start: 2_000_000, end: 2_000_100 }))
        pieces.push(Buffer.from(piece));
      expect(Buffer.concat(pieces).equals(LARGE.subarray(2_000_000, 2_000_100))).toBe(true);
      expect(requests.map(({ headers }) => headers.range)).toEqual(['bytes=2000000-2000099']);
    });

    it('that is left early ends', async () => {
      await put();
      for await (const piece of store.get(KEY)) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
      expect((await read()).length).toBe(LARGE.length);
    });
  });
});
