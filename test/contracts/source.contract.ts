import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DocumentShape } from '../../src/model/document.ts';
import { detectShape, payload, scanKeyText } from '../../src/model/shape.ts';
import type { Page, PageQuery } from '../../src/sources/source.ts';
import { HOSTILE, HOSTILE_NAMES, type SourceUnderTest } from './source-under-test.ts';

/** What every driver of Source promises, whatever server and dialect stand behind it. */
export function describeSource(name: string, open: () => Promise<SourceUnderTest>): void {
  describe(name, () => {
    let world: SourceUnderTest;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const page = (
      query: Partial<PageQuery> = {},
      collection = 'things',
      signal?: AbortSignal,
    ): Promise<Page> =>
      world.target.openCollection(collection).page({ limit: 100, offset: 0, ...query }, signal);

    const keysOf = (answer: Page): string[] => documentsOf(answer, world.shape).map(({ key }) => key);

    function fill(count: number, collection = 'things'): string[] {
      return Array.from({ length: count }, (_, at) => {
        const id = `k${String(at).padStart(4, '0')}`;
        const second = String(at % 60).padStart(2, '0');
        return world.put(
          collection,
          `{"id":"${id}","at":${at},"created_at":"2026-01-01T00:00:${second}Z"}`,
          id,
        );
      });
    }

    describe('reading', () => {
      it('says where documents come from, without secrets', () => {
        const { identity } = world.target;
        expect(identity.host).toMatch(/^[\w.-]+(:\d+)?/);
        expect(identity.dialect).not.toBe('');
        expect(JSON.stringify(identity)).not.toMatch(/secret|key/i);
      });

      it('gives every document once, at its place', async () => {
        const keys = fill(25);
        const read: string[] = [];
        for (let offset = 0; ; ) {
          const answer = await page({ limit: 10, offset });
          if (answer.spans.count === 0) break;
          expect(answer.spans.count).toBeLessThanOrEqual(10);
          read.push(...keysOf(answer));
          offset += answer.spans.count;
        }
        expect(read.toSorted()).toEqual(keys.toSorted());
        expect(keysOf(await page({ limit: 3, offset: 7 }))).toEqual(read.slice(7, 10));
        expect((await page({ limit: 10, offset: 1_000_000_000 })).spans.count).toBe(0);
      });

      it('gives the bytes that were put in', async () => {
        for (const text of HOSTILE) world.put('things', text);
        const read = documentsOf(await page(), world.shape).map(({ payload }) => payload);
        expect(read.toSorted()).toEqual(HOSTILE.toSorted());
      });

      it('finds documents to have one shape', async () => {
        fill(3);
        const { shapes } = world.target.openCollection('things').traits;
        expect(detectShape(await page(), shapes)).toBe(world.shape);
      });

      it('tells an empty collection from an unknown one where the server does', async () => {
        world.create('empty');
        expect((await page({}, 'empty')).spans.count).toBe(0);
        if (world.unknownCollection === 'nothing') expect((await page({}, 'unknown')).spans.count).toBe(0);
        else
          await expect(page({}, 'unknown')).rejects.toMatchObject({
            code: 'SOURCE_NOT_FOUND',
            object: 'unknown',
          });
        expect((await page({}, 'empty')).spans.count).toBe(0);
      });

      it('sorts by the fields it says, both ways', async () => {
        const keys = fill(20);
        const { sortFields } = world.target.openCollection('things').traits;
        for (const field of sortFields) {
          const up = keysOf(await page({ sort: { field, direction: 'asc' } }));
          expect(up).toEqual(keys);
          expect(keysOf(await page({ sort: { field, direction: 'desc' } }))).toEqual(keys.toReversed());
          expect(keysOf(await page({ offset: 5, limit: 2, sort: { field, direction: 'asc' } }))).toEqual(
            keys.slice(5, 7),
          );
        }
      });

      it('goes on after a key, where it can', async () => {
        const { keyset } = world.target.openCollection('things').traits;
        if (!keyset) return;
        const keys = fill(20);
        const sort = { field: 'key', direction: 'asc' } as const;
        for (const [operator, from] of [
          ['$gt', 8],
          ['$gte', 7],
        ] as const) {
          const key = Buffer.from(JSON.stringify(keys[7]));
          expect(keysOf(await page({ limit: 5, sort, after: { key, operator } }))).toEqual(
            keys.slice(from, from + 5),
          );
        }
        const last = Buffer.from(JSON.stringify(keys.at(-1)));
        expect((await page({ sort, after: { key: last, operator: '$gt' } })).spans.count).toBe(0);
        // escapes as received
        world.put('odd', '{"id":"a\\"b"}', 'a"b');
        const odd = Buffer.from(String.raw`"a\"a"`);
        expect(keysOf(await page({ sort, after: { key: odd, operator: '$gt' } }, 'odd'))).toEqual(['a"b']);
      });

      it('reads the collection that is named, whatever its name', async () => {
        for (const hostile of HOSTILE_NAMES)
          world.put(hostile, `{"id":"in","name":${JSON.stringify(hostile)}}`);
        for (const hostile of HOSTILE_NAMES) {
          if (world.unroutable.includes(hostile)) {
            await expect(page({}, hostile)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
            continue;
          }
          const [document] = documentsOf(await page({}, hostile), world.shape);
          expect(JSON.parse(document!.payload)).toMatchObject({ name: hostile });
        }
      });

      it.each(['', '.', '..', '\ud800'])(
        'sends nothing for the name %j, which no URL can hold',
        async (name) => {
          const before = world.requests;
          await expect(page({}, name)).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
          expect(world.requests).toBe(before);
        },
      );

      it('answers many questions at once', async () => {
        const keys = fill(40);
        const offsets = Array.from({ length: 40 }, (_, at) => at);
        const answers = await Promise.all(offsets.map((offset) => page({ offset, limit: 1 })));
        expect(answers.flatMap(keysOf).toSorted()).toEqual(keys.toSorted());
      });

      it('gives each reader bytes of its own', async () => {
        fill(3);
        const first = await page();
        const before = documentsOf(first, world.shape);
        first.bytes.fill(0);
        expect(documentsOf(await page(), world.shape)).toEqual(before);
      });

      it('stops when it is told to', async () => {
        fill(1);
        const reason = new Error('stop');
        await expect(page({}, 'things', AbortSignal.abort(reason))).rejects.toBe(reason);
        world.befall({ kind: 'error 503', times: 99, on: 'reads' });
        const controller = new AbortController();
        const reading = page({}, 'things', controller.signal);
        controller.abort(reason);
        await expect(reading).rejects.toBe(reason);
      });

      it('lists every collection with its definition, or says that it cannot', async () => {
        for (const collection of ['one', 'two', 'three']) world.create(collection);
        const listed = await world.target.listCollections();
        if (listed === null) return;
        expect(listed.map(({ name }) => name).toSorted()).toEqual(['one', 'three', 'two']);
        for (const { name, definition } of listed) expect(JSON.parse(definition!)).toMatchObject({ name });
      });
    });

    describe('reading when things go wrong', () => {
      it.each([
        'error 503',
        'lost',
        'cut with a length',
        'cut in chunks',
        'cut at the close',
        'cut in gzip',
        'HTML page',
        'empty answer',
        'too many requests',
      ] as const)('survives: %s', async (kind) => {
        const keys = fill(30);
        world.befall({ kind, times: 2, on: 'reads' });
        expect(keysOf(await page()).toSorted()).toEqual(keys.toSorted());
      });

      it.each([
        ['error 503', 'SOURCE_FAILED', true],
        ['lost', 'SOURCE_FAILED', true],
        ['cut with a length', 'SOURCE_FAILED', true],
        ['cut at the close', 'SOURCE_MALFORMED', false],
        ['HTML page', 'SOURCE_MALFORMED', false],
        ['empty answer', 'SOURCE_MALFORMED', false],
        ['too many requests', 'SOURCE_RATE_LIMITED', true],
      ] as const)('gives up in the end: %s', async (kind, code, temporary) => {
        fill(1);
        world.befall({ kind, times: 999, on: 'reads' });
        await expect(page()).rejects.toMatchObject({
          code,
          temporary,
          object: 'things',
          message: expect.stringContaining('"things"'),
          cure: expect.stringMatching(/^[A-Z].*\.$/),
        });
      });

      it('gives up sooner where it is asked to be brief', async () => {
        fill(1);
        world.befall({ kind: 'error 503', times: 999, on: 'reads' });
        const before = world.requests;
        await expect(page({ brief: true })).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
        expect(world.requests - before).toBe(2);
      });

      it('names a collection that is forbidden, and goes on with others', async () => {
        fill(1);
        fill(1, 'others');
        world.forbid('things');
        await expect(page()).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', object: 'things' });
        expect((await page({}, 'others')).spans.count).toBe(1);
      });

      it('fails for a document that the server cannot serve, and for no other', async () => {
        const keys = fill(5);
        const order = keysOf(await page());
        world.spoil('things', order[2]!);
        await expect(page({ brief: true })).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
        await expect(page({ offset: 2, limit: 1, brief: true })).rejects.toMatchObject({
          code: 'SOURCE_FAILED',
        });
        const others = [await page({ limit: 2 }), await page({ offset: 3, limit: 2 })].flatMap(keysOf);
        expect(others).toEqual(order.filter((key) => key !== order[2]));
        expect(others).toHaveLength(keys.length - 1);
      });

      it('refuses an answer that is too large, but not a lone document', async () => {
        const large = 'x'.repeat(1_200_000); // the limit for pages is 1 MB
        for (const id of ['a', 'b']) world.put('things', `{"id":"${id}","text":"${large}"}`);
        await expect(page()).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE', object: 'things' });
        const lone = await page({ limit: 1, offset: 1 });
        expect(lone.spans.count).toBe(1);
        expect(lone.bytes.length).toBeGreaterThan(1_200_000);
      });
    });
  });
}

/** Keys (decoded) and payloads of a page, in its order. */
function documentsOf(page: Page, shape: DocumentShape): { key: string; payload: string }[] {
  return Array.from({ length: page.spans.count }, (_, index) => ({
    key: JSON.parse(Buffer.from(scanKeyText(page, index, shape)!).toString()) as string,
    payload: Buffer.from(payload(page, index, shape)).toString(),
  }));
}
