import type { RebuildReport, RebuiltIndex } from '../../model/report.ts';
import { failureLines } from './failure.ts';
import { banner } from './layout.ts';
import type { Output } from './output.ts';
import { formatSeconds } from './quantities.ts';

export function rebuildReportLines(report: RebuildReport, output: Output): string[] {
  const count = (outcome: RebuiltIndex['outcome']): number =>
    report.backups.filter((one) => one.outcome === outcome).length;
  return [
    ...banner('REBUILD'),
    ...report.backups.flatMap((one) => indexLines(one, report.dry_run, output)),
    ...banner('REBUILD SUMMARY'),
    `Indexes That Were Good: ${count('good')}`,
    `${report.dry_run ? 'Would Be Made Again' : 'Made Again'}: ${count('rebuilt')}`,
    `Failed: ${count('failed')}`,
    ...(report.mirrored === undefined ? [] : [`Entries Written To backup_metadata: ${report.mirrored}`]),
    `Duration: ${formatSeconds(report.duration_ms)}`,
    ...(report.dry_run ? ['', 'Dry run: everything was read, nothing was written.'] : []),
  ];
}

function indexLines(one: RebuiltIndex, dryRun: boolean, output: Output): string[] {
  switch (one.outcome) {
    case 'good':
      return [`${output.paint('green', '✓')} ${one.backup_id}: index is good`];
    case 'rebuilt': {
      const done = dryRun ? 'can be made again' : 'made again';
      return [`${output.paint('green', '✓')} ${one.backup_id}: index was ${one.index}, ${done}`];
    }
    case 'failed':
      return [
        `${output.paint('red', '✗')} ${one.backup_id}: FAILED${one.index === null ? '' : `, index is ${one.index}`}`,
        ...(one.error === undefined ? [] : failureLines(one.error).map((line) => `    ${line}`)),
      ];
  }
}
