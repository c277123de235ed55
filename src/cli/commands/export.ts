import { type Command, Option } from 'commander';
import { file } from '../../config/kinds.ts';
import { absolutePath } from '../../config/places.ts';
import { BackupError } from '../../kernel/errors.ts';
import { backupIdArgument } from '../backup-id-argument.ts';
import { addFlag } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { toNewFile } from '../new-file.ts';
import { plural } from '../output/quantities.ts';
import { summaryOf } from '../output/summary.ts';

interface ExportFlags {
  readonly format: 'json' | 'ndjson';
  readonly output?: string;
}

export function defineExport(program: Command, run: Run): void {
  const command = program
    .command('export <id>')
    .summary('write the documents of a backup as plain JSON')
    .description('Writes a backup as plain JSON to standard output or a new file.');
  command.addOption(
    new Option('--format <format>', 'one JSON object as in the archive, or one document a line')
      .choices(['json', 'ndjson'])
      .default('json'),
  );
  addFlag(command, '-o, --output', file, 'write to this file, which must not exist yet');
  command.action((id: string, _options, self: Command) => {
    const flags = self.optsWithGlobals<ExportFlags & Record<string, unknown>>();
    return run('export', flags, (invocation) => exportTo(invocation, backupIdArgument(id), flags));
  });
}

async function exportTo(invocation: Invocation, backupId: string, flags: ExportFlags) {
  const { session, platform, output, context } = invocation;
  if (flags.output === undefined && output.json) {
    throw new BackupError(
      'USAGE_INVALID',
      'the documents and the lines of --json cannot share standard output',
      {
        cure: 'Write the documents to a file with --output, or leave out --json.',
      },
    );
  }
  const { exportBackup } = await import('../../operations/export.ts');
  const repository = await session.repositoryOfBackup(backupId, context.signal);
  const export_ = (write: (bytes: Uint8Array) => Promise<void>) =>
    exportBackup(repository, backupId, { format: flags.format, write }, context);
  if (flags.output === undefined)
    return summaryOf(await export_((bytes) => output.data(bytes, context.signal)));
  const path = absolutePath(platform.host, flags.output);
  const report = await toNewFile(platform, path, '--output', export_);
  output.say([`${plural(report.document_count, 'document')} written to ${path}`]);
  return summaryOf(report);
}
