import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DocumentBatch } from '../../src/model/document.ts';
import { payload, scanKeyText } from '../../src/model/shape.ts';
import { HOSTILE, HOSTILE_NAMES, type SourceUnderTest } from './source-under-test.ts';

/** What every driver of Target promises about writing, whatever server and dialect stand behind it. */
export function describeTarget(name: string, open: () => Promise<SourceUnderTest>): void {
  describe(`${name}: writing`, () => {
    let world: SourceUnderTest;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const bytes = (text: string): Uint8Array => Buffer.from(text);
    const json = (text: string): Uint8Array => bytes(JSON.stringify(text));
    const stored = (collection = 'things') => world.documents(collection).map(({ payload }) => payload);

    it('inserts the bytes it was given, under their key where it may choose', async () => {
      world.create('things');
      const target = world.target.openTarget('things');
      for (const text of HOSTILE) {
        expect(await target.insert(json(idOf(text)), bytes(text))).toMatchObject({ kind: 'done' });
      }
      expect(stored()).toEqual(HOSTILE);
      const { serverGivenKeys } = target.traits;
      if (!serverGivenKeys) expect(world.documents('things')[0]!.key).toBe('h1');
    });

    it('inserts a document that had no key', async () => {
      world.create('things');
      expect(await world.target.openTarget('things').insert(null, bytes('{"a":1}'))).toMatchObject({
        kind: 'done',
      });
      expect(world.documents('things')).toHaveLength(1);
    });

    it('says which key an insert was given, where the server chooses', async () => {
      world.create('things');
      const target = world.target.openTarget('things');
      const outcome = await target.insert(json('k'), bytes('{"id":"k"}'));
      const { key } = world.documents('things')[0]!;
      const { serverGivenKeys, insertsMax } = target.traits;
      // answers to inserts of many only count them
      expect(outcome).toEqual({
        kind: 'done',
        ...(serverGivenKeys && insertsMax === 1 && { key: json(key) }),
      });
    });

    it('does not change a document whose key is taken', async () => {
      const target = world.target.openTarget('things');
      if (target.traits.serverGivenKeys) return;
      world.put('things', '{"id":"k","old":true}', 'k');
      expect(await target.insert(json('k'), bytes('{"id":"k","old":false}'))).toEqual({ kind: 'exists' });
      expect(stored()).toEqual(['{"id":"k","old":true}']);
    });

    it('replaces the whole payload', async () => {
      const key = world.put('things', '{"id":"k","old":true,"more":1}', 'k');
      const target = world.target.openTarget('things');
      expect(await target.replace(world.address(key, 'k'), bytes('{"id":"k","new":1.0}'))).toEqual({
        kind: 'done',
      });
      const { replacesByMerging } = target.traits;
      expect(stored()).toEqual([
        replacesByMerging ? '{"id":"k","old":true,"more":1,"new":1.0}' : '{"id":"k","new":1.0}',
      ]);
    });

    it('reads one document by its key: bytes and shape as pages give them', async () => {
      const keys = HOSTILE.map((text) => {
        return world.put('things', text, idOf(text));
      });
      const target = world.target.openTarget('things');
      const page = await world.target.openCollection('things').page({ limit: 100, offset: 0 });
      const listed = Array.from({ length: page.spans.count }, (_, at) => bytesOf(page, at));
      for (const [at, text] of HOSTILE.entries()) {
        const found = (await target.document(world.address(keys[at]!, idOf(text))))!;
        expect(found.spans.count).toBe(1);
        expect(Buffer.from(payload(found, 0, world.shape)).toString()).toBe(text);
        expect(JSON.parse(Buffer.from(scanKeyText(found, 0, world.shape)!).toString())).toBe(keys[at]);
        expect(listed).toContain(bytesOf(found, 0));
      }
    });

    it('says so when there is no document with this key, and only then', async () => {
      const key = world.put('things', '{"id":"k"}', 'k');
      const target = world.target.openTarget('things');
      expect(await target.document(world.address('nobody', 'nobody'))).toBeNull();
      world.spoil('things', key);
      await expect(target.document(world.address(key, 'k'))).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
      world.forbid('things');
      await expect(target.document(world.address('nobody', 'nobody'))).rejects.toMatchObject({
        code: 'SOURCE_FORBIDDEN',
        object: 'things/"nobody"',
      });
      const { createsOnInsert } = target.traits;
      const unknown = world.target.openTarget('unknown').document(world.address('k', 'k'));
      if (createsOnInsert) expect(await unknown).toBeNull();
      else await expect(unknown).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
    });

    it.each([
      'error 503',
      'lost',
      'cut with a length',
      'cut at the close',
      'HTML page',
      'empty answer',
    ] as const)('reads a document in spite of: %s', async (kind) => {
      const key = world.put('things', '{"id":"k","n":1.0}', 'k');
      const target = world.target.openTarget('things');
      world.befall({ kind, times: 2, on: 'reads' });
      const found = (await target.document(world.address(key, 'k')))!;
      expect(Buffer.from(payload(found, 0, world.shape)).toString()).toBe('{"id":"k","n":1.0}');
      world.befall({ kind, times: 99, on: 'reads' });
      await expect(target.document(world.address(key, 'k'))).rejects.toMatchObject({
        code: expect.stringMatching(/^SOURCE_(FAILED|MALFORMED)$/),
        message: expect.stringContaining('cannot read document'),
      });
    });

    it('stops reading a document when it is told to', async () => {
      const key = world.put('things', '{"id":"k"}', 'k');
      const reason = new Error('stop');
      const reading = world.target
        .openTarget('things')
        .document(world.address(key, 'k'), AbortSignal.abort(reason));
      await expect(reading).rejects.toBe(reason);
    });

    it('says so when there is nothing to replace or to delete', async () => {
      world.put('things', '{"id":"k"}', 'k');
      const target = world.target.openTarget('things');
      expect(await target.replace(world.address('nobody', 'nobody'), bytes('{}'))).toEqual({ kind: 'gone' });
      expect(await target.delete(world.address('nobody', 'nobody'))).toEqual({ kind: 'gone' });
      expect(stored()).toEqual(['{"id":"k"}']);
    });

    it('deletes the one document that is named', async () => {
      const keys = ['k1', 'k2', 'k3'].map((id) => world.put('things', `{"id":"${id}"}`, id));
      const target = world.target.openTarget('things');
      expect(await target.delete(world.address(keys[1]!, 'k2'))).toEqual({ kind: 'done' });
      expect(stored()).toEqual(['{"id":"k1"}', '{"id":"k3"}']);
      world.befall({ kind: 'lost', times: 1, on: 'writes' });
      expect(await target.delete(world.address(keys[0]!, 'k1'))).toEqual({ kind: 'done' });
      world.befall({ kind: 'lost', times: 99, on: 'writes' });
      expect(await target.delete(world.address(keys[2]!, 'k3'))).toMatchObject({ kind: 'in-doubt' });
      expect(stored()).toEqual(['{"id":"k3"}']);
    });

    it('addresses exactly the document that is named, whatever its key', async () => {
      const target = world.target.openTarget('things');
      if (target.traits.serverGivenKeys) return;
      const keys = [...HOSTILE_NAMES, 'a\nb', 'x'.repeat(4096), '日本', '\u202e'];
      for (const key of keys) world.put('things', `{"id":${JSON.stringify(key)},"old":true}`, key);
      for (const key of keys) {
        expect(target.addressable(json(key)), key).toBe(true);
        expect(await target.replace(json(key), bytes(`{"id":${JSON.stringify(key)},"old":false}`))).toEqual({
          kind: 'done',
        });
        const changed = world.documents('things').filter(({ payload }) => payload.includes('false'));
        expect(changed.at(-1)!.key).toBe(key);
        expect((await target.document(world.address(key, 'k')))!.spans.count).toBe(1);
      }
      expect(stored().filter((text) => text.includes('true'))).toEqual([]);
    });

    it.each(['""', '"."', '".."', String.raw`"\ud800"`, 'null', 'true', '{}', '["a"]', '"a', ''])(
      'cannot address the key %s, and sends nothing',
      async (key) => {
        const target = world.target.openTarget('things');
        const before = world.requests;
        expect(target.addressable(bytes(key))).toBe(false);
        await expect(target.replace(bytes(key), bytes('{}'))).rejects.toMatchObject({
          code: 'SOURCE_REFUSED',
        });
        await expect(target.delete(bytes(key))).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
        await expect(target.document(bytes(key))).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
        expect(world.requests).toBe(before);
      },
    );

    it.each(['lost after effect', 'error 503 after effect', 'lost', 'error 503'] as const)(
      'never repeats an insert blindly: %s',
      async (kind) => {
        world.create('things');
        world.befall({ kind, times: 1, on: 'writes' });
        const before = world.requests;
        const outcome = await world.target.openTarget('things').insert(json('k'), bytes('{"id":"k"}'));
        expect(outcome).toEqual({ kind: 'in-doubt', message: expect.any(String) });
        expect(world.requests - before).toBe(1);
        expect(world.documents('things')).toHaveLength(kind.endsWith('effect') ? 1 : 0);
      },
    );

    it('inserts many at once where it says so: all, none, or it does not know', async () => {
      world.create('things');
      const target = world.target.openTarget('things');
      if (target.traits.insertsMax === 1) return;
      expect(await target.insertMany(HOSTILE.map(bytes))).toEqual({ kind: 'done' });
      expect(stored()).toEqual(HOSTILE);
      const before = world.requests;
      world.befall({ kind: 'lost after effect', times: 1, on: 'writes' });
      const two = ['{"id":"1"}', '{"id":"2"}'];
      expect(await target.insertMany(two.map(bytes))).toEqual({
        kind: 'in-doubt',
        message: expect.any(String),
      });
      expect(world.requests - before).toBe(1);
      expect(stored()).toEqual([...HOSTILE, ...two]);
      await expect(target.insertMany([bytes('{}'), bytes('7')])).rejects.toMatchObject({
        code: 'SOURCE_REFUSED',
      });
      expect(stored()).toEqual([...HOSTILE, ...two]);
    });

    it('writes to no document whose address names another as well', async () => {
      const target = world.target.openTarget('things');
      if (!target.traits.serverGivenKeys) return;
      const [key] = ['{"id":"k","n":1}', '{"id":"k","n":2}'].map((text) => world.put('things', text, 'k'));
      const address = world.address(key!, 'k');
      const others = world.address('nobody', 'k');
      if (Buffer.compare(address, json(key!)) === 0) return; // named by its key alone
      for (const named of [address, others]) {
        const refused = { code: 'SOURCE_REFUSED', message: expect.stringContaining('id "k"') };
        await expect(target.replace(named, bytes('{"id":"k"}'))).rejects.toMatchObject(refused);
        await expect(target.delete(named)).rejects.toMatchObject(refused);
        await expect(target.document(named)).rejects.toMatchObject(refused);
      }
      expect(stored()).toEqual(['{"id":"k","n":1}', '{"id":"k","n":2}']);
    });

    it('does not take a web page for a success', async () => {
      world.create('things');
      world.befall({ kind: 'HTML page', times: 1, on: 'writes' });
      const outcome = await world.target.openTarget('things').insert(json('k'), bytes('{"id":"k"}'));
      expect(outcome).toMatchObject({ kind: 'in-doubt' });
    });

    it('repeats an insert that was refused with 429, once it may', async () => {
      world.create('things');
      world.befall({ kind: 'too many requests', times: 3, on: 'writes' });
      const outcome = await world.target.openTarget('things').insert(json('k'), bytes('{"id":"k"}'));
      expect(outcome).toMatchObject({ kind: 'done' });
      expect(world.documents('things')).toHaveLength(1);
    });

    it('repeats replacements, and says so when none was acknowledged', async () => {
      const key = world.put('things', '{"id":"k"}', 'k');
      const target = world.target.openTarget('things');
      world.befall({ kind: 'lost after effect', times: 2, on: 'writes' });
      expect(await target.replace(world.address(key, 'k'), bytes('{"id":"k","n":1}'))).toEqual({
        kind: 'done',
      });
      world.befall({ kind: 'lost', times: 99, on: 'writes' });
      expect(await target.replace(world.address(key, 'k'), bytes('{"id":"k","n":2}'))).toMatchObject({
        kind: 'in-doubt',
      });
      expect(stored()).toEqual(['{"id":"k","n":1}']);
    });

    it('names the one document that is refused, and goes on with others', async () => {
      world.create('things');
      const target = world.target.openTarget('things');
      world.befall({ kind: 'refused with 413', times: 1, on: 'writes' });
      await expect(target.insert(json('k1'), bytes('{"id":"k1"}'))).rejects.toMatchObject({
        code: 'SOURCE_REFUSED',
        object: 'things/"k1"',
        message: expect.stringContaining('413'),
      });
      expect(await target.insert(json('k2'), bytes('{"id":"k2"}'))).toMatchObject({ kind: 'done' });
    });

    it('creates a collection from what another server said of it, once or again', async () => {
      const { createsOnInsert } = world.target.openTarget('new').traits;
      world.create('old');
      const definition = (await world.target.listCollections())?.find(
        ({ name }) => name === 'old',
      )?.definition;
      for (let times = 0; times < 2; times++) {
        await world.target.createCollection({ name: 'new', definition: definition ?? null });
      }
      if (!createsOnInsert) {
        const listed = await world.target.listCollections();
        expect(listed!.map(({ name }) => name).toSorted()).toEqual(['new', 'old']);
      }
      expect(await world.target.openTarget('new').insert(json('k'), bytes('{"id":"k"}'))).toMatchObject({
        kind: 'done',
      });
      expect(stored('new')).toEqual(['{"id":"k"}']);
    });
  });
}

function bytesOf({ bytes, spans }: DocumentBatch, index: number): string {
  return Buffer.from(bytes.subarray(spans.start(index), spans.end(index))).toString('latin1');
}

function idOf(text: string): string {
  return (JSON.parse(text) as { id: string }).id;
}
