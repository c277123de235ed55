import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIZES } from '../../../../src/kernel/sizes.ts';
import { scanKeyText } from '../../../../src/model/shape.ts';
import { createPlatform } from '../../../../src/platform/platform.ts';
import { Dice } from '../../../../src/sandbox/dice.ts';
import { type Sandbox, startSandbox } from '../../../../src/sandbox/sandbox.ts';
import { Scan } from '../../../../src/sources/scan/scan.ts';
import type { ChangeLog, CollectionPages } from '../../../../src/sources/source.ts';
import { openZerodbSource } from '../../../../src/sources/zerodb.ts';

/** Rows of one insert call: more than any page shows. */
const CALL = 1500;

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

  async function scan(change: (log: ChangeLog) => ChangeLog = (log) => log, timeBudgetMs = 60_000) {
    const source = await openZerodbSource(platform, {
      baseUrl: sandbox.url,
      apiKey: { value: sandbox.apiKey, name: 'ZERODB_API_KEY' },
      project: sandbox.project,
    });
    const { changeLog, ...pages } = source.openCollection('rows');
    const seen: CollectionPages = { ...pages, changeLog: change(changeLog!) };
    const sizes = SIZES;
    const scratch = { sizes, openTemporary: () => Promise.reject(new Error('nothing is spilled')) };
    const opened = await Scan.open(seen, { platform, scratch, timeBudgetMs });
    const received: string[] = [];
    for await (const batch of opened.batches()) {
      for (let index = 0; index < batch.spans.count; index++)
        received.push(JSON.parse(Buffer.from(scanKeyText(batch, index, opened.shape)!).toString()) as string);
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

  it('are not proved by a log that hides what came since', async () => {
    insertCall(CALL, 'a');
    const some = [...keys()].slice(0, 40);
    let asked = 0;
    const hide = (log: ChangeLog): ChangeLog => ({
      entries: async (query, signal) => {
        if (++asked === 2) for (const key of some) sandbox.delete('rows', key);
        const page = await log.entries(query, signal);
        return { ...page, entries: page.entries.filter(({ change }) => change?.isDeletion !== true) };
      },
    });
    const { received, finding } = await scan(hide, 2000);
    expect(some.filter((key) => received.has(key))).not.toEqual([]);
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
