import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRestoreRecord } from '../../src/operations/restore/keep/kept-restores.ts';
import { applyRestore, planRestore } from '../../src/operations/restore.ts';
import { planUndo } from '../../src/operations/undo.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { crashingPlatform } from '../support/crashing-platform.ts';
import { Project, SETTINGS } from '../support/project.ts';

/** Payload by id. */
type State = ReadonlyMap<string, string>;
type Mode = 'replace' | 'merge' | 'exact';

const document = (id: string, own: string): [string, string] => [id, `{"id":"${id}",${own}}`];
const SAVED: State = new Map([
  document('changed', '"a":1,"b":1.0'),
  document('same', '"a":2'),
  document('gone', '"a":3'),
  document('lost', '"a":4'),
]);
const LIVE: State = new Map([
  document('changed', '"b":"other","c":9007199254740993'),
  document('same', '"a":2'),
  document('new', '"a":5'),
  document('theirs', '"a":6'),
]);
const AFTER: Readonly<Record<Mode, State>> = {
  replace: new Map([...LIVE, ...SAVED]),
  merge: new Map([...LIVE, ...SAVED, document('changed', '"b":1.0,"c":9007199254740993,"a":1')]),
  exact: SAVED,
};

/** All calls; else one of so many, beginning elsewhere in each mode. */
const STRIDE = process.env.CRASH_ALL === undefined ? 5 : 1;
const MODES = ['replace', 'merge', 'exact'] as const;

const CASES = SETTINGS.filter(({ dialect, shape }) => dialect === 'B' || shape === 'flat').flatMap(
  (setting) => MODES.map((mode) => ({ ...setting, mode })),
);

test.each(CASES)(
  'a crash at any port call of a restore, then undo, or resume and undo ($mode, $dialect, $shape)',
  async ({ mode, ...setting }) => {
    await using project = await Project.open(setting);
    load(project, SAVED);
    const { backups } = await project.backup({ collections: ['users'] });
    const backupId = backups[0]!.backup_id!;
    const before = sorted(LIVE);
    const after = sorted(AFTER[mode]);
    let records = 0;
    let resumed = 0;

    for (let crashAt = 1 + MODES.indexOf(mode); ; crashAt += STRIDE) {
      const when = crashAt % 4 < 2 ? 'before' : 'after';
      // each kept restore is looked at by the next, and takes calls
      await rm(join(project.storePath, 'restores'), { recursive: true, force: true });
      load(project, LIVE);
      let known = await restoreIds(project);
      const crashed = await restoreUntil(project, backupId, mode, crashAt, when);
      const interrupted = (await restoreIds(project)).find((id) => !known.includes(id));
      if (interrupted === undefined) {
        expect(project.payloads('users')).toEqual(before);
        continue;
      }
      records++;
      await undo(project, interrupted);
      expect(project.payloads('users'), `undone after a crash at ${crashAt}`).toEqual(before);

      // the same once more, gone on with
      load(project, LIVE);
      known = await restoreIds(project);
      await restoreUntil(project, backupId, mode, crashAt, when);
      const first = (await restoreIds(project)).find((id) => !known.includes(id));
      if (first === undefined) continue; // requests at the same time came in another order
      const { report } = await project.restore({ backupId, mode, continues: first });
      expect(report.errors).toEqual([]);
      expect(project.payloads('users'), `gone on with after a crash at ${crashAt}`).toEqual(after);
      if (report.restore_id !== undefined) {
        resumed++;
        expect((await readRestoreRecord(project.repository, report.restore_id)).continues).toBe(first);
        await undo(project, report.restore_id);
      }
      await undo(project, first);
      expect(project.payloads('users'), `both parts undone after a crash at ${crashAt}`).toEqual(before);
      if (!crashed) break;
    }
    expect(records).toBeGreaterThan(3);
    expect(resumed).toBeGreaterThan(0);
  },
  120_000,
);

function load(project: Project, documents: State): void {
  project.sandbox.wipe();
  for (const [id, payload] of documents) project.sandbox.insert('users', Buffer.from(payload), { key: id });
}

function sorted(documents: State): string[] {
  return [...documents.values()].sort();
}

async function restoreIds(project: Project): Promise<string[]> {
  const restores = join(project.storePath, 'restores');
  const ids = await readdir(restores).catch(() => []);
  return ids.filter((id) => existsSync(join(restores, id, 'plan.json')));
}

/** Runs a restore whose machine is gone at this call; resolves with whether it came that far. */
async function restoreUntil(
  project: Project,
  backupId: string,
  mode: Mode,
  crashAt: number,
  when: 'before' | 'after',
): Promise<boolean> {
  const crashing = crashingPlatform(createPlatform(), crashAt, when);
  try {
    const doomed = await project.openTool(crashing.platform);
    const plan = await planRestore(doomed.repository, doomed.target, { backupId, mode });
    try {
      await applyRestore(plan);
    } finally {
      await plan.close();
    }
    return false;
  } catch {
    return true;
  } finally {
    await crashing.platform.http.close().catch(() => {});
  }
}

async function undo(project: Project, restoreId: string): Promise<void> {
  const plan = await planUndo(project.repository, project.target, restoreId);
  try {
    expect((await applyRestore(plan)).errors).toEqual([]);
  } finally {
    await plan.close();
  }
}
