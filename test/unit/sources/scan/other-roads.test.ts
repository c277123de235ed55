import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIZES } from '../../../../src/kernel/sizes.ts';
import type { DocumentBatch } from '../../../../src/model/document.ts';
import { scanKeyText } from '../../../../src/model/shape.ts';
import { createPlatform } from '../../../../src/platform/platform.ts';
import { Dice } from '../../../../src/sandbox/dice.ts';
import { type Sandbox, startSandbox } from '../../../../src/sandbox/sandbox.ts';
import { Scan } from '../../../../src/sources/scan/scan.ts';
import type { CollectionPages } from '../../../../src/sources/source.ts';
import { openZerodbSource } from '../../../../src/sources/zerodb.ts';

/** Rows of one insert call: more than any page shows. */
const CALL = 1500;

function keyOf(batch: DocumentBatch, index: number): string {
  return JSON.parse(Buffer.from(scanKeyText(batch, index, 'id_data')!).toString()) as string;
}

describe('rows that share one time of creation, more than a page holds', () => {
  const platform = createPlatform();
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = await startSandbox({ dialects: ['D'] });
  });
  afterEach(() => sandbox.close());

  function insertCall(count: number, name: string): void {
    const createdAt = new Date(platform.clock.now()).toISOString();
    sandbox.transaction(() => {
      for (let at = 0; at < count; at++)
        sandbox.insert('rows', `{"id":"${name}${at}"}`, { key: sandbox.newKey(), createdAt });
    });
  }

  const keys = (): Set<string> => new Set([...sandbox.documents('rows')].map(({ key }) => key));

  async function scan(
    change: (pages: CollectionPages) => CollectionPages = (pages) => pages,
    timeBudgetMs = 60_000,
  ) {
    const source = await openZerodbSource(platform, {
      baseUrl: sandbox.url,
      apiKey: { value: sandbox.apiKey, name: 'ZERODB_API_KEY' },
      project: sandbox.project,
    });
    const seen = change(source.openCollection('rows'));
    const sizes = SIZES;
    const scratch = { sizes, openTemporary: () => Promise.reject(new Error('nothing is spilled')) };
    const opened = await Scan.open(seen, { platform, scratch, timeBudgetMs });
    const received: string[] = [];
    for await (const batch of opened.batches()) {
      for (let index = 0; index < batch.spans.count; index++) received.push(keyOf(batch, index));
    }
    expect(new Set(received).size).toBe(received.length);
    return { received: new Set(received), finding: opened.finding };
  }

  it('are all received, and that is proved', async () => {
    insertCall(CALL, 'a');
    insertCall(CALL, 'b');
    const { received, finding } = await scan();
    expect(finding).toMatchObject({ proved: true, way: 'other roads', missing: [] });
    expect(received).toEqual(keys());
  });

  it('are not proved by a number that a hidden deletion makes right', async () => {
    insertCall(CALL, 'a');
    const [lost] = [...keys()];
    let victim: string | null = null;
    let asked = 0;
    const { received, finding } = await scan(
      (pages) => ({
        ...pages,
        // one row that no page shows
        page: async (query, signal) => {
          const page = await pages.page(query, signal);
          page.spans.retain((index) => keyOf(page, index) !== lost);
          if (page.spans.count > 1) victim ??= keyOf(page, 0);
          return page;
        },
        // one that was received is deleted, and the log does not show it
        changeLog: {
          entries: async (query, signal) => {
            if (++asked === 2) sandbox.delete('rows', victim!);
            const page = await pages.changeLog!.entries(query, signal);
            return { ...page, entries: page.entries.filter(({ change }) => change?.isDeletion !== true) };
          },
        },
      }),
      3000,
    );
    expect(received.size).toBe(keys().size);
    expect(received.has(victim!)).toBe(true);
    expect(finding).toMatchObject({ proved: false, way: 'other roads' });
  });

  it.each([1, 2, 3, 4, 5, 6])('are never lost in silence while others write: %i', async (seed) => {
    insertCall(CALL, 'a');
    const owed = keys();
    const dice = new Dice(seed);
    let written = 0;
    sandbox.observe(({ kind, key }) => {
      if (kind === 'delete') owed.delete(key);
    });
    let writesLeft = 60;
    sandbox.beforeRequest(() => {
      if (writesLeft <= 0 || !dice.chance(0.3)) return;
      writesLeft--;
      const all = [...keys()];
      if (dice.chance(0.5)) sandbox.insert('rows', `{"id":"new${++written}"}`, { key: sandbox.newKey() });
      else sandbox.delete('rows', dice.pick(all));
    });
    const { received, finding } = await scan();
    expect(finding.proved).toBe(true); // the others ceased to write in the end
    expect([...owed].filter((key) => !received.has(key))).toEqual([]);
  });
});
