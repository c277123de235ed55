import { z } from 'zod';
import type { Codec } from '../kernel/codec.ts';
import { BackupError } from '../kernel/errors.ts';
import {
  damaged,
  encodeRecord,
  FORMAT,
  parseRecord,
  RECORD_BYTES_MAX,
  type RecordKind,
} from './canonical-record.ts';
import { DOCUMENT_SHAPES } from './document.ts';

export { FORMAT, RECORD_BYTES_MAX };

/** The predecessor's constant: its archives and ours carry the same `version`. */
export const ARCHIVE_VERSION = '1.0.0';

const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${length}}$`));
const count = z.int().nonnegative();
const plainTime = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
const instant = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);

/**
 * The record whose presence makes a backup exist (design.md §5.4; every field is explained in docs/format.md).
 * Members unknown to this version are kept and covered by `manifest_sha256`.
 */
const manifestSchema = z.looseObject({
  format: z.literal(FORMAT),
  backup_id: z.string(),
  run_id: z.string(),
  collection: z.string(),
  backup_type: z.enum(['full', 'incremental']),
  base_backup_id: z.string().nullable(),
  file_name: z.string(),
  object_path: z.string(),
  file_size: count,
  document_count: count,
  deleted_count: count,
  status: z.enum(['completed', 'incomplete']),
  version: z.literal(ARCHIVE_VERSION),
  created_at: plainTime,
  completed_at: plainTime,
  source: z.looseObject({ host: z.string(), project: z.string().nullable(), dialect: z.string() }),
  window: z.looseObject({ start: instant, end: instant }),
  consistency: z.enum(['point', 'window', 'unproven']),
  /** What is missing or suspected missing, one sentence each; empty exactly for a completed backup. */
  missing: z.array(z.string()),
  document_shape: z.enum(DOCUMENT_SHAPES),
  table_definition: z.string().nullable(),
  not_included: z.array(z.string()),
  raw_size: count,
  line_breaks_replaced: count,
  unkeyed_count: count,
  invalid_utf8_count: count,
  sha256: hex(64),
  index: z.looseObject({ size: count, sha256: hex(64), header_size: count, header_sha256: hex(64) }),
  documents_digest: hex(32),
  content_digest: hex(32),
  state_count: count.optional(),
  state_digest: hex(32).optional(),
  compression: z.enum(['gzip', 'zstd']),
  encryption: z.null(),
  tool_version: z.string(),
  /** The predecessor's file that this backup was made of; in no other backup. */
  adopted_from: z
    .looseObject({
      file_name: z.string(),
      object_path: z.string().nullable(),
      file_size: count,
      sha256: hex(64),
    })
    .optional(),
  manifest_sha256: hex(64),
  signature: z.string().optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;
/** Documents of the collection at the time of a backup: of an incremental one those of its base that stayed count too. */
export function stateCount({ state_count, document_count }: Manifest): number {
  return state_count ?? document_count;
}

export type UnsignedManifest = Omit<Manifest, 'manifest_sha256' | 'signature'>;

/**
 * The bytes to store. Throws SOURCE_TOO_LARGE where no reader would take them: a table's definition is the only member
 * without a bound of its own.
 */
export function encodeManifest(codec: Codec, fields: UnsignedManifest): Uint8Array {
  const bytes = encodeRecord(codec, fields, 'manifest_sha256');
  if (bytes.length <= RECORD_BYTES_MAX) return bytes;
  throw new BackupError('SOURCE_TOO_LARGE', `a manifest of ${bytes.length} bytes is too large`, {
    object: String(fields.collection),
    cure: `Make the definition of the table smaller: a manifest has at most ${RECORD_BYTES_MAX} bytes.`,
  });
}

/**
 * Reads a stored manifest. Throws MANIFEST_DAMAGED if the bytes are not exactly what a tool of this format stored
 * under `backupId`, FORMAT_UNKNOWN if they are intact but of a form that this version does not know.
 */
export function parseManifest(codec: Codec, bytes: Uint8Array, backupId: string): Manifest {
  const kind: RecordKind = {
    hashMember: 'manifest_sha256',
    what: `manifest of ${backupId}`,
    object: backupId,
    damageCode: 'MANIFEST_DAMAGED',
    damageCure:
      'Restore another backup of this collection: `list` shows them; bring this manifest back from another copy of the store.',
  };
  const manifest = parseRecord(codec, bytes, kind, manifestSchema);
  if (manifest.backup_id !== backupId)
    throw damaged(kind, `is that of another backup, ${manifest.backup_id}`);
  return manifest;
}

/** Who a store belongs to: `repository.json`, stored in the same way as a manifest. */
const markerSchema = z.looseObject({
  format: z.literal(FORMAT),
  repository_id: hex(32),
  created_at: instant,
  source: z.looseObject({ host: z.string(), project: z.string().nullable() }),
  marker_sha256: hex(64),
});
export type Marker = z.infer<typeof markerSchema>;

export function encodeMarker(codec: Codec, fields: Omit<Marker, 'marker_sha256'>): Uint8Array {
  return encodeRecord(codec, fields, 'marker_sha256');
}

export function parseMarker(codec: Codec, bytes: Uint8Array): Marker {
  const kind: RecordKind = {
    hashMember: 'marker_sha256',
    what: 'marker repository.json',
    object: 'repository.json',
    damageCode: 'MARKER_DAMAGED',
    damageCure: 'Move repository.json out of the store: listing, verifying and restoring work without it.',
  };
  return parseRecord(codec, bytes, kind, markerSchema);
}
