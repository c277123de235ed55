import type { Command } from 'commander';
import { count, onOff, text } from '../../config/kinds.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { CleanedBackup, CleanupReport } from '../../model/report.ts';
import { addFlag, addFlagsOf } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { failureLines } from '../output/failure.ts';
import { banner } from '../output/layout.ts';
import type { Output } from '../output/output.ts';
import { formatSeconds, formatSize, plural } from '../output/quantities.ts';
import { summaryOf } from '../output/summary.ts';

interface CleanupFlags {
  readonly days?: number;
  readonly overridePolicy?: boolean;
  readonly id?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function defineCleanup(program: Command, run: Run): void {
  const command = program
    .command('cleanup')
    .summary('remove backups that the retention policy does not keep')
    .description(
      'Removes backups that no rule keeps: by default good full ones stay 7 days, the first of each week 28 days, the\n' +
        'first of each month a year. Never the last good full backup of a collection, a base, or a pinned one.',
    );
  addFlag(command, '--days', count(1, 36_500), 'remove only what is older than so many days');
  addFlag(command, '--override-policy', onOff, 'with --days: also what the policy would keep');
  addFlag(command, '--id', text, 'remove just this backup (with --yes)');
  addFlag(command, '--dry-run', onOff, 'show what would be removed, and why');
  addFlag(command, '--yes', onOff, 'remove many at once as well');
  addFlagsOf(command);
  command.action((_options, self: Command) => {
    const flags = self.optsWithGlobals<CleanupFlags & Record<string, unknown>>();
    return run('cleanup', flags, (invocation) => cleanup(invocation, flags));
  });
}

async function cleanup({ session, output, context }: Invocation, flags: CleanupFlags) {
  refuseContradictions(flags);
  const { cleanupStores } = await import('../../operations/cleanup/cleanup-stores.ts');
  const request = {
    rules: session.retentionRules,
    dryRun: flags.dryRun === true,
    confirmed: flags.yes === true,
    ...(flags.days !== undefined && { days: flags.days }),
    ...(flags.overridePolicy === true && { overridePolicy: true }),
    ...(flags.id !== undefined && { backupId: flags.id }),
  };
  const stores = await session.repositories();
  const report = await cleanupStores(stores, request, session.openMirror, context);
  output.say(cleanupLines(report, output));
  const told = new Set(report.backups.map(({ error }) => error));
  for (const error of report.errors) if (!told.has(error)) output.complain(failureLines(error).join('\n'));
  return summaryOf(report);
}

function refuseContradictions({ id, days, overridePolicy, dryRun, yes }: CleanupFlags): void {
  const usage = (message: string, cure: string): BackupError =>
    new BackupError('USAGE_INVALID', message, { kept: 'Nothing was removed.', cure });
  if (id !== undefined && (days !== undefined || overridePolicy === true)) {
    throw usage('--id does not go with --days or --override-policy', 'Give one or the other.');
  }
  if (overridePolicy === true && days === undefined) {
    throw usage('--override-policy goes with --days only', 'Say how old backups may be: --days 30.');
  }
  if (id !== undefined && yes !== true && dryRun !== true) {
    throw usage(
      'removing a backup by its id was not confirmed',
      'Add --yes once --dry-run shows what you want.',
    );
  }
}

function cleanupLines(report: CleanupReport, output: Output): string[] {
  const count = (outcome: CleanedBackup['outcome']): number =>
    report.backups.filter((one) => one.outcome === outcome).length;
  return [
    ...banner('CLEANUP'),
    ...report.backups.flatMap((one) => backupLines(one, report.dry_run, output)),
    ...banner('CLEANUP SUMMARY'),
    `Kept: ${count('kept')}`,
    `${report.dry_run ? 'Would Be Removed' : 'Removed'}: ${count('removed')}, ${formatSize(report.freed_bytes)}`,
    ...(count('failed') > 0 ? [`Failed: ${count('failed')}`] : []),
    ...(report.leftovers.length > 0
      ? [`Left By Interrupted Runs And Old Restores: ${plural(report.leftovers.length, 'object')}`]
      : []),
    `Duration: ${formatSeconds(report.duration_ms)}`,
    ...(report.dry_run ? ['', 'Dry run: nothing was removed.'] : []),
  ];
}

function backupLines(one: CleanedBackup, dryRun: boolean, output: Output): string[] {
  const store = one.store === undefined ? '' : ` in ${one.store}`;
  const name = `${one.backup_id}${store}`;
  const why = `${one.reasons.join('; ')} (${plural(one.age_days, 'day')} old)`;
  switch (one.outcome) {
    case 'kept':
      return dryRun ? [`  keep    ${name}: ${why}`] : [];
    case 'removed':
      return [`${output.paint('yellow', '-')} ${dryRun ? 'remove' : 'removed'} ${name}: ${why}`];
    case 'failed':
      return [
        `${output.paint('red', '✗')} ${name}: NOT REMOVED`,
        ...(one.error === undefined ? [] : failureLines(one.error).map((line) => `    ${line}`)),
      ];
  }
}
