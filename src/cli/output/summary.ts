import type { BackupError } from '../../kernel/errors.ts';
import {
  type ReportedError,
  type RestoreCounts,
  type RestoreReport,
  reportError,
} from '../../model/report.ts';

/** The last line of `--json` (docs/cli.md), with more members as they apply. */
export interface Summary {
  readonly type: 'summary';
  readonly operation: string;
  readonly exit_code: number;
  readonly errors: readonly ReportedError[];
}

export function summaryOf<Report extends Omit<Summary, 'type'>>(report: Report): Summary & Report {
  return { type: 'summary', ...report };
}

export function failureSummary(operation: string, error: BackupError): Summary {
  return { type: 'summary', operation, exit_code: error.exit, errors: [reportError(error)] };
}

/** One summary for the restores of one command: one backup each, counts added up. */
export function restoreSummary(
  reports: readonly RestoreReport[],
  failures: readonly ReportedError[],
  exitCode: number,
): Summary {
  return summaryOf({
    operation: 'restore',
    exit_code: exitCode,
    backups: reports.map(({ operation: _operation, warnings: _warnings, errors: _errors, ...rest }) => rest),
    ...(reports.length > 0 && { counts: addedUp(reports.map(({ counts }) => counts)) }),
    warnings: reports.flatMap(({ warnings }) => warnings),
    errors: [...failures, ...reports.flatMap(({ errors }) => errors)],
  });
}

function addedUp(counts: readonly RestoreCounts[]): RestoreCounts {
  const sum = (name: keyof RestoreCounts): number => counts.reduce((total, one) => total + one[name], 0);
  return {
    created: sum('created'),
    replaced: sum('replaced'),
    recreated: sum('recreated'),
    same: sum('same'),
    extra: sum('extra'),
    deleted: sum('deleted'),
    changed: sum('changed'),
    ambiguous: sum('ambiguous'),
    unaddressable: sum('unaddressable'),
    refused: sum('refused'),
    different: sum('different'),
  };
}
