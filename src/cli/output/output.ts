import { styleText } from 'node:util';
import { BackupError } from '../../kernel/errors.ts';
import type { Redaction } from '../../kernel/redaction.ts';
import { Screen, type Stream } from './screen.ts';

/** Standard output was closed by whoever read it (`… | head -n 1`): nothing is wrong, nobody listens. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

export interface OutputStreams {
  readonly stdout: Stream & {
    write(text: string | Uint8Array, written?: () => void): boolean;
    once(event: 'drain' | 'close', listener: () => void): unknown;
    off(event: 'drain' | 'close', listener: () => void): unknown;
    on(event: 'error', listener: (error: Error) => void): unknown;
  };
  readonly stderr: Stream & { on(event: 'error', listener: (error: Error) => void): unknown };
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

/** Data and what people read on standard output, notes on standard error; no secret on either. */
export class Output {
  readonly screen: Screen;
  readonly #streams: OutputStreams;
  readonly #redaction: Redaction;
  /** Why standard output takes nothing any more. */
  #broken: NodeJS.ErrnoException | null = null;
  /** Set once flags and configuration are known. */
  json = false;
  quiet = false;

  constructor(streams: OutputStreams, redaction: Redaction) {
    this.#streams = streams;
    this.#redaction = redaction;
    this.screen = new Screen(streams.stderr);
    streams.stdout.on('error', (error) => {
      this.#broken = error;
    });
    streams.stderr.on('error', () => {}); // nobody reads it: there is nowhere left to say so
  }

  /** Resolves when everything that was printed is written, or its reader went away; throws where that fails. */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => this.#streams.stdout.write('', () => resolve()));
    const failure = this.#failure;
    if (failure !== null) throw failure;
  }

  get #failure(): BackupError | null {
    const broken = this.#broken;
    if (broken === null || broken.code === 'EPIPE') return null;
    return new BackupError(
      'INTERNAL',
      `standard output cannot be written: ${broken.code ?? broken.message}`,
      {
        cure: 'Make room where it is redirected to, and run the same command again.',
        cause: broken,
      },
    );
  }

  get isTerminal(): boolean {
    return this.#streams.stdout.isTTY === true;
  }

  /** What was asked for, as lines for people and pipes. Not with --json, which prints records instead. */
  print(lines: readonly string[]): void {
    if (!this.json && lines.length > 0) this.#toStdout(this.#redaction.redact(`${lines.join('\n')}\n`));
  }

  /** What goes on, as lines for people. Neither with --json nor with --quiet. */
  say(lines: readonly string[]): void {
    if (!this.quiet) this.print(lines);
  }

  /** One JSON line, with --json only. */
  record(value: object): void {
    if (this.json) this.#toStdout(`${this.redacted(value)}\n`);
  }

  /** JSON without secrets. */
  redacted(value: object, indent = 0): string {
    // member by member: over the whole text a pattern could eat the quote that ends a value
    const hide = (_key: string, member: unknown): unknown =>
      typeof member === 'string' ? this.#redaction.redact(member) : member;
    return JSON.stringify(value, hide, indent);
  }

  /** Something that a person should know, on standard error. Not with --quiet. */
  note(text: string): void {
    if (!this.quiet) this.complain(text);
  }

  /** Something that must be known, on standard error. */
  complain(text: string): void {
    this.screen.print(this.#redaction.redact(text));
  }

  /** Documents as they are, unredacted. Resolves when more is welcome; throws OutputClosed, or when aborted. */
  async data(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#broken !== null) throw this.#closed();
    const { stdout } = this.#streams;
    if (stdout.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        stdout.off('drain', go);
        stdout.off('close', go);
        signal.removeEventListener('abort', go);
        resolve();
      };
      signal.addEventListener('abort', go);
      stdout.once('drain', go);
      stdout.once('close', go);
    });
    signal.throwIfAborted();
    if (this.#broken !== null) throw this.#closed();
  }

  /** Styled where standard output (or error) is a terminal and neither NO_COLOR nor TERM forbids it. */
  paint(style: Style, text: string, on: 'stdout' | 'stderr' = 'stdout'): string {
    return styleText(style, text, { stream: this.#streams[on] as unknown as NodeJS.WritableStream });
  }

  #toStdout(text: string): void {
    if (this.#broken !== null) return;
    this.screen.erase();
    this.#streams.stdout.write(text);
  }

  #closed(): Error {
    return this.#failure ?? new OutputClosed('standard output was closed');
  }
}
