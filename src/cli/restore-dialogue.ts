import { BackupError, combinedExit, toBackupError } from '../kernel/errors.ts';
import { printable } from '../kernel/printable.ts';
import {
  type ListedBackup,
  type ReportedError,
  type RestoreCounts,
  type RestoreReport,
  reportError,
} from '../model/report.ts';
import { list } from '../operations/list.ts';
import { applyRestore, planRestore, type RestorePlan, validateBackup } from '../operations/restore.ts';
import type { Invocation } from './invocation.ts';
import { failureLines } from './output/failure.ts';
import { planLines, planQuestion, restoreHeader, restoreReportLines } from './output/restore-report.ts';
import { restoreSummary } from './output/summary.ts';
import type { RestoreFlags } from './restore-flags.ts';

/** The work of the command `restore`, loaded when it is given: shows plans, asks, carries out, reports. */
export async function restore(invocation: Invocation, backupId: string | null, flags: RestoreFlags) {
  const { output, context } = invocation;
  const failures: BackupError[] = [];
  const fail = (thrown: unknown, object: string): void => {
    if (context.signal.aborted || (backupId !== null && thrown instanceof BackupError)) throw thrown;
    const error = toBackupError(thrown, { operation: 'restore', object });
    failures.push(error);
    output.complain(failureLines(reportError(error)).join('\n'));
  };

  const ids = backupId === null ? await newestGood(invocation, flags, fail) : [backupId];
  output.say(
    restoreHeader(ids, { validateOnly: flags.validateOnly === true, dryRun: flags.dryRun === true }),
  );
  const agreed =
    ids.length > 1 && mustAsk(invocation, flags) ? await askForAll(invocation, ids, flags) : null;
  const reports: RestoreReport[] = [];
  for (const id of ids) {
    try {
      const report = await restoreOne(invocation, id, flags, agreed);
      output.say(restoreReportLines(report, output));
      if (output.quiet) complainAbout(invocation, report.errors);
      reports.push(report);
    } catch (thrown) {
      fail(thrown, id);
    }
  }
  const exits = [...reports.map((report) => report.exit_code), ...failures.map((error) => error.exit)];
  return restoreSummary(reports, failures.map(reportError), combinedExit(exits));
}

async function restoreOne(
  invocation: Invocation,
  backupId: string,
  flags: RestoreFlags,
  agreed: AgreedPlans | null,
): Promise<RestoreReport> {
  const { session, output, context } = invocation;
  if (flags.validateOnly === true) {
    return await validateBackup(await session.repository(), backupId, context);
  }
  const plan = await planOne(invocation, backupId, flags);
  try {
    if (flags.dryRun === true) return plan.report;
    output.say(planLines(plan.report));
    if (mustAsk(invocation, flags) && !isAgreed(plan.report, agreed)) {
      if (agreed !== null)
        output.say([
          `The plan for ${printable(plan.report.target_collection)} is not the one you agreed to.`,
        ]);
      await agree(invocation, [plan.report]);
    }
    return await applyRestore(plan, context);
  } finally {
    await plan.close();
  }
}

async function planOne(
  { session, context }: Invocation,
  backupId: string,
  flags: RestoreFlags,
): Promise<RestorePlan> {
  return await planRestore(
    await session.repository(),
    await session.target(),
    { backupId, ...(flags.to !== undefined && { toCollection: flags.to }) },
    context,
  );
}

/**
 * Shows all plans before one question. They are made again one by one when they are carried out: holding all of
 * them would take memory that grows with the number of collections. What was agreed to is compared then.
 */
async function askForAll(
  invocation: Invocation,
  ids: readonly string[],
  flags: RestoreFlags,
): Promise<AgreedPlans> {
  const reports: RestoreReport[] = [];
  for (const id of ids) {
    try {
      const plan = await planOne(invocation, id, flags);
      await plan.close();
      invocation.output.say(planLines(plan.report));
      reports.push(plan.report);
    } catch (thrown) {
      if (invocation.context.signal.aborted) throw thrown;
      // told again, and counted, when its turn comes
      invocation.output.complain(failureLines(reportError(toBackupError(thrown, { object: id }))).join('\n'));
    }
  }
  if (reports.length > 0) await agree(invocation, reports);
  return new Map(reports.map(({ backup_id, counts }) => [backup_id, counts]));
}

