import { z } from 'zod';
import type { Codec } from '../kernel/codec.ts';
import { parseBackupId } from './backup-id.ts';
import { encodeRecord, FORMAT, parseRecord, type RecordKind } from './canonical-record.ts';
import { DOCUMENT_SHAPES } from './document.ts';

const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${length}}$`));
const count = z.int().nonnegative();

/** What has to be known of an archive to read and prove it: a manifest has these members too. */
const archiveFactsSchema = z.looseObject({
  backup_id: z.string(),
  object_path: z.string(),
  collection: z.string(),
  backup_type: z.literal('full'),
  base_backup_id: z.null(),
  created_at: z.string(),
  document_shape: z.enum(DOCUMENT_SHAPES),
  document_count: count,
  deleted_count: z.literal(0),
  documents_digest: hex(32),
  content_digest: hex(32),
  compression: z.enum(['gzip', 'zstd']),
  file_size: count,
  raw_size: count,
  sha256: hex(64),
});
export type KeptArchive = z.infer<typeof archiveFactsSchema>;

/**
 * What is kept of a restore before its first write, so that it can be undone: `restores/<restore_id>/plan.json`
 * (docs/format.md).
 */
const restoreRecordSchema = z.looseObject({
  format: z.literal(FORMAT),
  restore_id: z.string(),
  backup_id: z.string(),
  mode: z.enum(['replace', 'merge', 'exact', 'undo']),
  collection: z.string(),
  /** Where the backup is from: `collection` is one of there. */
  source: z.looseObject({ host: z.string(), project: z.string().nullable() }),
  target: z.looseObject({ host: z.string(), project: z.string().nullable(), dialect: z.string() }),
  target_collection: z.string(),
  /** The restore that this one takes back; null unless it is an undo. */
  undoes: z.string().nullable(),
  /** The interrupted restore that this one goes on with. */
  continues: z.string().nullable(),
  /** Logical ids that it was limited to; null: all. */
  ids: z.array(z.string()).nullable(),
  allow_partial: z.boolean(),
  created_at: z.string(),
  tool_version: z.string(),
  /** One document for each that is written or deleted. */
  changes: archiveFactsSchema,
  /** Those that are written over or deleted, as they were; null if there are none. */
  pre_images: archiveFactsSchema.nullable(),
  /** Keys of those that held the same as what was created without a known key; null if there are none. */
  bystanders: archiveFactsSchema.nullable(),
  plan_sha256: hex(64),
});

export type RestoreRecord = z.infer<typeof restoreRecordSchema>;

export function encodeRestoreRecord(codec: Codec, fields: Omit<RestoreRecord, 'plan_sha256'>): Uint8Array {
  return encodeRecord(codec, fields, 'plan_sha256');
}

/** Throws RECORD_DAMAGED, FORMAT_UNKNOWN. */
export function parseRestoreRecord(codec: Codec, bytes: Uint8Array, restoreId: string): RestoreRecord {
  const kind: RecordKind = {
    hashMember: 'plan_sha256',
    what: `record of restore ${restoreId}`,
    object: restoreId,
    damageCode: 'RECORD_DAMAGED',
    damageCure: 'Restore a backup that is older than that restore: `list` shows them.',
  };
  return parseRecord(codec, bytes, kind, restoreRecordSchema);
}

/** By which a piece of the id map of a restore is proved: `restores/<restore_id>/idmap-<number>.json`. */
const idMapRecordSchema = z.looseObject({
  format: z.literal(FORMAT),
  restore_id: z.string(),
  idmap: archiveFactsSchema,
  idmap_sha256: hex(64),
});

export function encodeIdMapRecord(
  codec: Codec,
  fields: Omit<z.infer<typeof idMapRecordSchema>, 'idmap_sha256'>,
): Uint8Array {
  return encodeRecord(codec, fields, 'idmap_sha256');
}

/** Throws RECORD_DAMAGED, FORMAT_UNKNOWN. */
export function parseIdMapRecord(codec: Codec, bytes: Uint8Array, restoreId: string) {
  const kind: RecordKind = {
    hashMember: 'idmap_sha256',
    what: `id map of restore ${restoreId}`,
    object: restoreId,
    damageCode: 'RECORD_DAMAGED',
    damageCure: 'Restore a backup that is older than that restore: `list` shows them.',
  };
  return parseRecord(codec, bytes, kind, idMapRecordSchema);
}

/** `YYYYMMDD_HHMMSS_<8 hex>`: untrusted text becomes part of a key only if it is one. */
export function isRestoreId(text: string): boolean {
  return /^\d{8}_\d{6}_[0-9a-f]{8}$/.test(text);
}

/** Milliseconds since 1970; null if the text is no restore id. */
export function restoreStartedAt(text: string): number | null {
  if (!isRestoreId(text)) return null;
  return parseBackupId(`restore_full_${text.slice(0, 'YYYYMMDD_HHMMSS'.length)}`)?.startedAt ?? null;
}
