import { printable } from '../../kernel/printable.ts';
import type { RestoreReport } from '../../model/report.ts';
import { failureLines } from './failure.ts';
import { banner } from './layout.ts';
import type { Output } from './output.ts';
import { formatClock, formatCount, formatSeconds, formatTime } from './quantities.ts';

export function restoreHeader(
  backupIds: readonly string[],
  flags: {
    readonly validateOnly?: boolean;
    readonly dryRun?: boolean;
    readonly merge?: boolean;
    readonly exact?: boolean;
  },
): string[] {
  const yes = (flag: boolean | undefined): string => (flag === true ? 'Yes' : 'No');
  return [
    ...banner('ZeroDB RESTORE'),
    ...backupIds.map((id) => `Backup ID: ${id}`),
    `Merge Mode: ${flags.merge === true ? 'Yes' : flags.exact === true ? 'No (exact)' : 'No (replace)'}`,
    `Validate Only: ${yes(flags.validateOnly)}`,
    `Dry Run: ${yes(flags.dryRun)}`,
  ];
}

/** What a restore would do, on one line for each kind of document that there is. */
export function planLines(report: RestoreReport): string[] {
  const { counts, document_count } = report;
  const line = (count: number, text: string): string[] =>
    count === 0 ? [] : [`  ${formatCount(count).padStart(9)}  ${text}`];
  return [
    '',
    report.mode === 'undo'
      ? `Plan for ${destination(report)}, ${formatCount(document_count)} documents that the restore changed:`
      : `Plan for ${destination(report)}, ${formatCount(document_count)} documents in the backup:`,
    ...(report.source === undefined
      ? []
      : [`  Backed up from ${printable(report.collection)} on ${printable(report.source)}`]),
    ...line(counts.created, 'to create'),
    ...line(counts.replaced, 'to replace'),
    ...line(counts.deleted, 'to delete'),
    ...line(counts.same, report.mode === 'undo' ? 'as they were already' : 'already the same'),
    ...line(counts.changed, 'written by others since: left alone'),
    ...line(counts.extra, 'only there: left alone'),
    ...line(counts.ambiguous, 'match more than one document: left alone'),
    ...line(counts.unaddressable, 'cannot be addressed there: left alone'),
    ...(report.estimate === undefined
      ? []
      : [
          `  Some ${formatCount(report.estimate.requests)} requests; one by one, at the rate at which the target was read: ${formatClock(1000 * report.estimate.seconds)}`,
        ]),
    ...report.warnings.map(({ message }) => `  Note: ${printable(message)}`),
  ];
}

/** The one line that a person is asked to agree to. */
export function planQuestion(reports: readonly RestoreReport[]): string {
  const sum = (name: 'created' | 'replaced' | 'deleted'): number =>
    reports.reduce((total, { counts }) => total + counts[name], 0);
  const [created, replaced, deleted] = [sum('created'), sum('replaced'), sum('deleted')].map(formatCount);
  const what =
    sum('deleted') > 0
      ? `Create ${created}, replace ${replaced} and DELETE ${deleted} documents`
      : `Create ${created} and replace ${replaced} documents`;
  const where =
    reports.length === 1
      ? destination(reports[0]!)
      : `${reports.length} collections on ${reports[0]!.target}`;
  return `${what} in ${where}?`;
}

export function restoreReportLines(report: RestoreReport, output: Output): string[] {
  const { counts, stage, read_back } = report;
  const good = report.exit_code === 0;
  const count = (name: string, value: number): string[] =>
    value === 0 ? [] : [`${name}: ${formatCount(value)}`];
  const past = stage === 'planned' ? 'Would Be ' : '';
  return [
    ...banner('RESTORE SUMMARY'),
    `Status: ${status(report)}`,
    `Backup ID: ${report.backup_id}`,
    `Collection: ${printable(report.collection)}`,
    `Backup Type: ${report.backup_type}`,
    `Backup Timestamp: ${formatTime(report.backup_time)}`,
    ...(stage === 'validated' ? [] : [`Target: ${destination(report)}`]),
    `Document Count: ${formatCount(report.document_count)}`,
    ...(stage === 'validated'
      ? []
      : [
          `${past}Created: ${formatCount(counts.created)}`,
          `${past}Replaced: ${formatCount(counts.replaced)}`,
          ...count('Of These Deleted And Inserted', counts.recreated),
          ...count(`${past}Deleted`, counts.deleted),
          `Already The Same: ${formatCount(counts.same)}`,
          ...count('Written By Others Since, Left Alone', counts.changed),
          `Only In The Target, Left Alone: ${formatCount(counts.extra)}`,
          ...count('Ambiguous, Left Alone', counts.ambiguous),
          ...count('Unaddressable, Left Alone', counts.unaddressable),
          ...count('Refused By The Server', counts.refused),
          ...count('Different After The Restore', counts.different),
        ]),
    ...(read_back === null ? [] : [readBackLine(read_back)]),
    ...(report.restore_id === undefined
      ? []
      : [`Restore ID: ${report.restore_id} (undo ${report.restore_id} takes it back)`]),
    `Duration: ${formatSeconds(report.duration_ms)}`,
    ...report.warnings.map(({ message }) => `Note: ${printable(message)}`),
    `Errors: ${report.errors.length}`,
    ...report.errors.slice(0, 10).flatMap((error) => failureLines(error).map((line) => `  ${line}`)),
    ...(report.errors.length > 10 ? [`  … and ${report.errors.length - 10} more`] : []),
    '',
    good
      ? `${output.paint('green', '✓')} ${conclusion(report)}`
      : `${output.paint('red', '✗')} Not everything is as it should be.`,
  ];
}

function conclusion({ stage, counts, document_count }: RestoreReport): string {
  if (stage === 'validated')
    return 'The backup is whole: every byte and every document was read and compared.';
  if (stage === 'planned') return 'Dry run: everything was read, nothing was written.';
  if (document_count === 0) return 'The backup is empty: it was made of a collection that held nothing.';
  if (counts.created + counts.replaced + counts.deleted === 0)
    return 'Nothing had to be written: the target holds it all.';
  return 'Restored, read back and compared.';
}

function status({ stage, exit_code, errors }: RestoreReport): string {
  if (exit_code !== 0)
    return errors.length > 0 || stage !== 'validated' ? 'COMPLETED_WITH_ERRORS' : 'DAMAGED';
  return stage === 'validated' ? 'VALIDATED' : stage === 'planned' ? 'DRY_RUN' : 'COMPLETED';
}

function readBackLine({
  same_bytes,
  same_value,
  different,
}: NonNullable<RestoreReport['read_back']>): string {
  const reformatted = same_value === 0 ? '' : `, ${formatCount(same_value)} the same in value`;
  return `Read Back: ${formatCount(same_bytes)} the same byte for byte${reformatted}, ${formatCount(different)} different`;
}

function destination({ target_collection, target }: RestoreReport): string {
  return `${printable(target_collection)} on ${printable(target)}`;
}
