import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import { bareEnvironment } from './command-line.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** A server with some documents, and an environment in which the program finds it and an empty store. */
export interface ServedProject extends AsyncDisposable {
  readonly sandbox: Sandbox;
  /** Home and working directory. */
  readonly home: string;
  readonly storePath: string;
  readonly env: Record<string, string>;
}

export async function serveProject(options: SandboxOptions = {}): Promise<ServedProject> {
  const directory = temporaryDirectory();
  const sandbox = await startSandbox(options);
  for (let index = 0; index < 250; index++) {
    sandbox.insert('users', `{"id":"u${index}","name":"User ${index}","ratio":1.0,"big":9007199254740993}`);
  }
  for (let index = 0; index < 40; index++) sandbox.insert('events', `{"id": "e${index}", "title": "Event"}`);
  const storePath = join(directory.path, 'store');
  return {
    sandbox,
    home: directory.path,
    storePath,
    env: {
      ...bareEnvironment(directory.path),
      ZERODB_API_BASE_URL: sandbox.url,
      ZERODB_API_KEY: sandbox.apiKey,
      ZERODB_PROJECT_ID: sandbox.project,
      ZERODB_BACKUP_STORE: storePath,
    },
    async [Symbol.asyncDispose]() {
      await sandbox.close();
      directory[Symbol.dispose]();
    },
  };
}

/** Every file below a directory with its content; empty where there is none. */
export function filesBelow(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) return files;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path, readFileSync(path, 'latin1'));
  }
  return files;
}
