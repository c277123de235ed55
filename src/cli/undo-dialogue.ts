import { combinedExit } from '../kernel/errors.ts';
import type { RestoreReport } from '../model/report.ts';
import { readRestoreRecord } from '../operations/restore/keep/kept-restores.ts';
import { planRestore } from '../operations/restore.ts';
import { planUndo } from '../operations/undo.ts';
import { type CarryOutFlags, carryOut } from './carry-out.ts';
import type { Invocation } from './invocation.ts';
import { banner } from './output/layout.ts';
import { restoreSummary } from './output/summary.ts';
import { show } from './restore-dialogue.ts';

/**
 * Takes a restore back; of one that was interrupted and gone on with, every part, the newest first. A dry run shows the
 * newest alone: what there is to do about the others depends on what it leaves.
 */
export async function undo(invocation: Invocation, restoreId: string, flags: CarryOutFlags) {
  const { session, output, context } = invocation;
  const repository = await session.repositoryOfRestore(restoreId, context.signal);
  output.say([...banner('ZeroDB UNDO'), `Restore ID: ${restoreId}`]);
  const reports: RestoreReport[] = [];
  const done = new Set<string>(); // records come from the store: one may name itself
  for (let id: string | null = restoreId; id !== null && !done.has(id); ) {
    done.add(id);
    const { continues }: { continues: string | null } = await readRestoreRecord(
      repository,
      id,
      context.signal,
    );
    const plan = await planUndo(repository, await session.target(), id, context);
    const report = await carryOut(invocation, plan, flags);
    show(invocation, report);
    reports.push(report);
    id = flags.dryRun === true ? null : continues;
  }
  return restoreSummary(reports, [], combinedExit(reports.map(({ exit_code }) => exit_code)));
}

/** Goes on with a restore or an undo that was interrupted: reads the target again and does what is left of it. */
export async function resume(invocation: Invocation, restoreId: string, flags: CarryOutFlags) {
  const { session, output, context } = invocation;
  const repository = await session.repositoryOfRestore(restoreId, context.signal);
  output.say([...banner('ZeroDB RESUME'), `Restore ID: ${restoreId}`]);
  const record = await readRestoreRecord(repository, restoreId, context.signal);
  const target = await session.target();
  const plan =
    record.mode === 'undo'
      ? await planUndo(repository, target, record.undoes!, context, restoreId)
      : await planRestore(
          repository,
          target,
          {
            backupId: record.backup_id,
            toCollection: record.target_collection,
            mode: record.mode,
            continues: restoreId,
            ...(record.ids !== null && { ids: record.ids }),
            ...(record.allow_partial && { allowPartial: true }),
          },
          context,
        );
  const report = await carryOut(invocation, plan, flags);
  show(invocation, report);
  return restoreSummary([report], [], report.exit_code);
}
