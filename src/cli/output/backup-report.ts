import { printable } from '../../kernel/printable.ts';
import type { BackupReport, CollectionBackup, StoredIn } from '../../model/report.ts';
import { banner } from './layout.ts';
import type { Output } from './output.ts';
import { formatCount, formatSeconds } from './quantities.ts';

export function backupHeader({
  collections,
  dryRun,
  incremental,
}: {
  readonly collections: readonly string[] | null;
  readonly dryRun: boolean;
  readonly incremental: object | null;
}): string[] {
  return [
    ...banner('ZeroDB BACKUP'),
    `Collections: ${collections === null ? 'ALL' : collections.map(printable).join(', ')}`,
    `Backup Type: ${incremental === null ? 'Full' : 'Incremental'}`,
    `Dry Run: ${dryRun ? 'Yes' : 'No'}`,
    '',
  ];
}

export function backupReportLines(report: BackupReport, stores: readonly string[], output: Output): string[] {
  const made = report.backups.filter(({ outcome }) => outcome === 'completed').length;
  const incomplete = report.backups.filter(({ outcome }) => outcome === 'incomplete').length;
  const failed = report.backups.filter(({ outcome }) => outcome === 'failed');
  const skipped = report.backups.filter(({ outcome }) => outcome === 'skipped').length;
  return [
    ...(report.delivered ?? []).flatMap(({ backup_id, stores: results }) => [
      `Of an earlier run: ${backup_id}`,
      ...storeLines(results, output),
    ]),
    ...report.backups.flatMap((one) => [
      ...collectionLines(one, output),
      ...storeLines(one.stores ?? [], output),
    ]),
    ...cureLines(report),
    ...banner('BACKUP SUMMARY'),
    `Status: ${report.exit_code === 0 ? 'COMPLETED' : made + incomplete > 0 ? 'COMPLETED_WITH_ERRORS' : 'FAILED'}`,
    `Total Collections: ${report.backups.length - skipped}`,
    `Successful: ${made}`,
    ...(incomplete > 0 ? [`Incomplete: ${incomplete}`] : []),
    `Failed: ${failed.length}`,
    ...(failed.length > 0
      ? [`Failed Collections: ${failed.map(({ collection }) => printable(collection)).join(', ')}`]
      : []),
    ...(skipped > 0 ? [`Not In This Project: ${skipped}`] : []),
    ...(report.not_included === undefined ? [] : [`Not Included: ${report.not_included.join(', ')}`]),
    `Duration: ${formatSeconds(report.duration_ms)}`,
    ...stores.map((store) => `Store: ${printable(store)}`),
    ...(report.dry_run ? ['', 'Dry run: everything was read, nothing was written.'] : []),
  ];
}

function collectionLines(one: CollectionBackup, output: Output): string[] {
  const name = printable(one.collection);
  const size = one.file_size > 0 ? one.file_size : one.raw_size;
  const amount = `${name}: ${formatCount(one.document_count)} docs, ${formatCount(size)} bytes${kindOf(one)}`;
  switch (one.outcome) {
    case 'completed':
      return [`${output.paint('green', '✓')} ${amount}`];
    case 'incomplete':
      return [
        `${output.paint('yellow', '!')} ${amount}, INCOMPLETE`,
        ...one.missing.map((sentence) => `    missing: ${printable(sentence)}`),
      ];
    case 'failed':
      return [
        `${output.paint('red', '✗')} ${name}: FAILED - ${printable(one.error?.message ?? 'for an unknown reason')}`,
      ];
    case 'skipped':
      return [`- ${name}: not in this project`];
  }
}

/** What an incremental backup stands for, or why it is none. */
function kindOf({ full_because, state_count, deleted_count = 0 }: CollectionBackup): string {
  if (full_because !== undefined) return ` (full: ${printable(full_because)})`;
  if (state_count === undefined) return '';
  return ` (changed, of ${formatCount(state_count)}; ${formatCount(deleted_count)} deleted)`;
}

/** How one backup fared with each of several stores. */
function storeLines(results: readonly StoredIn[], output: Output): string[] {
  return results.map(({ store, error }) =>
    error === undefined
      ? `    ${output.paint('green', '✓')} ${printable(store)}`
      : `    ${output.paint('red', '✗')} ${printable(store)}: ${printable(error.message)}`,
  );
}

/** What can be done about failures: once each, however many collections it would help. */
function cureLines({ backups }: BackupReport): string[] {
  const errors = backups.flatMap(({ error, stores = [] }) => [error, ...stores.map((one) => one.error)]);
  const cures = new Set(errors.flatMap((error) => error?.cure ?? []));
  return [...cures].map((cure) => `  Do: ${printable(cure)}`);
}
