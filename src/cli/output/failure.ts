import type { BackupError } from '../../kernel/errors.ts';
import { printable } from '../../kernel/printable.ts';
import { type ReportedError, reportError } from '../../model/report.ts';

/** An error as people read it: what failed, what was kept, what to do. */
export function failureLines(error: ReportedError): string[] {
  return [
    `ERROR: ${printable(error.message)} (${error.code})`,
    ...(error.kept === undefined ? [] : [`  Kept: ${printable(error.kept)}`]),
    ...(error.cure === undefined ? [] : [`  Do:   ${printable(error.cure)}`]),
  ];
}

/** The same on one line, for logs. */
export function failureText(error: BackupError): string {
  const { code, message, kept, cure } = reportError(error);
  return `${message} (${code})${kept === undefined ? '' : `; kept: ${kept}`}${cure === undefined ? '' : `; ${cure}`}`;
}
