import { type Configuration, loadConfiguration } from '../config/configuration.ts';
import { OPTION_NAMES, takesFlag } from '../config/options.ts';
import { BackupError, toBackupError } from '../kernel/errors.ts';
import type { OperationEvent } from '../kernel/events.ts';
import type { Log } from '../kernel/log.ts';
import type { Platform } from '../kernel/platform.ts';
import { reportError } from '../model/report.ts';
import { createPlatform } from '../platform/platform.ts';
import { type Edge, endWith } from './edge.ts';
import type { Action, Run } from './invocation.ts';
import { hasBars, type Logs, openLogs } from './logs.ts';
import { estimateLine } from './output/estimate-line.ts';
import { EventLog } from './output/event-log.ts';
import { failureLines, failureText } from './output/failure.ts';
import { OutputClosed } from './output/output.ts';
import { ProgressBars } from './output/progress-bars.ts';

/** Work that takes so long is announced also where bars show how far it is. */
const LONG_SECONDS = 10;

/** One command with everything around it: configuration, log, progress and session, its errors and its exit code. */
export async function runCommand(edge: Edge, ...[command, flags, action]: Parameters<Run>): Promise<void> {
  const { output, redaction } = edge;
  output.json = flags.json === true;
  output.quiet = flags.quiet === true;
  let logs: Logs | null = null;
  try {
    const { files, host, clock } = createPlatform({ redaction });
    // a command may have a flag of its own that is called like an option
    const configurable = OPTION_NAMES.filter((name) => takesFlag(command, name));
    const given = Object.fromEntries(configurable.map((name) => [name, flags[name]]));
    const configuration = await loadConfiguration({ files, host, redaction }, given, 'flag');
    const { settings } = configuration;
    output.json = settings.json;
    output.quiet = settings.quiet;
    for (const warning of configuration.warnings) output.note(`Warning: ${warning}`);
    logs = await openLogs(edge, command, settings, { files, host, clock });
    const platform = { ...createPlatform({ redaction, connections: settings.concurrency }), log: logs };
    const exitCode = await act(edge, action, platform, configuration, logs);
    await output.flush();
    edge.setExitCode(exitCode);
  } catch (thrown) {
    if (thrown instanceof OutputClosed) return;
    const error = stopped(edge.signal, toBackupError(thrown, { operation: command }));
    logs?.toFile(failureText(error));
    endWith(edge, command, error);
  } finally {
    const trouble = await logs?.close();
    if (trouble) output.complain(`Warning: ${trouble}`);
  }
}

async function act(
  edge: Edge,
  action: Action,
  platform: Platform,
  configuration: Configuration,
  log: Log,
): Promise<number> {
  const { output, redaction, signal, confirm } = edge;
  // brings in what `config` and usage errors can do without
  const { Session } = await import('../session.ts');
  const onNote = (text: string): void => output.note(text);
  const session = new Session({ platform, configuration, redaction, signal, onNote });
  const eventLog = new EventLog(log, platform.clock);
  const bars = hasBars(output) ? new ProgressBars(output.screen, platform.clock) : null;
  const onEvent = (event: OperationEvent): void => {
    output.record(event);
    bars?.onEvent(event);
    // where the log is not shown
    if (bars !== null && event.type === 'estimate' && event.seconds >= LONG_SECONDS) {
      output.note(estimateLine(event));
    }
    eventLog.onEvent(event);
  };
  const asks = confirm !== null && !output.json && !edge.flagForm;
  const ask = (question: string): Promise<boolean> => {
    bars?.close();
    return confirm!(question);
  };
  try {
    const context = { signal, onEvent };
    const summary = await action({
      platform,
      configuration,
      session,
      output,
      context,
      ask: asks ? ask : null,
    });
    bars?.close();
    // what was finished in spite of a signal is finished; a sandbox is meant to be ended by one
    const stop = summary.exit_code === 0 ? null : stopOf(signal);
    if (stop !== null) output.complain(failureLines(reportError(stop)).join('\n'));
    const exitCode = stop?.exit ?? summary.exit_code;
    output.record({ ...summary, exit_code: exitCode });
    return exitCode;
  } finally {
    bars?.close();
    await session.close();
    await platform.http.close();
  }
}

/** What a signal said, with what the operation that it stopped says of its own state. */
function stopped(signal: AbortSignal, error: BackupError): BackupError {
  const stop = stopOf(signal);
  if (stop === null) return error;
  const { code, message, kept, cure } = stop;
  const facts = { kept: error.kept ?? kept, cure: error.kept === undefined ? cure : error.cure };
  return new BackupError(
    code,
    message,
    Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined)),
  );
}

/** What a signal said; null while nobody has sent one. */
function stopOf(signal: AbortSignal): BackupError | null {
  return signal.aborted && signal.reason instanceof BackupError ? signal.reason : null;
}
