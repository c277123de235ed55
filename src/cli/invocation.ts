import type { Configuration } from '../config/configuration.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { Platform } from '../kernel/platform.ts';
import type { Session } from '../session.ts';
import type { Output } from './output/output.ts';
import type { Summary } from './output/summary.ts';

/** What one command gets to work with. */
export interface Invocation {
  readonly platform: Platform;
  readonly configuration: Configuration;
  readonly session: Session;
  readonly output: Output;
  /** Signal and events for operations: progress shows itself. */
  readonly context: OperationContext & { readonly signal: AbortSignal };
  /** Asks a person; null where nobody is there to answer (no terminal, `--json`, the specification's flag form). */
  readonly ask: ((question: string) => Promise<boolean>) | null;
}

/** Does the work, prints for people, and returns what `--json` prints last. */
export type Action = (invocation: Invocation) => Promise<Summary>;

/** Runs one command. `flags` holds those of the option table among others. */
export type Run = (
  command: string,
  flags: Readonly<Record<string, unknown>>,
  action: Action,
) => Promise<void>;
