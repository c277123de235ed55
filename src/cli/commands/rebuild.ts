import type { Command } from 'commander';
import { directory, onOff } from '../../config/kinds.ts';
import { absolutePath } from '../../config/places.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { ReportedError } from '../../model/report.ts';
import { addFlag, addFlagsOf } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { adoptReportLines } from '../output/adopt-report.ts';
import { failureLines } from '../output/failure.ts';
import { rebuildReportLines } from '../output/rebuild-report.ts';
import { summaryOf } from '../output/summary.ts';

interface RebuildFlags {
  readonly adopt?: boolean;
  readonly from?: string;
  readonly dryRun?: boolean;
}

export function defineRebuild(program: Command, run: Run): void {
  const command = program
    .command('rebuild')
    .summary('make indexes again, or adopt archives of the predecessor')
    .description(
      'Makes indexes that are missing or damaged again, from archives that are proved to be whole; or, with --adopt,\n' +
        'makes backups of archives that the predecessor wrote, whose files stay as they are.',
    );
  addFlag(command, '--adopt', onOff, 'make backups of the archives of the predecessor in the store');
  addFlag(command, '--from', directory, 'with --adopt: of those below this directory instead');
  addFlag(command, '--dry-run', onOff, 'read and prove everything, write nothing');
  addFlagsOf(command);
  command.action((_options, self: Command) => {
    const flags = self.optsWithGlobals<RebuildFlags & Record<string, unknown>>();
    return run('rebuild', flags, (invocation) =>
      flags.adopt === true ? adopt(invocation, flags) : rebuild(invocation, flags),
    );
  });
}

async function rebuild(invocation: Invocation, flags: RebuildFlags) {
  const { session, output, context } = invocation;
  if (flags.from !== undefined) {
    throw new BackupError('USAGE_INVALID', '--from goes with --adopt only', {
      kept: 'Nothing was done.',
      cure: 'Add --adopt, or leave out --from.',
    });
  }
  const { onEveryStore } = await import('../../operations/every-store.ts');
  const { rebuild: rebuildIndexes } = await import('../../operations/rebuild.ts');
  const request = { dryRun: flags.dryRun === true, openMirror: session.openMirror };
  const report = await onEveryStore(
    await session.repositories(),
    (store) => rebuildIndexes(store, request, context),
    context.signal,
  );
  output.say(rebuildReportLines(report, output));
  complainOfOthers(invocation, report);
  return summaryOf(report);
}

async function adopt(invocation: Invocation, flags: RebuildFlags) {
  const { session, platform, output, context } = invocation;
  const { onEveryStore } = await import('../../operations/every-store.ts');
  const { adopt: adoptArchives } = await import('../../operations/adopt/adopt.ts');
  const request = {
    from: flags.from === undefined ? null : absolutePath(platform.host, flags.from),
    source: session.sourceName,
    compression: session.compression,
    dryRun: flags.dryRun === true,
  };
  const report = await onEveryStore(
    await session.repositories(),
    (store) => adoptArchives(store, request, context),
    context.signal,
  );
  output.say(adoptReportLines(report, output));
  complainOfOthers(invocation, report);
  return summaryOf(report);
}

/** Errors that belong to none of the objects that were shown with theirs. */
function complainOfOthers(
  { output }: Invocation,
  report: {
    readonly backups: readonly { readonly error?: ReportedError }[];
    readonly errors: readonly ReportedError[];
  },
): void {
  const told = new Set(report.backups.map(({ error }) => error));
  for (const error of report.errors) if (!told.has(error)) output.complain(failureLines(error).join('\n'));
}
