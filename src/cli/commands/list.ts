import { type Command, Option } from 'commander';
import { count, text } from '../../config/kinds.ts';
import { printable } from '../../kernel/printable.ts';
import type { BackupType } from '../../model/backup-id.ts';
import { flawOf, type ListReport } from '../../model/report.ts';
import { addFlag } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { bareRows, listByCollection, listOfCollection } from '../output/backup-list.ts';
import { failureLines } from '../output/failure.ts';
import { plural } from '../output/quantities.ts';
import { summaryOf } from '../output/summary.ts';

interface ListFlags {
  readonly collection?: string;
  readonly backupType?: BackupType;
  readonly limit?: number;
}

export function defineList(program: Command, run: Run): void {
  const command = program
    .command('list')
    .summary('show the backups that there are')
    .description('Shows the backups in the store, newest first; --verbose adds file, object path and size.');
  addFlag(
    command,
    '--collection',
    text,
    'only backups of this collection; into a pipe: rows alone, good ones only',
  );
  command.addOption(
    new Option('--backup-type <type>', 'only backups of this type').choices(['full', 'incremental']),
  );
  addFlag(command, '--limit', count(1, 1_000_000_000), 'at most so many, the newest');
  command.action((_options, self: Command) => {
    const flags = self.optsWithGlobals<ListFlags & Record<string, unknown>>();
    return run('list', flags, (invocation) => list(invocation, flags));
  });
}

async function list(invocation: Invocation, flags: ListFlags) {
  const { session, output, context, configuration } = invocation;
  const { verbose } = configuration.settings;
  const bare = flags.collection !== undefined && !output.isTerminal && !output.json;
  const { list: listBackups } = await import('../../operations/list.ts');
  const report = await listBackups(
    await session.repositories(),
    {
      ...(flags.collection !== undefined && { collection: flags.collection }),
      ...(flags.backupType !== undefined && { backupType: flags.backupType }),
      // in rows alone the limit counts the backups that are shown
      ...(flags.limit !== undefined && !bare && { limit: flags.limit }),
    },
    context,
  );
  if (bare) {
    const good = report.backups.filter((backup) => backup.good);
    output.print(bareRows(good.slice(0, flags.limit), verbose));
  } else if (report.backups.length === 0) {
    output.print(['No backups found matching the criteria.']);
  } else if (flags.collection === undefined) {
    const totals = { backups: report.total_backups, collections: report.collections };
    output.print(listByCollection(report.backups, totals, verbose, report.recoverable));
  } else {
    output.print(
      listOfCollection(flags.collection, report.backups, report.total_backups, verbose, report.recoverable),
    );
  }
  noteTroubles(invocation, report, bare);
  return summaryOf({
    ...report,
    backups: report.backups.map(({ manifest, ...facts }) => ({ ...manifest, ...facts })),
  });
}

function noteTroubles({ output }: Invocation, report: ListReport, bare: boolean): void {
  if (bare) {
    for (const backup of report.backups) {
      const flaw = flawOf(backup);
      if (flaw === null) continue;
      const what = flaw === 'anomaly' ? 'an anomaly' : flaw;
      output.note(`Left out because it is ${what}: ${backup.manifest.backup_id}`);
    }
    if (report.backups.length === 0) output.note('No backups found matching the criteria.');
  }
  const missing = Map.groupBy(
    report.backups.flatMap(({ manifest, missing_from = [] }) =>
      missing_from.map((store) => ({ store, id: manifest.backup_id })),
    ),
    ({ store }) => store,
  );
  for (const [store, ids] of missing) {
    output.note(`Not in ${printable(store)}: ${ids.map(({ id }) => id).join(', ')}`);
  }
  if (report.unfinished.length > 0) {
    const archives = plural(report.unfinished.length, 'unfinished archive');
    output.note(
      `${archives} of interrupted runs, or of runs at work right now: ${report.unfinished.join(', ')}`,
    );
  }
  for (const error of report.errors) output.complain(failureLines(error).join('\n'));
}
