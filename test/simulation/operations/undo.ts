import type { RestoreReport } from '../../../src/model/report.ts';
import { planUndo } from '../../../src/operations/undo.ts';
import { type Attempt, Violation } from '../attempt.ts';
import { assertExplained, damageFirst } from '../codes.ts';
import type { Faults } from '../faults.ts';
import { idOf } from '../history.ts';
import {
  carryOut,
  isRecordDamaged,
  type KeptRestore,
  keptRestores,
  readKeptRestore,
  sumOf,
} from '../kept-restores.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import { loseSome } from './loss.ts';
import type { Operation } from './operation.ts';
import { restoreCodes } from './restore.ts';
import { isPlain, restoreInManner } from './restore-modes.ts';

/** Takes a restore back, whatever it was and however it ended; of one that was gone on with, every part. */
export const undoOperation: Operation = {
  name: 'undo',
  aims: 'recreate',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const store = world.pickStore();
    const attempts = await restoredBefore(world, store);
    for (let restoreId = pickRestore(world, store); restoreId !== null; ) {
      const continues: string | null = isRecordDamaged(store, restoreId)
        ? null
        : readKeptRestore(world, store, restoreId).continues;
      const attempt = await runUndo(world, store, faults, restoreId);
      attempts.push(attempt);
      restoreId = attempt.report === null ? null : continues;
    }
    return attempts;
  },
};

/** Goes on with a restore or an undo, as if it had been interrupted. */
export const resumeOperation: Operation = {
  name: 'resume',
  aims: 'recreate',
  weight: 2,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const store = world.pickStore();
    const attempts = await restoredBefore(world, store);
    const restoreId = pickRestore(world, store);
    if (restoreId === null || isRecordDamaged(store, restoreId)) return attempts;
    const { mode, undoes, backupId, collection, ids, allowPartial } = readKeptRestore(
      world,
      store,
      restoreId,
    );
    if (mode === 'undo') return [...attempts, await runUndo(world, store, faults, undoes!, restoreId)];
    const manner = {
      mode,
      toCollection: collection,
      continues: restoreId,
      ...(ids !== null && { ids }),
      ...(allowPartial && { allowPartial }),
    };
    return [...attempts, await restoreInManner(world, store, faults, backupId, manner)];
  },
};

/** There may be no restore yet that is worth it: some fail or die on the way, and others write after them. */
async function restoredBefore(world: World, store: WorldStore): Promise<Attempt<unknown>[]> {
  const { dice } = world;
  const id = store.pickBackup();
  const seen = id === null ? undefined : store.observer.backups.get(id);
  if (seen === undefined || dice.chance(0.3)) return [];
  const { collection } = seen.manifest;
  loseSome(world, collection);
  const manner = { mode: dice.pick(['replace', 'merge', 'exact'] as const) };
  const attempt = await restoreInManner(world, store, world.drawFaults('restore'), id!, manner);
  if (dice.chance(0.3)) loseSome(world, collection);
  return [attempt];
}

/** The newest more often than others: what was interrupted is gone on with soon. */
function pickRestore({ dice }: World, store: WorldStore): string | null {
  const restores = keptRestores(store);
  if (restores.length === 0) return null;
  return dice.chance(0.5) ? restores.at(-1)! : dice.pick(restores);
}

const OF_DAMAGED_RECORD = ['RECORD_DAMAGED', 'ARCHIVE_DAMAGED', 'RESTORE_MISSING'];

export async function runUndo(
  world: World,
  store: WorldStore,
  faults: Faults,
  restoreId: string,
  continues: string | null = null,
): Promise<Attempt<RestoreReport>> {
  const isDamaged = isRecordDamaged(store, restoreId);
  const undone = isDamaged ? null : readKeptRestore(world, store, restoreId);
  const attempt = await carryOut(world, store, faults, async ({ repository, openTarget, signal }) =>
    planUndo(repository, await openTarget(), restoreId, { signal }, continues),
  );
  if (undone === null) {
    const wrote = world.history.changesBy(attempt.process.name).length > 0;
    if (wrote || attempt.report !== null)
      throw new Violation(`an undo trusted the damaged record of ${restoreId}`);
    assertExplained(attempt, OF_DAMAGED_RECORD, damageFirst);
    return attempt;
  }
  judge(world, attempt, undone);
  const { collection, backupId } = undone;
  const codes = restoreCodes(world, attempt, backupId, collection);
  assertExplained(attempt, [...codes, 'RESTORE_CHANGED'], damageFirst);
  return attempt;
}

