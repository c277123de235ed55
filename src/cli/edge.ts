import type { BackupError } from '../kernel/errors.ts';
import type { Redaction } from '../kernel/redaction.ts';
import { reportError } from '../model/report.ts';
import { failureLines } from './output/failure.ts';
import type { Output } from './output/output.ts';
import { failureSummary } from './output/summary.ts';

/** What the process gives to commands. */
export interface Edge {
  readonly output: Output;
  readonly redaction: Redaction;
  /** Aborted with the BackupError that a signal stands for. */
  readonly signal: AbortSignal;
  /** Whether the specification's flags were given instead of a subcommand. */
  readonly flagForm: boolean;
  /** Null where there is no terminal to ask on. */
  readonly confirm: ((question: string) => Promise<boolean>) | null;
  setExitCode(code: number): void;
}

/** Tells of the error that ended a command, and exits with its code. */
export function endWith(edge: Edge, command: string, error: BackupError): void {
  const { output } = edge;
  output.complain(failureLines(reportError(error)).join('\n'));
  output.record(failureSummary(command, error));
  edge.setExitCode(error.exit);
}
