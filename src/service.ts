import { loadConfiguration } from './config/configuration.ts';
import type { OptionName, Settings } from './config/options.ts';
import { absolutePath } from './config/places.ts';
import { BackupError } from './kernel/errors.ts';
import type { OperationContext } from './kernel/events.ts';
import type { Platform } from './kernel/platform.ts';
import { Redaction } from './kernel/redaction.ts';
import type { BackupType } from './model/backup-id.ts';
import type {
  AdoptReport,
  BackupReport,
  CleanupReport,
  ExportReport,
  ListReport,
  RebuildReport,
  RestoreReport,
  VerifyLevel,
  VerifyReport,
} from './model/report.ts';
import { parseMoment } from './model/time.ts';
import { adopt } from './operations/adopt/adopt.ts';
import { backup } from './operations/backup.ts';
import { chooseStates } from './operations/chosen-states.ts';
import { cleanupStores } from './operations/cleanup/cleanup-stores.ts';
import { onEveryStore } from './operations/every-store.ts';
import { exportBackup } from './operations/export.ts';
import { list, show } from './operations/list.ts';
import { rebuild } from './operations/rebuild.ts';
import {
  type ApplyOptions,
  applyRestore,
  type RestorePlan,
  type RestoreRequest,
} from './operations/restore.ts';
import { planFromStores, validateInStores } from './operations/restore-from-stores.ts';
import { planUndo } from './operations/undo.ts';
import { verify } from './operations/verify.ts';
import { createPlatform } from './platform/platform.ts';
import { Session } from './session.ts';

/**
 * Any option of docs/configuration.md, as a value or as text; times are in seconds or such as `'5m'`. What is left
 * out comes from the variables and the configuration file.
 */
export type ServiceConfig = {
  readonly [Name in OptionName]?: NonNullable<Settings[Name]> | string;
};

export interface ServiceOptions {
  /** Receives the lines of the log; nobody does if left out. */
  readonly onLog?: (line: string) => void;
}

export interface BackupOptions extends OperationContext {
  /** Stores what differs from the newest good full backup; a full one is made where there is none, or it is too old. */
  readonly incremental?: boolean;
  /** Reads everything and writes nothing. */
  readonly dryRun?: boolean;
}

export interface RestoreOptions extends OperationContext {
  /** Puts the members of the backup's documents into those of the target, and keeps their others. */
  readonly merge?: boolean;
  /** Also deletes what the backup does not hold. */
  readonly exact?: boolean;
  /** Only the documents with these ids. */
  readonly ids?: readonly string[];
  /** What is good of a damaged backup; the rest is listed. */
  readonly allowPartial?: boolean;
  /** False: nothing is kept of what is written over, and the restore cannot be undone. */
  readonly undoable?: boolean;
  /** Reads everything and writes nothing. */
  readonly dryRun?: boolean;
  /** Only proves that the backup is whole; contacts no server. */
  readonly validateOnly?: boolean;
  /** Another collection to restore into. */
  readonly toCollection?: string;
}

/** RFC 3339, or a date with or without a time, in UTC unless it has a zone. */
export interface PointInTime {
  readonly at: Date | string;
}

/**
 * The library: backs up, verifies and restores the collections of one ZeroDB project. Reports say how it went, also
 * where parts failed (`exit_code` is 0 exactly if all is well); a BackupError is thrown where nothing could be done.
 */
export class BackupService implements AsyncDisposable {
  readonly #platform: Platform;
  readonly #session: Session;

  private constructor(platform: Platform, session: Session) {
    this.#platform = platform;
    this.#session = session;
  }

