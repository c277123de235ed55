import { join } from 'node:path';
import { BackupError } from '../kernel/errors.ts';
import type { Files } from '../kernel/files.ts';
import type { Host } from '../kernel/host.ts';
import { truncated } from '../kernel/printable.ts';
import { absolutePath } from './places.ts';

const FILE_NAMES = ['zerodb-backup.yaml', 'zerodb-backup.json'];
/** A YAML parser may take a time that grows with the square of the length: seconds at this one. */
const FILE_BYTES_MAX = 64 * 1024;

/** The configuration file to read: the one named, else one of the usual names in the working directory, else none. */
export async function findConfigFile(
  { files, host }: { readonly files: Files; readonly host: Host },
  named: unknown,
): Promise<string | null> {
  if (named !== undefined) {
    if (typeof named === 'string' && named.trim() !== '') return absolutePath(host, named);
    throw new BackupError('CONFIG_INVALID', 'the name of the configuration file is empty', {
      object: 'config',
      cure: 'Name a file or leave --config out.',
    });
  }
  const found: string[] = [];
  for (const name of FILE_NAMES) {
    const path = join(host.workingDirectory, name);
    if ((await files.stat(path)) !== null) found.push(path);
  }
  if (found.length > 1) {
    throw new BackupError('CONFIG_INVALID', `there are two configuration files: ${found.join(' and ')}`, {
      cure: 'Remove one of them, or choose with --config.',
    });
  }
  return found[0] ?? null;
}

export interface ConfigFile {
  readonly entries: readonly (readonly [key: string, value: unknown])[];
  readonly readableByOthers: boolean;
}

export async function readConfigFile(files: Files, path: string): Promise<ConfigFile> {
  const { content, readableByOthers } = await readSmallFile(files, path, `configuration file ${path}`);
  let value: unknown;
  try {
    value = path.endsWith('.json') ? JSON.parse(content) : await parseYaml(content);
  } catch (cause) {
    // the parser's message may quote the file, which may hold a secret: only its place is told
    throw unusable(
      `configuration file ${path} is not ${path.endsWith('.json') ? 'JSON' : 'YAML'}${place(cause)}`,
      path,
    );
  }
  if (value === null || value === undefined) return { entries: [], readableByOthers };
  // by its directive, a YAML file may also hold sets, dates and bytes
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) {
    throw unusable(`configuration file ${path} does not hold keys and values`, path);
  }
  return { entries: Object.entries(value), readableByOthers };
}

/**
 * A warning is an error here: an unknown tag such as `!vault` would be passed over, and its value taken as it stands.
 * `parse` of the library would also print it, with the line, which may hold a secret.
 */
async function parseYaml(content: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(content);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw problem;
  return document.toJS();
}

export async function readSecretFile(
  files: Files,
  path: string,
  variable: string,
): Promise<{ readonly value: string; readonly readableByOthers: boolean }> {
  const what = `file ${path} named by ${variable}`;
  const { content, readableByOthers } = await readSmallFile(files, path, what);
  const value = content.replace(/\r?\n$/, '');
  if (value.trim() === '') throw unusable(`${what} is empty`, path);
  return { value, readableByOthers };
}

async function readSmallFile(files: Files, path: string, what: string) {
  try {
    const facts = await files.stat(path);
    const reader = await files.open(path);
    try {
      if (reader.size > FILE_BYTES_MAX) throw unusable(`${what} is larger than 64 KiB`, path);
      const bytes = new Uint8Array(reader.size);
      const length = await reader.read(bytes, 0);
      return {
        content: new TextDecoder().decode(bytes.subarray(0, length)),
        // the mode of a link says nothing
        readableByOthers: facts?.kind === 'file' && (facts.mode & 0o077) !== 0,
      };
    } finally {
      await reader.close();
    }
  } catch (cause) {
    if (cause instanceof BackupError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT' ? 'does not exist' : `cannot be read: ${code ?? truncated(message, 200)}`;
    throw unusable(`${what} ${reason}`, path, cause);
  }
}

function place(error: unknown): string {
  const position = (error as { linePos?: readonly { line: number; col: number }[] }).linePos?.[0];
  return position === undefined ? '' : `: see line ${position.line}, column ${position.col}`;
}

function unusable(message: string, path: string, cause?: unknown): BackupError {
  return new BackupError('CONFIG_INVALID', message, {
    object: path,
    cure: 'Correct the file, or name another one.',
    cause,
  });
}
