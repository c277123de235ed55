import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { DocumentSettings } from './documents.ts';
import type { PredecessorResult, PredecessorTask } from './predecessor.ts';
import type { RawResult, RawRound } from './raw-compression.ts';
import type { ToolResult, ToolTask } from './tool.ts';

type WithoutPlace<Task> = Task extends unknown ? Omit<Task, 'url' | 'directory'> : never;

/** A server of ready-made documents, and a directory for the archives of those who are measured against it. */
export class TestBed implements AsyncDisposable {
  readonly settings: DocumentSettings;
  readonly directory: string;
  readonly url: string;
  readonly #server: ChildProcess;
  #compressor: ChildProcess | null = null;

  private constructor(settings: DocumentSettings, directory: string, server: ChildProcess, port: number) {
    this.settings = settings;
    this.directory = directory;
    this.url = `http://127.0.0.1:${port}`;
    this.#server = server;
  }

  /** @param delayMs what the server waits before each answer */
  static async open(settings: DocumentSettings, delayMs = 0): Promise<TestBed> {
    const server = start('page-server.ts', settings, delayMs);
    const port = await messageOf<number>(server);
    return new TestBed(settings, await mkdtemp(join(tmpdir(), 'zerodb-backup-bench-')), server, port);
  }

  /** One operation of the tool, in a new process and on the store of this name. */
  async tool(store: string, task: WithoutPlace<ToolTask>): Promise<ToolResult> {
    const tool = start('tool.ts');
    tool.send({ ...task, url: this.url, directory: join(this.directory, store) });
    return await messageOf<ToolResult>(tool);
  }

  async predecessor(operation: PredecessorTask['operation'], collection: string): Promise<PredecessorResult> {
    const predecessor = start('predecessor.ts');
    const file = join(this.directory, 'predecessor.json.gz');
    predecessor.send({ operation, collection, url: this.url, file } satisfies PredecessorTask);
    return await messageOf<PredecessorResult>(predecessor);
  }

  /**
   * The same requests from Python, as the predecessor sent them; null where `python3` has no library `requests`.
   *
   * @param documentsMax restored at most: it takes minutes for what others do in seconds
   */
  async predecessorInPython(
    operation: PredecessorTask['operation'],
    collection: string,
    documentsMax: number,
  ): Promise<PredecessorResult | null> {
    const program = fileURLToPath(new URL('predecessor.py', import.meta.url));
    const file = join(this.directory, 'predecessor-python.json.gz');
    const run = promisify(execFile);
    try {
      await run('python3', ['-c', 'import requests']);
    } catch {
      return null;
    }
    const { stdout } = await run('python3', [
      program,
      operation,
      this.url,
      file,
      collection,
      String(documentsMax),
    ]);
    return JSON.parse(stdout) as PredecessorResult;
  }

  /** The documents through the compressor alone; the process stays for the next round. */
  async compress(round: RawRound): Promise<RawResult> {
    if (this.#compressor === null) {
      this.#compressor = start('raw-compression.ts', this.settings);
      await messageOf(this.#compressor);
    }
    this.#compressor.send(round);
    return await messageOf<RawResult>(this.#compressor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill();
    this.#compressor?.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/**
 * With Node's cache of compiled modules, so that a process does not spend time and memory on stripping types: that of
 * the published package has none to strip.
 */
function start(file: string, settings?: DocumentSettings, delayMs = 0): ChildProcess {
  const parameters = settings === undefined ? [] : [JSON.stringify(settings), String(delayMs)];
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'zerodb-backup-bench-compiled') };
  return fork(new URL(file, import.meta.url), parameters, { env });
}

/** The next message of a process; rejects if it ends without one. */
export async function messageOf<Message>(process: ChildProcess): Promise<Message> {
  const ended = new AbortController();
  const gone = once(process, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`a process of the benchmark ended with code ${code}`);
  });
  gone.catch(() => {}); // also when it is no longer waited for
  try {
    const [message] = (await Promise.race([once(process, 'message'), gone])) as [Message];
    return message;
  } finally {
    ended.abort();
  }
}
