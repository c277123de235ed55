import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyRestore, planRestore } from '../../src/operations/restore.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { crashingPlatform } from '../support/crashing-platform.ts';
import { Project, SETTINGS } from '../support/project.ts';

/** Every call of a port, or some of them: an odd number, so that both kinds of crash come. */
const STRIDE = process.env.CRASH_ALL === undefined ? 5 : 1;

/** A state of a collection: payload by id. */
type State = Map<number, string>;

const state: fc.Arbitrary<State> = fc
  .array(
    fc.tuple(fc.nat(40), fc.constantFrom('1', '1.0', '"x"', 'null', '9007199254740993', '{"a":[1,2]}')),
    { maxLength: 40 },
  )
  .map((entries) => new Map(entries.map(([id, value]) => [id, `{"id":"d${id}","value":${value}}`])));

function load(project: Project, documents: State): void {
  project.sandbox.wipe();
  for (const [id, payload] of documents)
    project.sandbox.insert('users', Buffer.from(payload), { key: `d${id}` });
}

function sorted(documents: State): string[] {
  return [...documents.values()].sort();
}

/** What a replacing restore must leave: the backup's documents, and those that only the target had. */
function restored(backup: State, live: State): State {
  return new Map([...live, ...backup]);
}

test.each(SETTINGS)('a restore gives the union, the backup winning ($dialect, $shape)', async (setting) => {
  await using project = await Project.open(setting);
  let second = 0;
  await fc.assert(
    fc.asyncProperty(state, state, async (saved, live) => {
      load(project, saved);
      const { backups } = await project.backup({ collections: ['users'] });
      const backupId = backups[0]!.backup_id;
      if (backupId === null) return; // nothing there
      second++;
      load(project, live);
      const { plan, report } = await project.restore({ backupId });
      const expected = restored(saved, live);
      expect(project.payloads('users')).toEqual(sorted(expected));
      expect(report.exit_code).toBe(0);
      expect(report.counts).toEqual(plan.counts);
      const created = [...saved.keys()].filter((id) => !live.has(id)).length;
      const replaced = [...saved].filter(([id, payload]) => live.has(id) && live.get(id) !== payload).length;
      expect(report.counts).toMatchObject({
        created,
        replaced,
        extra: [...live.keys()].filter((id) => !saved.has(id)).length,
      });
      expect(report.read_back).toEqual({ same_bytes: created + replaced, same_value: 0, different: 0 });

      const writes = project.sandbox.writes;
      const again = await project.restore({ backupId });
      expect(again.report.counts).toMatchObject({ created: 0, replaced: 0, same: saved.size });
      expect(project.sandbox.writes).toBe(writes);
    }),
    { numRuns: 25 },
  );
  expect(second).toBeGreaterThan(10);
});

test.each(SETTINGS)(
  'a crash at port calls of a restore, then the same command ($dialect, $shape)',
  async (setting) => {
    await using project = await Project.open(setting);
    const saved: State = new Map(
      Array.from({ length: 12 }, (_, id) => [id, `{"id":"d${id}","value":${id}}`]),
    );
    const live: State = new Map([
      [3, '{"id":"d3","value":"changed"}'],
      [4, saved.get(4)!],
      [99, '{"id":"d99","value":"theirs"}'],
    ]);
    load(project, saved);
    const { backups } = await project.backup({ collections: ['users'] });
    const backupId = backups[0]!.backup_id!;
    const expected = sorted(restored(saved, live));

    for (let crashAt = 1; ; crashAt += STRIDE) {
      load(project, live);
      // each kept restore is looked at by the next, and takes calls
      await rm(join(project.storePath, 'restores'), { recursive: true, force: true });
      const crashing = crashingPlatform(createPlatform(), crashAt, crashAt % 2 === 0 ? 'before' : 'after');
      let crashed = false;
      try {
        const doomed = await project.openTool(crashing.platform);
        const plan = await planRestore(doomed.repository, doomed.target, { backupId });
        try {
          await applyRestore(plan);
        } finally {
          await plan.close();
        }
      } catch {
        crashed = true;
      }
      await crashing.platform.http.close().catch(() => {});
      const { report } = await project.restore({ backupId });
      expect(report.errors).toEqual([]);
      expect(project.payloads('users')).toEqual(expected);
      if (!crashed) {
        expect(crashAt).toBeGreaterThan(20);
        return;
      }
    }
  },
);

test.each(SETTINGS)('dry runs write nothing to server or store ($dialect, $shape)', async (setting) => {
  await using project = await Project.open(setting);
  load(
    project,
    new Map([
      [1, '{"id":"d1","v":1}'],
      [2, '{"id":"d2","v":2}'],
    ]),
  );
  const before = project.sandbox.writes;
  const dry = await project.backup({ collections: ['users'], dryRun: true });
  expect(dry).toMatchObject({
    exit_code: 0,
    dry_run: true,
    backups: [{ outcome: 'completed', backup_id: null, document_count: 2 }],
  });
  expect(await project.storeTree()).toEqual(new Map());

  const { backups } = await project.backup({ collections: ['users'] });
  const tree = await project.storeTree();
  load(project, new Map([[1, '{"id":"d1","v":"other"}']]));
  const writes = project.sandbox.writes;
  const plan = await planRestore(project.repository, project.target, { backupId: backups[0]!.backup_id! });
  expect(plan.report).toMatchObject({ stage: 'planned', counts: { created: 1, replaced: 1 } });
  await plan.close();
  await project.backup({ collections: ['users'], dryRun: true });
  expect(project.sandbox.writes).toBe(writes);
  expect(writes).toBeGreaterThanOrEqual(before);
  expect(await project.storeTree()).toEqual(tree);
});
