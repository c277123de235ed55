import { absolutePath } from '../config/places.ts';
import { BackupError, combinedExit, toBackupError } from '../kernel/errors.ts';
import { type ReportedError, type RestoreReport, reportError } from '../model/report.ts';
import { assertAsPlanned, encodePlan, readPlanHead, requestOf } from '../operations/plan-file.ts';
import type { RestorePlan, RestoreRequest } from '../operations/restore.ts';
import { planFromStores, validateInStores } from '../operations/restore-from-stores.ts';
import { type AgreedPlans, agree, carryOut, mustAsk } from './carry-out.ts';
import type { Invocation } from './invocation.ts';
import { toNewFile } from './new-file.ts';
import { newestGood } from './newest-good.ts';
import { failureLines } from './output/failure.ts';
import { planLines, restoreHeader, restoreReportLines } from './output/restore-report.ts';
import { restoreSummary } from './output/summary.ts';
import { filePieces } from './plan-pieces.ts';
import type { RestoreFlags } from './restore-flags.ts';

/** The work of the command `restore`, loaded when it is given: shows plans, asks, carries out, reports. */
export async function restore(invocation: Invocation, backupId: string | null, flags: RestoreFlags) {
  const { output, context } = invocation;
  if (flags.apply !== undefined) return await applySavedPlan(invocation, flags.apply, flags);
  const failures: BackupError[] = [];
  const fail = (thrown: unknown, object: string): void => {
    if (context.signal.aborted || (backupId !== null && thrown instanceof BackupError)) throw thrown;
    const error = toBackupError(thrown, { operation: 'restore', object });
    failures.push(error);
    output.complain(failureLines(reportError(error)).join('\n'));
  };

  const ids = backupId === null ? await newestGood(invocation, flags, fail) : [backupId];
  output.say(restoreHeader(ids, flags));
  const agreed = ids.length > 1 && mayAsk(invocation, flags) ? await askForAll(invocation, ids, flags) : null;
  const reports: RestoreReport[] = [];
  for (const id of ids) {
    try {
      const report = await restoreOne(invocation, id, flags, agreed);
      show(invocation, report);
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
  const { session, context } = invocation;
  if (flags.validateOnly === true) {
    return await validateInStores(await session.repositories(), backupId, context);
  }
  const plan = await planOne(invocation, requestFor(invocation, backupId, flags));
  if (flags.plan !== undefined) return await savePlan(invocation, plan, flags.plan);
  return await carryOut(invocation, plan, flags, agreed);
}

function requestFor(
  { configuration }: Invocation,
  backupId: string,
  { to, merge, exact, ids, allowPartial }: RestoreFlags,
): RestoreRequest {
  return {
    backupId,
    listUntouched: configuration.settings.verbose,
    mode: merge === true ? 'merge' : exact === true ? 'exact' : 'replace',
    ...(to !== undefined && { toCollection: to }),
    ...(ids !== undefined && { ids }),
    ...(allowPartial === true && { allowPartial }),
  };
}

async function planOne({ session, context }: Invocation, request: RestoreRequest): Promise<RestorePlan> {
  return await planFromStores(await session.repositories(), await session.target(), request, context);
}

async function savePlan(
  { platform, output }: Invocation,
  plan: RestorePlan,
  file: string,
): Promise<RestoreReport> {
  const path = absolutePath(platform.host, file);
  try {
    output.say(planLines(plan.report));
    await toNewFile(platform, path, '--plan', async (write) => {
      for await (const piece of encodePlan(plan)) await write(piece);
    });
    output.say([`The plan is saved in ${path}: carry it out with restore --apply ${path}`]);
    return plan.report;
  } finally {
    await plan.close();
  }
}

async function applySavedPlan(invocation: Invocation, file: string, flags: RestoreFlags) {
  const { platform, output } = invocation;
  const path = absolutePath(platform.host, file);
  const request = requestOf(await readPlanHead(filePieces(platform.files, path), path));
  output.say(restoreHeader([request.backupId], flags));
  const plan = await planOne(invocation, request);
  try {
    await assertAsPlanned(plan, filePieces(platform.files, path), path);
  } catch (thrown) {
    await plan.close();
    throw thrown;
  }
  const report = await carryOut(invocation, plan, flags);
  show(invocation, report);
  return restoreSummary([report], [], report.exit_code);
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
      const plan = await planOne(invocation, requestFor(invocation, id, flags));
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

function mayAsk(invocation: Invocation, flags: RestoreFlags): boolean {
  return mustAsk(invocation, flags) && flags.validateOnly !== true;
}

/** A report for people. */
export function show(invocation: Invocation, report: RestoreReport): void {
  invocation.output.say(restoreReportLines(report, invocation.output));
  if (invocation.output.quiet) complainAbout(invocation, report.errors);
}

function complainAbout({ output }: Invocation, errors: readonly ReportedError[]): void {
  for (const error of errors) output.complain(failureLines(error).join('\n'));
}
