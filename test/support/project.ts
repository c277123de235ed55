import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform } from '../../src/kernel/platform.ts';
import type { BackupReport, RestoreReport } from '../../src/model/report.ts';
import { type BackupRequest, backup } from '../../src/operations/backup.ts';
import { applyRestore, planRestore, type RestoreRequest } from '../../src/operations/restore.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { openRepository, type Repository } from '../../src/repository.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import type { Target } from '../../src/sources/target.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { bareEnvironment } from './command-line.ts';

export const SETTINGS = [
  { dialect: 'A', shape: 'id_data' },
  { dialect: 'A', shape: 'flat' },
  { dialect: 'B', shape: 'id_data' },
] as const;
/** Where documents are named by their own ids and written many at a time. */
export const DIALECT_D = { dialect: 'D', shape: 'id_data' } as const;
export type Setting = (typeof SETTINGS)[number] | typeof DIALECT_D;

export const REQUEST: BackupRequest = {
  collections: null,
  exclude: [],
  configuredCollections: [],
  dryRun: false,
  incremental: null,
  compression: 'gzip',
  concurrency: 2,
  consistency: 'window',
  adoptStore: false,
  mirrorIn: null,
  anomalyLimits: { shrinkMax: 0.5 },
  retention: null,
  readBack: true,
};

/** A real server on a socket, a real directory store, and the operations between them; closes and removes everything. */
export class Project {
  readonly sandbox: Sandbox;
  readonly directory: string;
  readonly storePath: string;
  readonly platform: Platform;
  readonly repository: Repository;
  readonly target: Target;
  readonly #setting: Setting;

  private constructor(
    sandbox: Sandbox,
    directory: string,
    setting: Setting,
    opened: Pick<Project, 'platform' | 'repository' | 'target'>,
  ) {
    this.sandbox = sandbox;
    this.directory = directory;
    this.storePath = join(directory, 'store');
    this.#setting = setting;
    this.platform = opened.platform;
    this.repository = opened.repository;
    this.target = opened.target;
  }

  static async open(setting: Setting, options: SandboxOptions = {}): Promise<Project> {
    const directory = await mkdtemp(join(tmpdir(), 'zerodb-backup-'));
    const sandbox = await startSandbox({
      shape: setting.shape,
      ...(setting.dialect === 'D' && { dialects: ['D'] }),
      ...options,
    });
    return new Project(
      sandbox,
      directory,
      setting,
      await openTool(sandbox, directory, setting, createPlatform()),
    );
  }

  /** In which the program finds this server and this store. */
  get environment(): Record<string, string> {
    return {
      ...bareEnvironment(this.directory),
      ZERODB_API_BASE_URL: this.sandbox.url,
      ZERODB_API_KEY: this.sandbox.apiKey,
      ZERODB_PROJECT_ID: this.sandbox.project,
      ZERODB_BACKUP_STORE: this.storePath,
    };
  }

  /** The tool as a new process would have it, over another platform. */
  openTool(platform: Platform): Promise<Pick<Project, 'platform' | 'repository' | 'target'>> {
    return openTool(this.sandbox, this.directory, this.#setting, platform);
  }

  backup(request: Partial<BackupRequest> = {}): Promise<BackupReport> {
    return backup(this.repository, this.target, { ...REQUEST, ...request });
  }

  async restore(request: RestoreRequest): Promise<{ plan: RestoreReport; report: RestoreReport }> {
    const plan = await planRestore(this.repository, this.target, request);
    try {
      return { plan: plan.report, report: await applyRestore(plan) };
    } finally {
      await plan.close();
    }
  }

  /** Payloads of a collection, sorted: what must be equal before and after. */
  payloads(collection: string): string[] {
    return [...this.sandbox.documents(collection)].map(({ data }) => data.toString('latin1')).sort();
  }

  /** Every file of the store and its content. */
  async storeTree(): Promise<Map<string, string>> {
    const tree = new Map<string, string>();
    const entries = await readdir(this.storePath, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      tree.set(
        path.slice(this.storePath.length),
        entry.isFile() ? (await readFile(path)).toString('latin1') : '',
      );
    }
    return tree;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.platform.http.close();
    await this.sandbox.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function openTool(
  sandbox: Sandbox,
  directory: string,
  setting: Setting,
  platform: Platform,
): Promise<Pick<Project, 'platform' | 'repository' | 'target'>> {
  const target = await openZerodbSource(platform, {
    baseUrl: sandbox.url,
    apiKey: { value: sandbox.apiKey, name: 'ZERODB_API_KEY' },
    project: sandbox.project,
    dialect: setting.dialect,
  });
  const store = openDirectoryStore(platform, join(directory, 'store'));
  return { platform, target, repository: openRepository(platform, store, join(directory, 'state')) };
}
