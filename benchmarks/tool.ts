import { readFileSync } from 'node:fs';
import { openStore, openTarget, type ServerSettings } from '../src/drivers.ts';
import { Redaction } from '../src/kernel/redaction.ts';
import { backup } from '../src/operations/backup.ts';
import { readTarget } from '../src/operations/restore/target/reading.ts';
import { applyRestore, planRestore } from '../src/operations/restore.ts';
import { verify } from '../src/operations/verify.ts';
import { createPlatform } from '../src/platform/platform.ts';
import { openRepository, openScratch } from '../src/repository.ts';

/** The tool in a process of its own: one operation, with the settings that the command line has by default. */
export type ToolTask = {
  readonly url: string;
  readonly directory: string;
  /** Whose Object Storage is the store; a directory if left out. */
  readonly objectServer?: ObjectServer;
} & (
  | { readonly operation: 'backup'; readonly compression: 'gzip' | 'zstd'; readonly readBack: boolean }
  | { readonly operation: 'verify' }
  | { readonly operation: 'read'; readonly collection: string }
  | { readonly operation: 'restore'; readonly backupId: string; readonly toCollection: string }
);

export interface ObjectServer {
  readonly url: string;
  readonly project: string;
  readonly apiKey: string;
}

export interface ToolResult {
  /** Of the operation, without the start of the process. */
  readonly seconds: number;
  /** Of both kinds, of all threads. */
  readonly cpuSeconds: number;
  /** Most memory that the process ever had (VmHWM). */
  readonly peakMegabytes: number;
  readonly backupId: string;
  /** Bytes of JSON and of the archive. */
  readonly rawSize: number;
  readonly fileSize: number;
}

const CONCURRENCY = 16;

async function run(task: ToolTask): Promise<ToolResult> {
  const platform = createPlatform({ connections: CONCURRENCY, logLevel: 'warn' });
  const store = await openStore(
    platform,
    task.objectServer === undefined ? `${task.directory}/store` : 'zerodb:',
    () => ({
      ...settings(task.objectServer!.url),
      apiKey: { value: task.objectServer!.apiKey, name: 'benchmark' },
    }),
  );
  const repository = openRepository(platform, store, `${task.directory}/state`);
  const begin = performance.now();
  const cpuBefore = process.cpuUsage();
  const { exitCode, ...made } = await perform();
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  await platform.http.close();
  if (exitCode !== 0) throw new Error(`${task.operation} ended with exit code ${exitCode}`);
  return { seconds, cpuSeconds: (user + system) / 1e6, peakMegabytes: peakMegabytes(), ...made };

  async function perform() {
    switch (task.operation) {
      case 'backup': {
        const report = await backup(repository, await server(), {
          collections: ['users'],
          exclude: [],
          configuredCollections: [],
          dryRun: false,
          incremental: null,
          compression: task.compression,
          concurrency: 1,
          consistency: 'window',
          adoptStore: true,
          mirrorIn: null,
          anomalyLimits: { shrinkMax: 0.5 },
          retention: null,
          readBack: task.readBack,
        });
        const made = report.backups[0]!;
        return { exitCode: report.exit_code, ...describe(made.backup_id!, made.raw_size, made.file_size) };
      }
      case 'verify': {
        const report = await verify(repository, { backupIds: null, level: 'decode', maxAgeMs: null });
        return { exitCode: report.exit_code, ...describe(report.backups[0]!.backup_id, 0, 0) };
      }
      case 'read': {
        const target = await server();
        const state = await readTarget({
          platform,
          target,
          collection: target.openTarget(task.collection),
          scratch: await openScratch(repository),
          phase: 'read-target',
          object: task.collection,
          onEvent: () => {},
          signal: undefined,
        });
        await state.close();
        return { exitCode: state.complete ? 0 : 3, ...describe('', 0, 0) };
      }
      case 'restore': {
        const { backupId, toCollection } = task;
        const plan = await planRestore(repository, await server(), { backupId, toCollection });
        try {
          const report = await applyRestore(plan);
          const { created, replaced, same } = report.counts;
          if (created + replaced + same !== report.document_count)
            throw new Error('not everything was restored');
          return { exitCode: report.exit_code, ...describe(backupId, 0, 0) };
        } finally {
          await plan.close();
        }
      }
    }
  }

  function server() {
    return openTarget(platform, settings(task.url));
  }

  function settings(url: string): ServerSettings {
    return {
      url,
      urlName: 'url',
      project: undefined,
      dialect: 'A',
      apiKey: { value: 'benchmark-key', name: 'benchmark' },
      login: undefined,
      timeoutMs: 60_000,
      concurrency: CONCURRENCY,
      rateLimit: undefined,
      redaction: new Redaction(),
      collections: ['users'],
      stateDirectory: `${task.directory}/state`,
    };
  }
}

function describe(backupId: string, rawSize: number, fileSize: number) {
  return { backupId, rawSize, fileSize };
}

function peakMegabytes(): number {
  const kibibytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'))![1];
  return (Number(kibibytes) * 1024) / 1e6;
}

process.once('message', (task: ToolTask) => {
  run(task).then(
    (result) => process.send!(result, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
