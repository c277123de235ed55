import type { Compression } from '../kernel/codec.ts';
import { LEASE_KINDS, type LeaseKind } from '../model/lease.ts';
import { MARK_KINDS, type MarkKind } from '../model/mark.ts';

/** Every key of a store is built here and nowhere else (design.md §5.1). */
export const MARKER_KEY = 'repository.json';
export const MANIFEST_PREFIX = 'manifests/';
export const ARCHIVE_PREFIX = 'backups/';
export const INDEX_PREFIX = 'indexes/';

export function manifestKey(backupId: string): string {
  return `${MANIFEST_PREFIX}${backupId}.json`;
}

export function archiveFileName(backupId: string, compression: Compression): string {
  return `${backupId}.json.${compression === 'gzip' ? 'gz' : 'zst'}`;
}

export function archiveKey(backupId: string, compression: Compression): string {
  return `${ARCHIVE_PREFIX}${archiveFileName(backupId, compression)}`;
}

export function indexKey(backupId: string): string {
  return `${INDEX_PREFIX}${backupId}`;
}

/** A small object by which `doctor` tries a store out; gone when it is done. */
export const DOCTOR_PREFIX = 'doctor/';
export function doctorKey(name: string): string {
  return `${DOCTOR_PREFIX}${name}`;
}

/** The backup id that a key under `manifests/` stands for; null if it is no manifest's key. */
export function backupIdOfManifestKey(key: string): string | null {
  return key.startsWith(MANIFEST_PREFIX) && key.endsWith('.json')
    ? key.slice(MANIFEST_PREFIX.length, -'.json'.length)
    : null;
}

/** The backup id that a key under `indexes/` stands for; null if it is no index's key. */
export function backupIdOfIndexKey(key: string): string | null {
  return key.startsWith(INDEX_PREFIX) ? key.slice(INDEX_PREFIX.length) : null;
}

/** The backup id that a key under `backups/` stands for; null if it is no archive's key. */
export function backupIdOfArchiveKey(key: string): string | null {
  const match = /^backups\/(.+)\.json\.(?:gz|zst)$/.exec(key);
  return match === null ? null : match[1]!;
}

export const MARK_PREFIX = 'marks/';

export function markKey(backupId: string, kind: MarkKind): string {
  return `${MARK_PREFIX}${backupId}.${kind}.json`;
}

/** What a key under `marks/` stands for; null if it is no mark's key. */
export function markOfKey(key: string): { readonly backupId: string; readonly kind: MarkKind } | null {
  const match = /^marks\/([^/]+)\.([a-z]+)\.json$/.exec(key);
  const kind = MARK_KINDS.find((known) => known === match?.[2]);
  return match === null || kind === undefined ? null : { backupId: match[1]!, kind };
}

/** In a spool: says that one of several stores has had a backup. */
export const DELIVERED_PREFIX = 'delivered/';

/** @param storeHash hex, of the store's label */
export function deliveredKey(backupId: string, storeHash: string): string {
  return `${DELIVERED_PREFIX}${backupId}/${storeHash}`;
}

export const LEASE_PREFIX = 'leases/';

/** The name of one lease: it changes whenever the lease is renewed. */
export interface LeaseName {
  readonly key: string;
  readonly token: string;
  readonly kind: LeaseKind;
  readonly sequence: number;
}

export function leaseKey({ token, kind, sequence }: Omit<LeaseName, 'key'>): string {
  return `${LEASE_PREFIX}${token}.${kind}.${sequence}.json`;
}

/** Null if it is no lease's key. */
export function leaseOfKey(key: string): LeaseName | null {
  const match = /^leases\/([0-9a-f]+)\.([a-z]+)\.(\d{1,15})\.json$/.exec(key);
  const kind = LEASE_KINDS.find((known) => known === match?.[2]);
  if (match === null || kind === undefined) return null;
  return { key, token: match[1]!, kind, sequence: Number(match[3]) };
}

export const RESTORE_PREFIX = 'restores/';

/** What is kept of a restore; its presence makes the restore one that can be undone. */
export function restoreRecordKey(restoreId: string): string {
  return `${RESTORE_PREFIX}${restoreId}/plan.json`;
}

/** A piece of an id map; later ones sort behind earlier ones. */
export type IdMapPiece = `idmap-${string}`;
export type RestoreArchive = 'changes' | 'pre-images' | 'bystanders' | IdMapPiece;

export function restoreArchiveKey(restoreId: string, what: RestoreArchive): string {
  return `${RESTORE_PREFIX}${restoreId}/${what}.json.gz`;
}

export function idMapPiece(number: number): IdMapPiece {
  return `idmap-${String(number).padStart(6, '0')}`;
}

/** What proves a piece of the id map of a restore; its presence says that there is one. */
export function idMapPieceKey(restoreId: string, piece: IdMapPiece): string {
  return `${RESTORE_PREFIX}${restoreId}/${piece}.json`;
}

/** The restore and the piece of its id map that the key of such a proof stands for; null if it is none. */
export function idMapPieceOfKey(key: string): { restoreId: string; piece: IdMapPiece } | null {
  const match = /^restores\/([^/]+)\/(idmap-\d{6,})\.json$/.exec(key);
  return match === null ? null : { restoreId: match[1]!, piece: match[2] as IdMapPiece };
}

export function restoreReportKey(restoreId: string): string {
  return `${RESTORE_PREFIX}${restoreId}/report.json`;
}

/** The restore id to which an object under `restores/` belongs; null if it is none of a restore. */
export function restoreIdOfObject(key: string): string | null {
  const match = /^restores\/([^/]+)\/[^/]+$/.exec(key);
  return match === null ? null : match[1]!;
}

/** The restore id that a record's key stands for; null if it is none. */
export function restoreIdOfKey(key: string): string | null {
  const match = /^restores\/([^/]+)\/plan\.json$/.exec(key);
  return match === null ? null : match[1]!;
}
