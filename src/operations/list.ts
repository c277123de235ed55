import { indexKey, manifestKey } from '../archive/layout.ts';
import { isGood, isGoodChain, matches, readCatalog, readManifest } from '../catalog/catalog.ts';
import { openManifestCache } from '../catalog/manifest-cache.ts';
import { listMarks, readMark } from '../catalog/marks.ts';
import { recoverableRanges } from '../catalog/points-in-time.ts';
import { combinedExit } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { BackupType } from '../model/backup-id.ts';
import { exitOf, type ListedBackup, type ListReport, reportError, type ShowReport } from '../model/report.ts';
import type { Repository } from '../repository.ts';
import { listEverywhere } from './every-store.ts';

export interface ListRequest {
  readonly collection?: string;
  readonly backupType?: BackupType;
  readonly limit?: number;
}

/**
 * The backups of one store or of several, newest first. Manifests that cannot be trusted are errors of the report;
 * damage is said before all else.
 */
export async function list(
  stores: Repository | readonly Repository[],
  request: ListRequest,
  context: OperationContext = {},
): Promise<ListReport> {
  const { limit, ...filter } = request;
  return await listEverywhere(
    'store' in stores ? [stores] : stores,
    limit,
    (store, ofStore) =>
      listStore(store, { ...filter, ...(ofStore !== undefined && { limit: ofStore }) }, context),
    context.signal,
  );
}

async function listStore(
  repository: Repository,
  request: ListRequest,
  context: OperationContext,
): Promise<ListReport> {
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const cache = openManifestCache(repository);
  // where each request counts, what interrupted runs left is a matter for `verify`
  const catalog = await readCatalog(repository, context.signal, { cache, wantUnfinished: cache === null });
  const listed = catalog.backups.map((manifest): ListedBackup => {
    const marks = catalog.marks.get(manifest.backup_id);
    return {
      manifest,
      good: isGoodChain(manifest, catalog),
      ...(marks !== undefined && { marks: [...marks] }),
    };
  });
  const wanted = listed.filter(({ manifest }) => matches(manifest, request));
  const { collection } = request;
  const errors = catalog.damaged.map(({ error }) => reportError(error));
  const exits = errors.map(exitOf);
  return {
    operation: 'list',
    exit_code: exits.includes(4) ? 4 : combinedExit(exits),
    duration_ms: Math.round(clock.monotonic() - begun),
    backups: wanted.slice(0, request.limit),
    total_backups: wanted.length,
    collections: new Set(wanted.map(({ manifest }) => manifest.collection)).size,
    recoverable: recoverableRanges(listed).filter(
      (range) => collection === undefined || range.collection === collection,
    ),
    unfinished: catalog.unfinished,
    warnings: [],
    errors,
  };
}

/** Everything that is known of one backup. Throws BACKUP_MISSING, MANIFEST_DAMAGED. */
export async function show(
  repository: Repository,
  backupId: string,
  context: OperationContext = {},
): Promise<ShowReport> {
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const manifest = await readManifest(repository, backupId, context.signal);
  const marks = await listMarks(repository, context.signal);
  const noted: { kind: string; reason: string | null; created_at: string }[] = [];
  for (const kind of marks.get(backupId) ?? []) {
    const { reason, created_at } = await readMark(repository, backupId, kind, context.signal);
    noted.push({ kind, reason, created_at });
  }
  const base = manifest.base_backup_id;
  const keys = [
    manifestKey(backupId),
    manifest.object_path,
    indexKey(backupId),
    ...(base === null ? [] : [manifestKey(base)]),
  ];
  const objects: { key: string; size: number | null }[] = [];
  // one after another: a failure leaves nothing under way
  for (const key of keys) objects.push({ key, size: await repository.store.size(key, context.signal) });
  return {
    operation: 'show',
    exit_code: 0,
    duration_ms: Math.round(clock.monotonic() - begun),
    manifest,
    good: isGood(manifest, marks),
    marks: noted,
    chain: [...(base === null ? [] : [base]), backupId],
    objects,
    warnings: [],
    errors: [],
  };
}
