import type { Compression } from '../kernel/codec.ts';
import type { BackupType } from '../model/backup-id.ts';
import type { DocumentShape } from '../model/document.ts';
import { ARCHIVE_VERSION, FORMAT } from '../model/manifest.ts';

/** The text of an archive (design.md §5.2): a header line, documents one a line, a trailer. */

/** Members of the header line and of the trailer, all of them, in their order. */
export const HEADER_MEMBERS = [
  'format',
  'backup_id',
  'collection',
  'backup_type',
  'timestamp',
  'since_timestamp',
  'base_backup_id',
  'version',
  'document_shape',
  'documents',
] as const;
export const TRAILER_MEMBERS = ['documents', 'deleted_ids', 'document_count', 'documents_digest'] as const;

export interface ArchiveHeader {
  readonly backupId: string;
  readonly collection: string;
  readonly backupType: BackupType;
  /** When the scan started, in the specification's form. */
  readonly timestamp: string;
  readonly sinceTimestamp: string | null;
  readonly baseBackupId: string | null;
  readonly shape: DocumentShape;
}

export interface ArchiveSettings {
  readonly compression: Compression;
  /** Level of the compressor; null: gzip 6; zstd 3, or 1 where the first block is not more than 2 % larger so. */
  readonly level: number | null;
  /** Blocks compressed at the same time; one each core and one waiting. */
  readonly inFlight: number;
}

export function headerText(header: ArchiveHeader): string {
  const members = {
    format: FORMAT,
    backup_id: header.backupId,
    collection: header.collection,
    backup_type: header.backupType,
    timestamp: header.timestamp,
    since_timestamp: header.sinceTimestamp,
    base_backup_id: header.baseBackupId,
    version: ARCHIVE_VERSION,
    document_shape: header.shape,
  };
  return `${JSON.stringify(members).slice(0, -1)},"documents":[\n`;
}

/** What stands before the keys of deleted documents (JSON texts, commas between them) in the trailer, and behind them. */
export const TRAILER_START = '],"deleted_ids":[';
export function trailerEnd(documentCount: number, documentsDigest: string): string {
  return `],"document_count":${documentCount},"documents_digest":"${documentsDigest}"}\n`;
}
