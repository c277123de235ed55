import { z } from 'zod';
import type { Codec } from '../kernel/codec.ts';
import { BackupError } from '../kernel/errors.ts';
import { canonicalJson } from '../kernel/json/canonical.ts';
import { truncated } from '../kernel/printable.ts';
import { DOCUMENT_SHAPES } from './document.ts';

/** The format that this version writes. A store is read if its records name this one. */
export const FORMAT = 'zerodb-backup/1';

/** The predecessor's constant: its archives and ours carry the same `version`. */
export const ARCHIVE_VERSION = '1.0.0';

/** Catalogs hold all manifests in memory: a longer record is refused, unread beyond this. */
export const RECORD_BYTES_MAX = 4 << 20;

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
export type UnsignedManifest = Omit<Manifest, 'manifest_sha256' | 'signature'>;

/**
 * The bytes to store: RFC 8785, `manifest_sha256` over that form of everything but itself and the signature. Throws
 * SOURCE_TOO_LARGE where no reader would take them: a table's definition is the only member without a bound of its own.
 */
export function encodeManifest(codec: Codec, fields: UnsignedManifest): Uint8Array {
  const text = canonicalJson({ ...fields, manifest_sha256: recordHash(codec, fields) });
  const bytes = Buffer.from(text, 'utf8');
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
  const record = parseRecord(
    codec,
    bytes,
    'manifest_sha256',
    `manifest of ${backupId}`,
    'MANIFEST_DAMAGED',
    backupId,
  );
  const parsed = manifestSchema.safeParse(record);
  if (!parsed.success) throw unknownForm(`manifest of ${backupId}`, backupId, parsed.error);
  if (parsed.data.backup_id !== backupId) {
    const text = `manifest of ${backupId} is that of another backup, ${parsed.data.backup_id}`;
    throw damaged(text, 'MANIFEST_DAMAGED', backupId);
  }
  return parsed.data;
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
  return Buffer.from(canonicalJson({ ...fields, marker_sha256: recordHash(codec, fields) }), 'utf8');
}

export function parseMarker(codec: Codec, bytes: Uint8Array): Marker {
  const record = parseRecord(
    codec,
    bytes,
    'marker_sha256',
    'marker repository.json',
    'MARKER_DAMAGED',
    'repository.json',
  );
  const parsed = markerSchema.safeParse(record);
  if (parsed.success) return parsed.data;
  throw unknownForm('marker repository.json', 'repository.json', parsed.error);
}

type DamageCode = 'MANIFEST_DAMAGED' | 'MARKER_DAMAGED';

/** A record in canonical form with a good hash of a format that this version reads; any other bytes throw. */
function parseRecord(
  codec: Codec,
  bytes: Uint8Array,
  hashMember: string,
  what: string,
  code: DamageCode,
  object: string,
): Record<string, unknown> {
  if (bytes.length > RECORD_BYTES_MAX) {
    throw damaged(`${what} is longer than the ${RECORD_BYTES_MAX} bytes that one may have`, code, object);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw damaged(`${what} is not JSON in UTF-8`, code, object, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw damaged(`${what} is not a JSON object`, code, object);
  }
  const { [hashMember]: hash, signature: _signature, ...fields } = value as Record<string, unknown>;
  let canonical: string;
  let computedHash: string;
  try {
    canonical = canonicalJson(value);
    computedHash = recordHash(codec, fields);
  } catch (cause) {
    throw damaged(`${what} is not in canonical form`, code, object, cause);
  }
  if (!Buffer.from(canonical, 'utf8').equals(bytes))
    throw damaged(`${what} is not in canonical form`, code, object);
  if (computedHash !== hash) throw damaged(`${what} does not match its own hash`, code, object);
  if (fields.format !== FORMAT) {
    throw formatUnknown(
      `${what} has format ${truncated(JSON.stringify(fields.format) ?? 'none', 50)}`,
      object,
    );
  }
  return value as Record<string, unknown>;
}

function recordHash(codec: Codec, fields: object): string {
  return Buffer.from(codec.sha256(Buffer.from(canonicalJson(fields), 'utf8')), 'latin1').toString('hex');
}

function damaged(message: string, code: DamageCode, object: string, cause?: unknown): BackupError {
  return new BackupError(code, message, {
    object,
    cure:
      code === 'MARKER_DAMAGED'
        ? 'Move repository.json out of the store: listing, verifying and restoring work without it.'
        : 'Restore another backup of this collection: `list` shows them; bring this manifest back from another copy of the store.',
    cause,
  });
}

/** Its hash is right, so nobody damaged it: a newer tool wrote what this one does not know, encryption for instance. */
function unknownForm(what: string, object: string, error: z.ZodError): BackupError {
  const issue = error.issues[0]!;
  const text = `${what} is intact, but not of a form that this version reads: ${issue.path.join('.') || 'record'}: ${issue.message}`;
  return formatUnknown(text, object);
}

function formatUnknown(message: string, object: string): BackupError {
  const cure = `Use a newer zerodb-backup: this one reads ${FORMAT} as it was when it was made.`;
  return new BackupError('FORMAT_UNKNOWN', message, { object, cure });
}
