import { BackupError } from '../../kernel/errors.ts';
import type { Files } from '../../kernel/files.ts';

/** Where the specification's commands leave their log. */
export const SPECIFIED_LOG_FILE = '/tmp/zerodb_backup_cli.log';

/** A file, readable by this user alone, to which whole lines are added in order. */
export class LogFile {
  readonly #files: Files;
  readonly #path: string;
  #queue: Promise<void> = Promise.resolve();
  #failure: NodeJS.ErrnoException | null = null;

  private constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** Throws CONFIG_INVALID where the path is a link, no file, readable by others, or cannot be written. */
  static async open(files: Files, path: string): Promise<LogFile> {
    const refuse = (reason: string, cause?: unknown): BackupError =>
      new BackupError('CONFIG_INVALID', `the log file ${path} ${reason}`, {
        object: path,
        cure: 'Remove it, or choose another one with --log-file.',
        cause,
      });
    try {
      const facts = await files.stat(path);
      if (facts !== null && facts.kind !== 'file')
        throw refuse('is a link or something else that is no file');
      if (facts !== null && (facts.mode & 0o077) !== 0) throw refuse('can be read by other users');
      await files.append(path, 0o600, new Uint8Array(0));
    } catch (cause) {
      if (cause instanceof BackupError) throw cause;
      throw refuse(`cannot be written: ${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}`, cause);
    }
    return new LogFile(files, path);
  }

  write(line: string): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#failure !== null) return;
      try {
        await this.#files.append(this.#path, 0o600, Buffer.from(line, 'utf8'));
      } catch (failure) {
        this.#failure = failure as NodeJS.ErrnoException;
      }
    });
  }

  /** Resolves when every line is written; with what went wrong where some could not be. */
  async close(): Promise<string | null> {
    await this.#queue;
    if (this.#failure === null) return null;
    const code = this.#failure.code ?? this.#failure.message;
    return `the log file ${this.#path} could not be written: ${code}`;
  }
}
