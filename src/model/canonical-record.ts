import type { z } from 'zod';
import { type Codec, hexOf } from '../kernel/codec.ts';
import { BackupError, type ErrorCode } from '../kernel/errors.ts';
import { canonicalJson } from '../kernel/json/canonical.ts';
import { truncated } from '../kernel/printable.ts';

/** The format that this version writes. A store is read if its records name this one. */
export const FORMAT = 'zerodb-backup/1';

/** Catalogs hold all manifests in memory: a longer record is refused, unread beyond this. */
export const RECORD_BYTES_MAX = 4 << 20;

/** A kind of small record: RFC 8785, with a hash over that form of everything but itself and a signature. */
export interface RecordKind {
  readonly hashMember: string;
  /** For messages: `manifest of users_full_…`. */
  readonly what: string;
  readonly object: string;
  readonly damageCode: ErrorCode;
  readonly damageCure: string;
}

/** The bytes to store. */
export function encodeRecord(codec: Codec, fields: object, hashMember: string): Uint8Array {
  const hash = recordHash(codec, fields);
  return Buffer.from(canonicalJson({ ...fields, [hashMember]: hash }), 'utf8');
}

/**
 * Reads a stored record. Throws the kind's damage code if the bytes are not exactly what a tool of this format stored,
 * FORMAT_UNKNOWN if they are intact but of a form that this version does not know.
 */
export function parseRecord<Parsed>(
  codec: Codec,
  bytes: Uint8Array,
  kind: RecordKind,
  schema: z.ZodType<Parsed>,
): Parsed {
  const { what, object } = kind;
  if (bytes.length > RECORD_BYTES_MAX) {
    throw damaged(kind, `is longer than the ${RECORD_BYTES_MAX} bytes that one may have`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw damaged(kind, 'is not JSON in UTF-8', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw damaged(kind, 'is not a JSON object');
  }
  const { [kind.hashMember]: hash, signature: _signature, ...fields } = value as Record<string, unknown>;
  let canonical: string;
  let computedHash: string;
  try {
    canonical = canonicalJson(value);
    computedHash = recordHash(codec, fields);
  } catch (cause) {
    throw damaged(kind, 'is not in canonical form', cause);
  }
  if (!Buffer.from(canonical, 'utf8').equals(bytes)) throw damaged(kind, 'is not in canonical form');
  if (computedHash !== hash) throw damaged(kind, 'does not match its own hash');
  if (fields.format !== FORMAT) {
    throw formatUnknown(
      `${what} has format ${truncated(JSON.stringify(fields.format) ?? 'none', 50)}`,
      object,
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // its hash is right, so nobody damaged it: a newer tool wrote what this one does not know, encryption for instance
  const issue = parsed.error.issues[0]!;
  const text = `${what} is intact, but not of a form that this version reads: ${issue.path.join('.') || 'record'}: ${issue.message}`;
  throw formatUnknown(text, object);
}

export function damaged(kind: RecordKind, how: string, cause?: unknown): BackupError {
  return new BackupError(kind.damageCode, `${kind.what} ${how}`, {
    object: kind.object,
    cure: kind.damageCure,
    cause,
  });
}

function recordHash(codec: Codec, fields: object): string {
  return hexOf(codec.sha256(Buffer.from(canonicalJson(fields), 'utf8')));
}

function formatUnknown(message: string, object: string): BackupError {
  const cure = `Use a newer zerodb-backup: this one reads ${FORMAT} as it was when it was made.`;
  return new BackupError('FORMAT_UNKNOWN', message, { object, cure });
}