/** What a person agreed to, by backup id. */
type AgreedPlans = ReadonlyMap<string, RestoreCounts>;

/** Whether this is the plan that was shown before the question for all, as far as it writes. */
function isAgreed({ backup_id, counts }: RestoreReport, agreed: AgreedPlans | null): boolean {
  const shown = agreed?.get(backup_id);
  return shown !== undefined && shown.created === counts.created && shown.replaced === counts.replaced;
}

function mustAsk({ ask }: Invocation, flags: RestoreFlags): boolean {
  return ask !== null && flags.yes !== true && flags.dryRun !== true && flags.validateOnly !== true;
}

async function agree({ ask }: Invocation, reports: readonly RestoreReport[]): Promise<void> {
  const writes = reports.some(({ counts }) => counts.created + counts.replaced > 0);
  if (!writes || (await ask!(planQuestion(reports)))) return;
  const [only, ...others] = reports;
  throw new BackupError('RESTORE_REFUSED', 'the restore was not confirmed', {
    kept: others.length > 0 ? 'Nothing was written.' : `Nothing was written to ${only!.target_collection}.`,
  });
}

/** The newest good backup of every collection asked for; one that has none is a failure of its own. */
async function newestGood(
  { session, context, output }: Invocation,
  flags: RestoreFlags,
  fail: (thrown: unknown, object: string) => void,
): Promise<string[]> {
  const repository = await session.repository();
  const { backups, errors } = await list(repository, {}, context);
  // a manifest that cannot be read may have been that of a newer backup
  for (const { code, message, ...facts } of errors)
    fail(new BackupError(code, message, facts), facts.object ?? '');
  const held = [...new Set(backups.map(({ manifest }) => manifest.collection))].toSorted();
  if (flags.collections === undefined && held.length === 0)
    throw noBackup('anything', repository.store.label);
  return (flags.collections ?? held).flatMap((collection) => {
    const newest = backups.find(({ manifest, good }) => good && manifest.collection === collection);
    if (newest !== undefined) {
      for (const text of doubts(backups, newest)) output.complain(`Warning: ${text}`);
      return [newest.manifest.backup_id];
    }
    fail(noBackup(`collection ${collection}`, repository.store.label), collection);
    return [];
  });
}

/** Why the newest good backup of a collection may not be what somebody wants back. */
function doubts(backups: readonly ListedBackup[], newest: ListedBackup): string[] {
  const { backup_id, collection, document_count } = newest.manifest;
  const ofCollection = backups.filter(({ manifest }) => manifest.collection === collection);
  const passedOver = ofCollection
    .slice(0, ofCollection.indexOf(newest))
    .map(({ manifest }) => manifest.backup_id);
  const fuller = ofCollection.find(({ manifest, good }) => good && manifest.document_count > 0)?.manifest;
  return [
    ...(passedOver.length > 0
      ? [`${backup_id} is not the newest: ${passedOver.join(', ')} is incomplete`]
      : []),
    ...(document_count === 0 && fuller !== undefined
      ? [
          `${backup_id} is empty; ${fuller.backup_id} has ${fuller.document_count} documents: restore it by its id if they are wanted`,
        ]
      : []),
  ];
}

function noBackup(what: string, store: string): BackupError {
  return new BackupError('BACKUP_MISSING', `there is no good backup of ${what} in ${store}`, {
    cure: 'Run `zerodb-backup list` to see what there is.',
  });
}

function complainAbout({ output }: Invocation, errors: readonly ReportedError[]): void {
  for (const error of errors) output.complain(failureLines(error).join('\n'));
}
