import type { Command } from 'commander';
import { onOff } from '../../config/kinds.ts';
import { addFlag } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { failureLines } from '../output/failure.ts';
import { rebuildReportLines } from '../output/rebuild-report.ts';
import { summaryOf } from '../output/summary.ts';

interface RebuildFlags {
  readonly dryRun?: boolean;
}

export function defineRebuild(program: Command, run: Run): void {
  const command = program
    .command('rebuild')
    .summary('make missing or damaged indexes again')
    .description(
      'Makes indexes that are missing or damaged again, from archives that are proved to be whole.',
    );
  addFlag(command, '--dry-run', onOff, 'read and prove everything, write nothing');
  command.action((_options, self: Command) => {
    const flags = self.optsWithGlobals<RebuildFlags & Record<string, unknown>>();
    return run('rebuild', flags, (invocation) => rebuild(invocation, flags));
  });
}

async function rebuild({ session, output, context }: Invocation, flags: RebuildFlags) {
  const { rebuild: rebuildIndexes } = await import('../../operations/rebuild.ts');
  const request = { dryRun: flags.dryRun === true };
  const report = await rebuildIndexes(await session.repository(), request, context);
  output.say(rebuildReportLines(report, output));
  const told = new Set(report.backups.map(({ error }) => error));
  for (const error of report.errors) if (!told.has(error)) output.complain(failureLines(error).join('\n'));
  return summaryOf(report);
}
