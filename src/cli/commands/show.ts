import type { Command } from 'commander';
import { printable } from '../../kernel/printable.ts';
import type { ShowReport } from '../../model/report.ts';
import { backupIdArgument } from '../backup-id-argument.ts';
import type { Invocation, Run } from '../invocation.ts';
import { banner, padded } from '../output/layout.ts';
import { formatCount, formatSize } from '../output/quantities.ts';
import { summaryOf } from '../output/summary.ts';

export function defineShow(program: Command, run: Run): void {
  program
    .command('show <id>')
    .summary('show everything that is known of one backup')
    .description(
      'Shows everything that the manifest of one backup says, and the objects that it consists of.',
    )
    .action((id: string, _options, self: Command) =>
      run('show', self.optsWithGlobals(), (invocation) => show(invocation, backupIdArgument(id))),
    );
}

async function show({ session, output, context }: Invocation, backupId: string) {
  const { show: showBackup } = await import('../../operations/list.ts');
  const report = await showBackup(
    await session.repositoryOfBackup(backupId, context.signal),
    backupId,
    context,
  );
  output.print(showLines(report));
  return summaryOf(report);
}

const LABEL_WIDTH = 24;

function showLines({ manifest, good, marks, chain, objects }: ShowReport): string[] {
  const label = (name: string, value: string): string => padded(`${name}:`, LABEL_WIDTH) + printable(value);
  const { source, window, missing } = manifest;
  return [
    ...banner(`BACKUP ${manifest.backup_id}`),
    label('Collection', manifest.collection),
    label('Type', manifest.backup_type),
    label('Status', `${manifest.status}${good ? '' : ' (not good)'}`),
    ...marks.map(({ kind, reason }) => label('Mark', reason === null ? kind : `${kind}: ${reason}`)),
    ...missing.map((sentence) => label('Missing', sentence)),
    label('Consistency', manifest.consistency),
    label('Scan', `${window.start} to ${window.end}`),
    label('Completed At', `${manifest.completed_at}Z`),
    label('Source', source.project === null ? source.host : `${source.host}, project ${source.project}`),
    label('Dialect', source.dialect),
    label('Documents', formatCount(manifest.document_count)),
    ...(manifest.state_count === undefined
      ? []
      : [
          label('Deleted', formatCount(manifest.deleted_count)),
          label('Documents With Base', formatCount(manifest.state_count)),
        ]),
    label('Document Shape', manifest.document_shape),
    label('JSON', formatSize(manifest.raw_size)),
    label('Archive', `${formatSize(manifest.file_size)}, ${manifest.compression}`),
    label('SHA-256', manifest.sha256),
    label('Documents Digest', manifest.documents_digest),
    label('Content Digest', manifest.content_digest),
    ...(manifest.not_included.length > 0 ? [label('Not Included', manifest.not_included.join(', '))] : []),
    ...(manifest.adopted_from === undefined ? [] : [label('Adopted From', manifest.adopted_from.file_name)]),
    label('Run', manifest.run_id),
    label('Tool Version', manifest.tool_version),
    ...(chain.length > 1 ? [label('Chain', chain.join(' -> '))] : []),
    '',
    'Objects:',
    ...objects.map(({ key, size }) => `  ${key}  ${size === null ? 'MISSING' : formatSize(size)}`),
  ];
}
