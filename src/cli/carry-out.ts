import { BackupError } from '../kernel/errors.ts';
import { printable } from '../kernel/printable.ts';
import type { RestoreCounts, RestoreReport } from '../model/report.ts';
import { plannedChanges } from '../operations/plan-file.ts';
import { applyRestore, type RestorePlan } from '../operations/restore.ts';
import type { Invocation } from './invocation.ts';
import { planLines, planQuestion } from './output/restore-report.ts';

export interface CarryOutFlags {
  readonly dryRun?: boolean;
  readonly withoutUndo?: boolean;
  readonly yes?: boolean;
}

/** What a person agreed to, by backup id. */
export type AgreedPlans = ReadonlyMap<string, RestoreCounts>;

/** Shows a plan, asks whether it is to be carried out, and does so. Closes it. */
export async function carryOut(
  invocation: Invocation,
  plan: RestorePlan,
  flags: CarryOutFlags,
  agreed: AgreedPlans | null = null,
): Promise<RestoreReport> {
  const { output, context } = invocation;
  try {
    if (invocation.configuration.settings.verbose) await showChanges(invocation, plan);
    if (flags.dryRun === true) return plan.report;
    output.say(planLines(plan.report));
    if (mustAsk(invocation, flags) && !isAgreed(plan.report, agreed)) {
      if (agreed !== null)
        output.say([
          `The plan for ${printable(plan.report.target_collection)} is not the one you agreed to.`,
        ]);
      await agree(invocation, [plan.report]);
    }
    return await applyRestore(plan, { ...context, undoable: flags.withoutUndo !== true });
  } finally {
    await plan.close();
  }
}

/** Each document, with the members that would change. */
async function showChanges({ output }: Invocation, plan: RestorePlan): Promise<void> {
  for await (const { id, does, fields } of plannedChanges(plan)) {
    const what = fields === null || fields.length === 0 ? '' : `: ${fields.join(', ')}`;
    output.say([printable(`  ${does.padEnd(13)}  ${id}${what}`)]);
  }
}

export function mustAsk({ ask }: Invocation, flags: CarryOutFlags): boolean {
  return ask !== null && flags.yes !== true && flags.dryRun !== true;
}

/** Whether this is the plan that was shown before the question for all, as far as it writes. */
function isAgreed({ backup_id, counts }: RestoreReport, agreed: AgreedPlans | null): boolean {
  const shown = agreed?.get(backup_id);
  return (
    shown !== undefined &&
    shown.created === counts.created &&
    shown.replaced === counts.replaced &&
    shown.deleted === counts.deleted
  );
}

/** Asks for all of these at once. Throws RESTORE_REFUSED. */
export async function agree({ ask }: Invocation, reports: readonly RestoreReport[]): Promise<void> {
  const writes = reports.some(({ counts }) => counts.created + counts.replaced + counts.deleted > 0);
  if (!writes || (await ask!(planQuestion(reports)))) return;
  const [only, ...others] = reports;
  throw new BackupError('RESTORE_REFUSED', 'the restore was not confirmed', {
    kept: others.length > 0 ? 'Nothing was written.' : `Nothing was written to ${only!.target_collection}.`,
  });
}
