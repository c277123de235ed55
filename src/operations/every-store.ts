import { manifestKey, restoreRecordKey } from '../archive/layout.ts';
import { isGood, newestFirst } from '../catalog/catalog.ts';
import { joinedRanges } from '../catalog/points-in-time.ts';
import { BackupError, combinedExit, ERROR_CODES, toBackupError } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import {
  type ListedBackup,
  type ListReport,
  type ReportedError,
  type ReportedWarning,
  reportError,
} from '../model/report.ts';
import type { Repository } from '../repository.ts';

/** What reports over the objects of one store have in common. */
interface StoreReport {
  readonly exit_code: number;
  readonly duration_ms: number;
  readonly backups: readonly object[];
  readonly warnings: readonly ReportedWarning[];
  readonly errors: readonly ReportedError[];
}

/**
 * An operation on each of the stores, one after the other: one report, whose `backups` name their store. A store that
 * fails is an error of the report; throws where all of them fail.
 */
export async function onEveryStore<Report extends StoreReport>(
  stores: readonly Repository[],
  operation: (store: Repository) => Promise<Report>,
  signal?: AbortSignal,
): Promise<Report> {
  if (stores.length === 1) return await operation(stores[0]!);
  const found = await reportsOf(stores, operation, signal);
  return {
    ...joined(found),
    backups: found.reports.flatMap(({ store, report }) =>
      report.backups.map((one) => ({ ...one, store: store.store.label })),
    ),
  };
}

/** The backups of all stores as one list; what only some of them have is marked. */
export async function listEverywhere(
  stores: readonly Repository[],
  limit: number | undefined,
  listOne: (store: Repository, limit: number | undefined) => Promise<ListReport>,
  signal?: AbortSignal,
): Promise<ListReport> {
  if (stores.length === 1) return await listOne(stores[0]!, limit);
  const all = await reportsOf(stores, (store) => listOne(store, undefined), signal);
  const { reports } = all;
  // the same id may stand for two backups, made by two tools that knew of one store each
  const found = new Map<string, { listed: ListedBackup; stores: Set<string> }>();
  for (const { store, report } of reports) {
    for (const listed of report.backups) {
      const key = listed.manifest.manifest_sha256;
      const known = found.get(key);
      found.set(key, {
        listed: known === undefined ? listed : eitherCopy(known.listed, listed),
        stores: (known?.stores ?? new Set<string>()).add(store.store.label),
      });
    }
  }
  const labels = reports.map(({ store }) => store.store.label);
  const backups = [...found.values()]
    .map(({ listed, stores: having }) => {
      const missing_from = labels.filter((label) => !having.has(label));
      return missing_from.length === 0 ? listed : { ...listed, missing_from };
    })
    .sort((a, b) => newestFirst(a.manifest, b.manifest));
  return {
    ...joined(all),
    backups: backups.slice(0, limit),
    total_backups: backups.length,
    collections: new Set(backups.map(({ manifest }) => manifest.collection)).size,
    recoverable: joinedRanges(reports.flatMap(({ report }) => report.recoverable)),
    unfinished: [...new Set(reports.flatMap(({ report }) => report.unfinished))].sort(),
  };
}

/** One whole copy is enough, an anomaly is one wherever it was noted. */
function eitherCopy(one: ListedBackup, other: ListedBackup): ListedBackup {
  const { manifest } = one;
  const [ofOne, ofOther] = [one, other].map(({ marks = [] }) => new Set(marks));
  const kinds = new Set([...ofOne!, ...ofOther!]);
  if (!(ofOne!.has('bad') && ofOther!.has('bad'))) kinds.delete('bad');
  const good = isGood(manifest, new Map([[manifest.backup_id, kinds]]));
  return { manifest, good, ...(kinds.size > 0 && { marks: [...kinds] }) };
}

/** The stores that have this backup; the first of all where none has it. Throws where none can be asked. */
export async function storesOfBackup(
  stores: readonly Repository[],
  backupId: string,
  signal?: AbortSignal,
): Promise<Repository[]> {
  return await storesWith(stores, manifestKey(backupId), signal);
}

