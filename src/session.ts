import type { Configuration, Origin } from './config/configuration.ts';
import { type OptionName, variableOf } from './config/options.ts';
import { absolutePath, defaultStateDirectory, spoolDirectory } from './config/places.ts';
import {
  openStore,
  openTarget,
  parseServerAddress,
  type ServerAddress,
  type ServerSettings,
} from './drivers.ts';
import { type Compression, hexOf } from './kernel/codec.ts';
import { BackupError } from './kernel/errors.ts';
import type { Platform } from './kernel/platform.ts';
import type { Redaction } from './kernel/redaction.ts';
import { type Period, type RetentionRule, SPECIFIED_RULES } from './model/retention-policy.ts';
import type { BackupRequest, SeveralStores } from './operations/backup.ts';
import { storeOfBackup, storeOfRestore } from './operations/every-store.ts';
import { openRepository, type Repository } from './repository.ts';
import type { Target } from './sources/target.ts';

/** Collections read at a time: more of them fill the memory, not the connection. */
const COLLECTIONS_AT_ONCE_MAX = 4;

export interface SessionOptions {
  readonly platform: Platform;
  readonly configuration: Configuration;
  readonly redaction: Redaction;
  readonly signal?: AbortSignal;
  /** Told what was decided for the user, in one line. */
  readonly onNote: (text: string) => void;
}

/**
 * What one use of the tool has open: the configured source, target and repository, each opened when it is first
 * asked for. The command line and the library both get at them here.
 */