  /** Reads the configuration. Servers and stores are opened when they are first needed. */
  static async open(config: ServiceConfig = {}, options: ServiceOptions = {}): Promise<BackupService> {
    const redaction = new Redaction();
    const writeLog = options.onLog ?? (() => {});
    const { files, host } = createPlatform({ redaction, writeLog });
    const configuration = await loadConfiguration({ files, host, redaction }, config, 'argument');
    const { concurrency: connections, logLevel = 'info' } = configuration.settings;
    const platform = createPlatform({ redaction, writeLog, connections, logLevel });
    for (const warning of configuration.warnings) platform.log.write('warn', warning);
    const onNote = (text: string): void => platform.log.write('info', text);
    return new BackupService(platform, new Session({ platform, configuration, redaction, onNote }));
  }

  /** A backup of one collection, a full one unless `incremental`. */
  async backupCollection(collection: string, options: BackupOptions = {}): Promise<BackupReport> {
    return await this.#backup([collection], options);
  }

  /** A backup of every collection of the project, but for those that the configuration excludes. */
  async backupAllCollections(options: BackupOptions = {}): Promise<BackupReport> {
    return await this.#backup(null, options);
  }

  /** Newest first. */
  async listBackups(
    options: OperationContext & {
      readonly collection?: string;
      readonly backupType?: BackupType;
      readonly limit?: number;
    } = {},
  ): Promise<ListReport> {
    return await list(await this.#session.repositories(), options, options);
  }

  /** Compares stored bytes with what was backed up: of one backup, or of all for null. */
  async verifyBackup(
    backupId: string | null,
    options: OperationContext & { readonly level?: VerifyLevel; readonly maxAgeMs?: number } = {},
  ): Promise<VerifyReport> {
    const request = {
      backupIds: backupId === null ? null : [backupId],
      level: options.level ?? 'checksum',
      maxAgeMs: options.maxAgeMs ?? null,
    };
    return await verify(await this.#session.repositories(), request, options);
  }

  /**
   * Removes backups that no rule of the configured retention keeps; with `days` only those that are older, with
   * `overridePolicy` also such that a rule would keep.
   */
  async cleanupOldBackups(
    options: OperationContext & {
      readonly days?: number;
      readonly overridePolicy?: boolean;
      /** Removes many at once as well. */
      readonly confirmed?: boolean;
      readonly dryRun?: boolean;
    } = {},
  ): Promise<CleanupReport> {
    const { days, overridePolicy, confirmed = false, dryRun = false } = options;
    const request = {
      rules: this.#session.retentionRules,
      confirmed,
      dryRun,
      ...(days !== undefined && { days }),
      ...(overridePolicy !== undefined && { overridePolicy }),
    };
    const stores = await this.#session.repositories();
    return await cleanupStores(stores, request, this.#session.openMirror, options);
  }

  /** Makes indexes that are missing or damaged again. */
  async rebuildIndexes(
    options: OperationContext & { readonly dryRun?: boolean } = {},
  ): Promise<RebuildReport> {
    const request = { dryRun: options.dryRun === true, openMirror: this.#session.openMirror };
    const stores = await this.#session.repositories();
    return await onEveryStore(stores, (store) => rebuild(store, request, options), options.signal);
  }

  /** Makes backups of archives that the predecessor wrote: of those in the store, or below a directory. */
  async adoptArchives(
    options: OperationContext & { readonly from?: string; readonly dryRun?: boolean } = {},
  ): Promise<AdoptReport> {
    const { sourceName: source, compression } = this.#session;
    const { host } = this.#platform;
    const from = options.from === undefined ? null : absolutePath(host, options.from);
    const request = { from, source, compression, dryRun: options.dryRun === true };
    const stores = await this.#session.repositories();
    return await onEveryStore(stores, (store) => adopt(store, request, options), options.signal);
  }

  /**
   * Restores a backup of `collection`, or its newest good state by a time: documents that it holds are created or replaced,
   * others left alone. The report's `restore_id` takes it back.
   */
  async restoreCollection(
    collection: string,
    backup: string | PointInTime,
    options: RestoreOptions = {},
  ): Promise<RestoreReport> {
    const stores = await this.#session.repositories();
    const backupId =
      typeof backup === 'string' ? backup : await this.#stateAt(collection, backup.at, options);
    const repository = await this.#session.repositoryOfBackup(backupId, options.signal);
    const { manifest } = await show(repository, backupId, options);
    if (manifest.collection !== collection) {
      throw new BackupError(
        'USAGE_INVALID',
        `backup ${backupId} is one of collection ${manifest.collection}, not of ${collection}`,
        {
          object: backupId,
          kept: 'Nothing was done.',
          cure: 'Give the collection that was backed up, and `toCollection` to restore into another one.',
        },
      );
    }
    if (options.validateOnly === true) return await validateInStores(stores, backupId, options);
    const { toCollection, merge, exact, ids, allowPartial } = options;
    if (merge === true && exact === true)
      throw new BackupError('USAGE_INVALID', 'merge does not go with exact', { kept: 'Nothing was done.' });
    const request: RestoreRequest = {
      backupId,
      mode: merge === true ? 'merge' : exact === true ? 'exact' : 'replace',
      ...(toCollection !== undefined && { toCollection }),
      ...(ids !== undefined && { ids }),
      ...(allowPartial !== undefined && { allowPartial }),
    };
    const target = await this.#session.target();
    const plan = await planFromStores(stores, target, request, options);
    return await carryOut(plan, options);
  }

  /** Takes a restore back, as far as nobody else has written since: the rest is named in the report. */
  async undoRestore(
    restoreId: string,
    options: OperationContext & { readonly dryRun?: boolean } = {},
  ): Promise<RestoreReport> {
    const target = await this.#session.target();
    return await carryOut(
      await planUndo(
        await this.#session.repositoryOfRestore(restoreId, options.signal),
        target,
        restoreId,
        options,
      ),
      options,
    );
  }

  /** Hands out the documents of a backup as plain JSON; the next piece comes when `write` has resolved. */
  async exportBackup(
    backupId: string,
    write: (bytes: Uint8Array) => Promise<void>,
    options: OperationContext & { readonly format?: 'json' | 'ndjson' } = {},
  ): Promise<ExportReport> {
    const request = { format: options.format ?? 'json', write };
    const repository = await this.#session.repositoryOfBackup(backupId, options.signal);
    return await exportBackup(repository, backupId, request, options);
  }

  /** Lets go of connections and stores. */
  async close(): Promise<void> {
    await this.#session.close();
    await this.#platform.http.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #stateAt(collection: string, at: Date | string, context: OperationContext): Promise<string> {
    const time = typeof at === 'string' ? parseMoment(at) : at.getTime();
    if (Number.isNaN(time)) {
      throw new BackupError('USAGE_INVALID', '`at` is no time', {
        kept: 'Nothing was done.',
        cure: 'Give a Date, or a text such as 2025-01-09T14:30:00Z.',
      });
    }
    const stores = await this.#session.repositories();
    const { backups, errors } = await list(stores, { collection }, context);
    const { states, doubts, failures } = chooseStates(stores, backups, [collection], time);
    if (failures[0] !== undefined) throw failures[0];
    // a manifest that cannot be read may have been that of a newer state
    const warnings = [...errors, ...doubts.map((message) => ({ code: 'STATE_DOUBTFUL', message }))];
    for (const { code, message } of warnings) {
      context.onEvent?.({ type: 'warning', object: collection, code, message });
    }
    return states[0]!.manifest.backup_id;
  }

  async #backup(collections: readonly string[] | null, options: BackupOptions): Promise<BackupReport> {
    const request = await this.#session.backupRequest({
      collections,
      incremental: options.incremental === true,
      dryRun: options.dryRun === true,
      adoptStore: false,
    });
    return await backup(await this.#session.backupHome(), await this.#session.source(), request, options);
  }
}

async function carryOut(
  plan: RestorePlan,
  options: ApplyOptions & { readonly dryRun?: boolean },
): Promise<RestoreReport> {
  try {
    return options.dryRun === true ? plan.report : await applyRestore(plan, options);
  } finally {
    await plan.close();
  }
}
