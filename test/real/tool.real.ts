import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Dice } from '../../src/sandbox/dice.ts';
import { openRealProject, type RealProject } from './real-project.ts';

describe('backup and restore of a real zerodb-local server', () => {
  let project: RealProject;
  beforeEach(async () => {
    project = await openRealProject();
  });
  afterEach(() => project[Symbol.asyncDispose]());

  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => ({
      id: `d${from + at}`,
      n: from + at,
      name: `row number ${from + at}`,
    }));

  /** Fills a table by calls of one size; the ids of the rows. */
  async function fill(table: string, count: number, call: number): Promise<string[]> {
    await project.wire.create(table);
    const ids: string[] = [];
    for (let from = 0; from < count; from += call) {
      ids.push(...(await project.wire.insert(table, rows(from, Math.min(call, count - from)))));
    }
    return ids;
  }

  it('is dialect D', () => {
    expect(project.dialect).toBe('D');
  });

  it('9,000 rows inserted 3,000 at a time are backed up whole, wiped and restored', async () => {
    const ids = await fill('big', 9000, 3000);
    const { outcome, backup_id } = await project.backup('big');
    expect(outcome).toBe('completed');
    const kept = await project.rowsIn(backup_id!);
    expect(kept.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());

    await project.wire.done('DELETE', '/big/rows', { filter: {} });
    expect(await project.wire.query('big')).toEqual([]);
    const report = await project.restore(backup_id!);
    expect(report).toMatchObject({ exit_code: 0, counts: { created: 9000, different: 0 } });

    const again = await project.backup('big');
    expect(again.outcome).toBe('completed');
    const payloads = (all: typeof kept): string[] => all.map(({ data }) => JSON.stringify(data)).toSorted();
    expect(payloads(await project.rowsIn(again.backup_id!))).toEqual(payloads(kept));
    // what is there already is left alone
    expect(await project.restore(backup_id!)).toMatchObject({
      exit_code: 0,
      counts: { created: 0, same: 9000 },
    });
  });

  it('replaces, deletes and inserts again what others have changed', async () => {
    await fill('changed', 300, 100);
    const { backup_id } = await project.backup('changed');
    const { wire } = project;
    await wire.done('PUT', '/changed/update', { filter: { id: 'd1' }, update: { name: 'other' } });
    await wire.done('PUT', '/changed/update', { filter: { id: 'd2' }, update: { more: true } });
    await wire.done('DELETE', '/changed/rows', { filter: { id: 'd3' } });
    await wire.insert('changed', [{ id: 'theirs' }]);
    const report = await project.restore(backup_id!);
    expect(report).toMatchObject({
      exit_code: 0,
      counts: { created: 1, replaced: 2, recreated: 1, extra: 1, same: 297 },
    });
    const now = (await wire.query('changed', { limit: 1000 })).map(({ data }) => data);
    const inOrder = now.toSorted((one, other) => Number(one.n ?? -1) - Number(other.n ?? -1));
    expect(inOrder).toEqual([{ id: 'theirs' }, ...rows(0, 300)]);
  });

  it.each([
    ['small calls', 3000, 100],
    ['one large call', 1500, 1500],
  ])('loses nothing in silence while others insert, update and delete: %s', async (_name, count, call) => {
    const { wire } = project;
    const owed = new Map((await fill('busy', count, call)).map((id, n) => [id, n]));
    const dice = new Dice(count);
    const over = new AbortController();
    const others = (async () => {
      for (let written = 0; !over.signal.aborted; written++) {
        const [id, n] = [...owed][dice.below(owed.size)]!;
        if (written % 3 === 0) await wire.insert('busy', [{ id: `new${written}` }]);
        else {
          owed.delete(id); // before: it may be missing from now on
          const filter = { id: `d${n}` };
          if (written % 3 === 1)
            await wire.done('PUT', '/busy/update', { filter, update: { touched: written } });
          else await wire.done('DELETE', '/busy/rows', { filter });
        }
        await wait(20);
      }
    })();
    const found: string[] = [];
    for (let run = 0; run < 3; run++) {
      const { outcome, backup_id } = await project.backup('busy');
      const held = new Set((await project.rowsIn(backup_id!)).map(({ id }) => id));
      const lost = [...owed.keys()].filter((id) => !held.has(id));
      found.push(outcome);
      if (outcome === 'completed') expect(lost).toEqual([]);
      await wait(1000); // a backup is named by its second
    }
    over.abort();
    await others;
    console.log(`${_name}: ${found.join(', ')}`);
    // in peace nothing is left to doubt
    expect((await project.backup('busy')).outcome).toBe('completed');
  });

  it.each([
    ['small calls', 2000, 100],
    ['one large call', 1200, 1200],
  ])('nine of ten backups are complete while one row a second is written: %s', async (name, count, call) => {
    const ids = await fill('steady', count, call);
    let written = 0;
    const timer = setInterval(() => void project.wire.insert('steady', [{ id: `new${++written}` }]), 1000);
    try {
      const found: string[] = [];
      for (let run = 0; run < 10; run++) {
        const { outcome, backup_id } = await project.backup('steady');
        found.push(outcome);
        const held = new Set((await project.rowsIn(backup_id!)).map(({ id }) => id));
        if (outcome === 'completed') expect(ids.filter((id) => !held.has(id))).toEqual([]);
        await wait(700); // so that the writes fall into different moments of a backup
      }
      console.log(`${name}: ${found.join(', ')}; ${written} rows written meanwhile`);
      expect(found.filter((outcome) => outcome === 'completed').length).toBeGreaterThanOrEqual(9);
    } finally {
      clearInterval(timer);
    }
  });
});