/** What is written was there before the undone restore, over or in place of what that restore left and nothing else. */
function judge(world: World, attempt: Attempt<RestoreReport>, undone: KeptRestore): void {
  if (!isPlain(world)) return;
  const { history } = world;
  const { collection, changes } = undone;
  const touched = history.touchedByOthers(collection, attempt);
  const created = new Set(changes.filter((one) => one.do === 'create').map(({ after }) => after));
  const replaced = new Set(
    changes.filter((one) => one.do === 'replace').map(({ before, after }) => `${after} ${before}`),
  );
  const gone = new Set(changes.filter((one) => one.do === 'delete').map(({ before }) => before));
  const befores = new Set(changes.map(({ before }) => before));
  for (const { kind, text, before } of history.changesBy(attempt.process.name)) {
    const isTouched = touched.has(idOf(text ?? before!));
    const isRight =
      text === null
        ? created.has(sumOf(before!)) || isTouched
        : kind === 'insert'
          ? gone.has(sumOf(text)) || (isTouched && befores.has(sumOf(text)))
          : before === text || // sent again, since no answer came
            replaced.has(`${sumOf(before!)} ${sumOf(text)}`) ||
            (isTouched && befores.has(sumOf(text)));
    // what has no id is another document to this model once it is written over
    const isOfTouched = (): boolean => {
      const ids = idsBySum(world, attempt.store);
      const afters = changes.filter((one) => text !== null && one.before === sumOf(text));
      return afters.some(({ after }) => touched.has(ids.get(after ?? '') ?? ''));
    };
    if (!isRight && !isOfTouched())
      throw new Violation(`an undo wrote ${text} over ${before}, which the restore did not leave`);
  }
  if (attempt.report !== null) judgeEnd(world, attempt, attempt.report, undone, touched);
}

/** Each document is as it was before the restore, unless others have written it since: then it is as they left it. */
function judgeEnd(
  world: World,
  attempt: Attempt<RestoreReport>,
  report: RestoreReport,
  { restoreId, collection, changes }: KeptRestore,
  touched: ReadonlySet<string>,
): void {
  // what the server says is not there need not be taken back
  if (world.trouble.kind === 'vanishing' && world.trouble.concerns(collection)) return;
  const { history, server } = world;
  const start = history.seen(collection, attempt.from, attempt.to).filter(({ from }) => from < attempt.from);
  const startTexts = start.map(({ text }) => text);
  const end = [...server.documents(collection)].map(({ data }) => data.toString('latin1'));
  const ids = idsBySum(world, attempt.store);
  const idOfChange = ({ before, after }: (typeof changes)[number]): string | undefined =>
    ids.get(before ?? '') ?? ids.get(after ?? '');
  const withId = (texts: readonly string[], id: string): string[] =>
    texts.filter((text) => idOf(text) === id);
  const isSure = report.errors.every(({ code }) => code === 'RESTORE_CHANGED');

  let changed = 0;
  let doubtful = 0;
  for (const change of changes) {
    const id = idOfChange(change);
    const [live, ...others] = id === undefined ? [] : withId(startTexts, id);
    const isShared = changes.filter((other) => idOfChange(other) === id).length > 1;
    if (id === undefined || !id.startsWith('"') || others.length > 0 || isShared || touched.has(id)) {
      doubtful++;
      continue;
    }
    const now = live === undefined ? null : sumOf(live);
    const isLeft = now === change.after;
    const isBack = now === change.before;
    if (!isLeft && !isBack && !(change.do === 'create' && now === null)) changed++;
    const expected = isLeft ? change.before : now;
    const there = withId(end, id).map(sumOf);
    if (isSure && there.join() !== (expected ?? '')) {
      throw new Violation(
        `after the undo of ${restoreId} ${id} is ${there.join() || 'gone'}, not ${expected}`,
      );
    }
  }
  if (doubtful === 0 && isSure && report.counts.changed !== changed)
    throw new Violation(
      `an undo counts ${report.counts.changed} changed documents, and there are ${changed}`,
    );
  if (report.counts.changed > 0 !== report.errors.some(({ code }) => code === 'RESTORE_CHANGED'))
    throw new Violation('an undo does not say what others have changed');
}

/** Whose payload has a hash: of all that the project and this store ever held. */
function idsBySum({ history }: World, { observer }: WorldStore): ReadonlyMap<string, string> {
  const texts = history.changes.flatMap(({ text }) => text ?? []);
  const backedUp = [...observer.backups.values()].flatMap(({ payloads }) => payloads);
  return new Map([...texts, ...backedUp].map((text) => [sumOf(text), idOf(text)]));
}
