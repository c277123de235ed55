import type { Command, CommanderError } from 'commander';
import { BackupError, ERROR_CODES, toBackupError } from '../kernel/errors.ts';
import { Redaction } from '../kernel/redaction.ts';
import { createProcessHost } from '../platform/process-host.ts';
import { type Edge, endWith } from './edge.ts';
import { translateFlagForm } from './flag-form.ts';
import { Output } from './output/output.ts';
import { refuseSecretsIn } from './secret-flags.ts';

/** The edge between the process and the commands: arguments, signals, streams, exit code. */
export async function main(process: NodeJS.Process): Promise<void> {
  const redaction = new Redaction();
  const output = new Output(process, redaction);
  const argv = process.argv.slice(2);
  const abort = new AbortController();
  abortOnSignals(process, abort);
  const edge: Edge & { flagForm: boolean } = {
    output,
    redaction,
    signal: abort.signal,
    flagForm: false,
    confirm: process.stdin.isTTY && process.stderr.isTTY ? (question) => confirm(process, question) : null,
    setExitCode(code) {
      process.exitCode = code;
    },
  };
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (thrown: unknown) => {
      const error = toBackupError(thrown);
      endWith(edge, argv[0] ?? '', error);
      // whatever else still ends well must not turn this into a success
      edge.setExitCode = () => {};
      abort.abort(error);
    });
  }
  try {
    const version = createProcessHost().toolVersion;
    if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) return output.print([version]);
    refuseSecretsIn(argv);
    const translated = translateFlagForm(argv);
    edge.flagForm = translated !== null;
    // each step brings in what the ones before can do without
    const { createProgram } = await import('./program.ts');
    const program = createProgram(version, async (...request) => {
      const { runCommand } = await import('./run-command.ts');
      await runCommand(edge, ...request);
    });
    await parse(program, translated ?? argv, edge);
  } catch (thrown) {
    output.json ||= argv.includes('--json');
    endWith(edge, argv[0] ?? '', toBackupError(thrown));
  }
}

/** Throws USAGE_INVALID for what commander does not like; help and version are printed by it. */
async function parse(program: Command, argv: readonly string[], edge: Edge): Promise<void> {
  let complaint = '';
  const overridden = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: (text) => (complaint += text) });
    for (const one of command.commands) overridden(one);
  };
  overridden(program);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (thrown) {
    if (!isCommanderError(thrown)) throw thrown;
    if (thrown.exitCode === 0) return;
    if (thrown.code === 'commander.help') {
      edge.output.complain(complaint.trimEnd());
      edge.setExitCode(ERROR_CODES.USAGE_INVALID.exit);
      return;
    }
    const [message, hint] = thrown.message.replace(/^error: /, '').split('\n');
    const suggestion = hint === undefined ? '' : `${hint.replace(/^\(|\)$/g, '')} `;
    throw new BackupError('USAGE_INVALID', message!, {
      cure: `${suggestion}Run \`zerodb-backup ${subcommandOf(program, argv)}--help\` to see what there is.`,
    });
  }
}

function isCommanderError(thrown: unknown): thrown is CommanderError {
  return thrown instanceof Error && thrown.name === 'CommanderError';
}

function subcommandOf(program: Command, argv: readonly string[]): string {
  const name = argv.find((argument) => program.commands.some((command) => command.name() === argument));
  return name === undefined ? '' : `${name} `;
}

/** The first SIGINT or SIGTERM aborts with the error that it stands for. The second one ends the process. */
function abortOnSignals(process: NodeJS.Process, abort: AbortController): void {
  const on = (signal: 'SIGINT' | 'SIGTERM', error: BackupError): void => {
    process.on(signal, () => {
      if (abort.signal.aborted) process.exit(error.exit);
      abort.abort(error);
    });
  };
  const facts = {
    kept: 'Backups that were finished are kept; what was unfinished is not listed.',
    cure: 'Run the same command again.',
  };
  on('SIGINT', new BackupError('INTERRUPTED', 'interrupted', facts));
  on('SIGTERM', new BackupError('TERMINATED', 'terminated', facts));
}

async function confirm(process: NodeJS.Process, question: string): Promise<boolean> {
  const { confirm: prompt, isCancel } = await import('@clack/prompts');
  const answer = await prompt({
    message: question,
    initialValue: false,
    input: process.stdin,
    output: process.stderr,
  });
  if (isCancel(answer)) throw new BackupError('INTERRUPTED', 'interrupted', { kept: 'Nothing was written.' });
  return answer;
}
