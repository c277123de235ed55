import type { Command } from 'commander';
import { list, onOff } from '../../config/kinds.ts';
import { addFlag, addFlagsOf } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { backupHeader, backupReportLines } from '../output/backup-report.ts';
import { failureLines } from '../output/failure.ts';
import { summaryOf } from '../output/summary.ts';

interface BackupFlags {
  readonly collections?: readonly string[];
  readonly incremental?: boolean;
  readonly dryRun?: boolean;
  readonly adoptStore?: boolean;
}

export function defineBackup(program: Command, run: Run): void {
  const command = program
    .command('backup')
    .summary('back up collections')
    .description(
      'Makes a backup of every collection, or of those that are named: a full one, or with --incremental one of what\n' +
        'differs from the newest full one.',
    );
  addFlag(command, '--collections', list('a,b'), 'only these collections');
  addFlag(command, '--incremental', onOff, 'store what differs from the newest full backup');
  addFlag(command, '--dry-run', onOff, 'read everything, write nothing');
  addFlag(command, '--adopt-store', onOff, 'use a store that holds the backups of another project');
  addFlagsOf(command);
  command.action((_options, self: Command) => {
    const flags = self.optsWithGlobals<BackupFlags & Record<string, unknown>>();
    return run('backup', flags, (invocation) => backup(invocation, flags));
  });
}

async function backup({ session, output, context }: Invocation, flags: BackupFlags) {
  const { backup: backUp } = await import('../../operations/backup.ts');
  const home = await session.backupHome();
  const stores = (await session.repositories()).map(({ store }) => store.label);
  const request = await session.backupRequest({
    collections: flags.collections ?? null,
    incremental: flags.incremental === true,
    dryRun: flags.dryRun === true,
    adoptStore: flags.adoptStore === true,
  });
  const source = await session.source();
  output.say(backupHeader(request));
  const report = await backUp(home, source, request, context);
  output.say(backupReportLines(report, stores, output));
  const told = new Set(
    report.backups.flatMap(({ error, stores: results = [] }) => [error, ...results.map((one) => one.error)]),
  );
  for (const error of report.errors) if (!told.has(error)) output.complain(failureLines(error).join('\n'));
  return summaryOf(report);
}