/** The first of them. */
export async function storeOfBackup(
  stores: readonly Repository[],
  backupId: string,
  signal?: AbortSignal,
): Promise<Repository> {
  return (await storesOfBackup(stores, backupId, signal))[0]!;
}

/** The store in which a restore keeps what it wrote over: as above. */
export async function storeOfRestore(
  stores: readonly Repository[],
  restoreId: string,
  signal?: AbortSignal,
): Promise<Repository> {
  return (await storesWith(stores, restoreRecordKey(restoreId), signal))[0]!;
}

/** The stores that have this object, in their order. A store that cannot be asked is left out; throws where that is all of them. */
async function storesWith(
  stores: readonly Repository[],
  key: string,
  signal?: AbortSignal,
): Promise<Repository[]> {
  if (stores.length === 1) return [...stores];
  const having: Repository[] = [];
  let failure: BackupError | null = null;
  for (const repository of stores) {
    try {
      if ((await repository.store.size(key, signal)) !== null) having.push(repository);
    } catch (thrown) {
      signal?.throwIfAborted();
      if (!(thrown instanceof BackupError)) throw thrown;
      failure ??= thrown;
    }
  }
  if (having.length > 0) return having;
  if (failure !== null) throw failure;
  return [stores[0]!];
}

/**
 * Reads a backup in the first of the stores that has it whole: where a copy is damaged or cannot be read, the next one
 * is taken, and a warning says so. `read` writes nothing, and is told whether there is another copy.
 */
export async function fromWholeCopy<Result>(
  stores: readonly Repository[],
  backupId: string,
  context: OperationContext,
  read: (store: Repository, isLast: boolean) => Promise<Result>,
): Promise<Result> {
  const copies = await storesOfBackup(stores, backupId, context.signal);
  for (const [index, copy] of copies.entries()) {
    const next = copies[index + 1];
    try {
      return await read(copy, next === undefined);
    } catch (thrown) {
      context.signal?.throwIfAborted();
      if (next === undefined || !isOfThisCopy(thrown)) throw thrown;
      context.onEvent?.({
        type: 'warning',
        object: backupId,
        code: 'COPY_PASSED_OVER',
        message: `the copy in ${copy.store.label} is not used (${thrown.message}): the one in ${next.store.label} is`,
      });
    }
  }
  throw new Error('there is always a store');
}

/** Damage, or a store that failed: another copy may do better. */
function isOfThisCopy(thrown: unknown): thrown is BackupError {
  if (!(thrown instanceof BackupError)) return false;
  const { exit } = thrown;
  return exit === ERROR_CODES.ARCHIVE_DAMAGED.exit || exit === ERROR_CODES.STORE_FAILED.exit;
}

interface Reports<Report> {
  readonly reports: readonly { readonly store: Repository; readonly report: Report }[];
  readonly failures: readonly BackupError[];
}

async function reportsOf<Report>(
  stores: readonly Repository[],
  operation: (store: Repository) => Promise<Report>,
  signal: AbortSignal | undefined,
): Promise<Reports<Report>> {
  const reports: { store: Repository; report: Report }[] = [];
  const failures: BackupError[] = [];
  for (const store of stores) {
    try {
      reports.push({ store, report: await operation(store) });
    } catch (thrown) {
      signal?.throwIfAborted();
      if (!(thrown instanceof BackupError)) throw thrown;
      failures.push(toBackupError(thrown, { object: store.store.label }));
    }
  }
  if (reports.length === 0) throw failures[0]!;
  return { reports, failures };
}

/** What is common to all members of one report: damage is said before all else. */
function joined<Report extends StoreReport>({ reports, failures }: Reports<Report>): Report {
  const all = reports.map(({ report }) => report);
  const exits = [...all.map((report) => report.exit_code), ...failures.map(({ exit }) => exit)];
  return {
    ...all[0]!,
    exit_code: exits.includes(4) ? 4 : combinedExit(exits),
    duration_ms: all.reduce((sum, report) => sum + report.duration_ms, 0),
    warnings: all.flatMap(({ warnings }) => warnings),
    errors: [...failures.map(reportError), ...all.flatMap(({ errors }) => errors)],
  };
}