export class Session {
  readonly #options: SessionOptions;
  #source: Promise<Target> | null = null;
  #sourceSettings: ServerSettings | null = null;
  #target: Promise<Target> | null = null;
  #repositories: Promise<readonly Repository[]> | null = null;
  #spool: Promise<Repository> | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  source(): Promise<Target> {
    this.#source ??= openTarget(this.#options.platform, this.#sourceServer(), this.#options.signal);
    return this.#source;
  }

  /** Where restores go: the configured target, else the source's own server. */
  target(): Promise<Target> {
    const server = this.#settings.target === undefined ? this.#sourceServer() : this.#targetServer();
    this.#target ??= openTarget(this.#options.platform, server, this.#options.signal);
    return this.#target;
  }

  /** Whether restores go to another server than backups come from. */
  get hasTargetOfItsOwn(): boolean {
    return this.#settings.target !== undefined;
  }

  /** Every configured store, as they were configured; at least one. */
  repositories(): Promise<readonly Repository[]> {
    this.#repositories ??= this.#openRepositories();
    return this.#repositories;
  }

  /** The first store. */
  async repository(): Promise<Repository> {
    return (await this.repositories())[0]!;
  }

  /** The first store that has this backup; the first of all where none has it. */
  async repositoryOfBackup(backupId: string, signal?: AbortSignal): Promise<Repository> {
    return await storeOfBackup(await this.repositories(), backupId, signal);
  }

  /** The store in which a restore keeps what it wrote over: as above. */
  async repositoryOfRestore(restoreId: string, signal?: AbortSignal): Promise<Repository> {
    return await storeOfRestore(await this.repositories(), restoreId, signal);
  }

  /** Where backups are made: the only store, or a spool from which each of several gets its copy. */
  async backupHome(): Promise<Repository | SeveralStores> {
    const stores = await this.repositories();
    if (stores.length === 1) return stores[0]!;
    this.#spool ??= this.#openSpool(stores);
    return { spool: await this.#spool, stores };
  }

  /** The configured source as stored records name it, without contacting it; null if none is configured. */
  get sourceName(): { readonly host: string; readonly project: string | null } | null {
    if (this.#settings.source === undefined) return null;
    const { host, project } = parseServerAddress(this.#sourceServer());
    return { host, project: project ?? null };
  }

  get compression(): Compression {
    return this.#settings.compression;
  }

  /** Opens the project in which backups are mirrored; null if there is none, or it is turned off. */
  get openMirror(): (() => Promise<Target>) | null {
    return this.#settings.mirror && this.#settings.source !== undefined ? () => this.source() : null;
  }

  /** What keeps backups, as it is configured. */
  get retentionRules(): readonly RetentionRule[] {
    const { keepWithin, keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly } = this.#settings;
    const firstOf = (period: Period, count: number | undefined): RetentionRule[] =>
      count === undefined ? [] : [{ kind: 'first-of', period, count }];
    const rules: RetentionRule[] = [
      ...(keepWithin === undefined ? [] : [{ kind: 'within', days: keepWithin } as const]),
      ...(keepLast === undefined ? [] : [{ kind: 'last', count: keepLast } as const]),
      ...firstOf('day', keepDaily),
      ...firstOf('week', keepWeekly),
      ...firstOf('month', keepMonthly),
      ...firstOf('year', keepYearly),
    ];
    return rules.length > 0 ? rules : SPECIFIED_RULES;
  }

  /** A backup as it is configured. */
  async backupRequest(asked: {
    readonly collections: readonly string[] | null;
    readonly incremental: boolean;
    readonly dryRun: boolean;
    readonly adoptStore: boolean;
  }): Promise<BackupRequest> {
    const { exclude, collections, compression, consistency, concurrency, mirror } = this.#settings;
    const { fullAfter: baseAgeMaxMs, fullAbove } = this.#settings;
    return {
      ...asked,
      incremental: asked.incremental ? { baseAgeMaxMs, sizeMax: fullAbove / 100 } : null,
      exclude: exclude ?? [],
      configuredCollections: collections ?? [],
      compression,
      consistency,
      concurrency: Math.min(concurrency, COLLECTIONS_AT_ONCE_MAX),
      anomalyLimits: { shrinkMax: this.#settings.anomalyShrink / 100 },
      retention: this.#settings.retention ? this.retentionRules : null,
      mirrorIn: mirror ? await this.source() : null,
      readBack: true,
    };
  }

  /** Closes what was opened. The platform stays open. */
  async close(): Promise<void> {
    const servers = await Promise.allSettled([this.#source, this.#target]);
    const repositories = await Promise.allSettled([
      this.#repositories,
      this.#spool?.then((repository) => [repository]),
    ]);
    const stores = repositories.flatMap((opened) =>
      opened.status === 'fulfilled' ? (opened.value ?? []) : [],
    );
    for (const one of servers) if (one.status === 'fulfilled') await one.value?.close();
    for (const { store } of stores) await store.close();
  }

  get #settings() {
    return this.#options.configuration.settings;
  }

  async #openRepositories(): Promise<Repository[]> {
    const addresses = this.#settings.store ?? [this.#defaultStore()];
    const repositories: Repository[] = [];
    for (const address of addresses) {
      const repository = await this.#openRepository(address);
      const { label } = repository.store;
      if (repositories.some(({ store }) => store.label === label)) {
        throw new BackupError('CONFIG_INVALID', `the store ${label} is configured twice`, {
          object: 'store',
          cure: 'Name each --store once.',
        });
      }
      repositories.push(repository);
    }
    return repositories;
  }

  #openSpool(stores: readonly Repository[]): Promise<Repository> {
    const { host, project } = parseServerAddress(this.#sourceServer());
    // what waits for one set of stores is not what waits for another
    const labels = stores.map(({ store }) => store.label).sort();
    const { codec } = this.#options.platform;
    const set = hexOf(codec.sha256(Buffer.from(labels.join('\n'))));
    return this.#openRepository(spoolDirectory(this.#stateDirectory, host, project, set.slice(0, 12)));
  }

  async #openRepository(address: string): Promise<Repository> {
    const { platform } = this.#options;
    const store = await openStore(platform, address, () => this.#sourceServer());
    const { lockWait: lockWaitMs } = this.#settings;
    return { ...openRepository(platform, store, this.#stateDirectory), lockWaitMs };
  }

  get #stateDirectory(): string {
    const { host } = this.#options.platform;
    const { stateDir } = this.#settings;
    return stateDir === undefined ? defaultStateDirectory(host) : absolutePath(host, stateDir);
  }

  #defaultStore(): string {
    if (this.#settings.source === undefined) {
      throw new BackupError('CONFIG_INVALID', 'neither a ZeroDB server nor a store is configured', {
        object: 'store',
        cure: 'Set ZERODB_API_BASE_URL and ZERODB_API_KEY, and say where backups are kept with --store or ZERODB_BACKUP_STORE; to try it without a server, run `zerodb-backup demo`.',
      });
    }
    const { host } = parseServerAddress(this.#sourceServer());
    this.#options.onNote(
      `backups are kept in the Object Storage of the project on ${host} (choose another place with --store or ZERODB_BACKUP_STORE)`,
    );
    return 'zerodb:';
  }

  /** The same object each time: whoever has it shares a connection. */
  #sourceServer(): ServerSettings {
    this.#sourceSettings ??= this.#readSourceServer();
    return this.#sourceSettings;
  }

  #readSourceServer(): ServerSettings {
    const { source, projectId, dialect } = this.#settings;
    if (source === undefined) {
      throw new BackupError('CONFIG_INVALID', 'no ZeroDB server is configured', {
        object: 'source',
        cure: 'Set ZERODB_API_BASE_URL and ZERODB_API_KEY, or name the server with --source; to try it without one, run `zerodb-backup demo`.',
      });
    }
    return {
      ...this.#common(),
      url: source,
      urlName: this.#nameOf('source'),
      project: projectId,
      dialect,
      ...this.#credentials('apiKey', 'email', 'password'),
    };
  }

  /**
   * The target's credentials are its own: the source's key is sent to another server under no circumstances, and to
   * the same one only where the target has none of its own.
   */
  #targetServer(): ServerSettings {
    const target = {
      ...this.#common(),
      url: this.#settings.target!,
      urlName: this.#nameOf('target'),
      project: this.#settings.targetProjectId,
      dialect: undefined,
    };
    const own = this.#credentials('targetApiKey', 'targetEmail', 'targetPassword');
    if (own.apiKey !== undefined || own.login !== undefined || this.#settings.source === undefined) {
      return { ...target, ...own };
    }
    const source = this.#sourceServer();
    return sameServer(parseServerAddress(source), parseServerAddress(target))
      ? { ...target, apiKey: source.apiKey, login: source.login }
      : { ...target, ...own };
  }

  #common() {
    const { timeout: timeoutMs, concurrency, rateLimit, collections } = this.#settings;
    const { redaction } = this.#options;
    return {
      timeoutMs,
      concurrency,
      rateLimit,
      redaction,
      collections: collections ?? [],
      stateDirectory: this.#stateDirectory,
    };
  }

  #credentials(
    keyName: 'apiKey' | 'targetApiKey',
    emailName: 'email' | 'targetEmail',
    passwordName: 'password' | 'targetPassword',
  ): Pick<ServerSettings, 'apiKey' | 'login'> {
    const settings = this.#settings;
    const key = settings[keyName];
    const email = settings[emailName];
    const password = settings[passwordName];
    if ((email === undefined) !== (password === undefined)) {
      const missing = email === undefined ? emailName : passwordName;
      throw new BackupError('CONFIG_INVALID', `a login needs ${variableOf(missing)} as well`, {
        object: missing,
        cure: `Set ${variableOf(emailName)} and ${variableOf(passwordName)}, or neither.`,
      });
    }
    const loginName = `${this.#nameOf(emailName)} and ${this.#nameOf(passwordName)}`;
    return {
      apiKey: key === undefined ? undefined : { value: key, name: this.#nameOf(keyName) },
      login: email === undefined ? undefined : { email, password: password!, name: loginName },
    };
  }

  #nameOf(name: OptionName): string {
    const origin = this.#options.configuration.origins.get(name);
    return origin === undefined ? variableOf(name) : originText(origin, name);
  }
}

/** How messages name a configured value: by the variable or flag that set it. */
function originText(origin: Origin, name: OptionName): string {
  return origin.kind === 'file' ? `${name} in ${origin.name}` : origin.name;
}

function sameServer(one: ServerAddress, other: ServerAddress): boolean {
  return one.baseUrl === other.baseUrl;
}
