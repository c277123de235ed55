import { printable } from '../../kernel/printable.ts';
import type { AdoptedArchive, AdoptReport } from '../../model/report.ts';
import { failureLines } from './failure.ts';
import { banner } from './layout.ts';
import type { Output } from './output.ts';
import { formatCount, formatSeconds } from './quantities.ts';

export function adoptReportLines(report: AdoptReport, output: Output): string[] {
  const count = (outcome: AdoptedArchive['outcome']): number =>
    report.backups.filter((one) => one.outcome === outcome).length;
  const adopted = count('adopted');
  return [
    ...banner('ADOPT'),
    ...report.backups.flatMap((one) => archiveLines(one, output)),
    ...banner('ADOPT SUMMARY'),
    `${report.dry_run ? 'Would Be Adopted' : 'Adopted'}: ${adopted}`,
    `Adopted Before: ${count('known')}`,
    ...(count('ours') > 0 ? [`Left By Interrupted Runs: ${count('ours')}`] : []),
    `Failed: ${count('failed')}`,
    `Duration: ${formatSeconds(report.duration_ms)}`,
    ...(adopted > 0
      ? [
          '',
          'Warning: the predecessor read its pages in no safe order. Documents may be missing from what is adopted.',
        ]
      : []),
    ...(report.dry_run ? ['', 'Dry run: everything was read, nothing was written.'] : []),
  ];
}

function archiveLines(one: AdoptedArchive, output: Output): string[] {
  const file = printable(one.file);
  const documents = `${formatCount(one.document_count)} docs`;
  const id = one.backup_id === null ? 'can be adopted' : one.backup_id;
  switch (one.outcome) {
    case 'adopted':
      return [
        one.status === 'completed'
          ? `${output.paint('green', '✓')} ${file}: ${id}, ${documents}`
          : `${output.paint('yellow', '!')} ${file}: ${id}, ${documents}, INCOMPLETE`,
        ...one.missing.map((sentence) => `    missing: ${printable(sentence)}`),
      ];
    case 'known':
      return [`- ${file}: adopted before as ${id}`];
    case 'ours':
      return [`- ${file}: an unfinished archive of zerodb-backup, which is no backup`];
    case 'failed':
      return [
        `${output.paint('red', '✗')} ${file}: FAILED`,
        ...(one.error === undefined ? [] : failureLines(one.error).map((line) => `    ${line}`)),
      ];
  }
}
