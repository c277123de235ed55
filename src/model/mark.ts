import { z } from 'zod';
import type { Codec } from '../kernel/codec.ts';
import { encodeRecord, FORMAT, parseRecord } from './canonical-record.ts';

/**
 * What is noted beside a backup after it was made (docs/format.md):
 * - `pin`: it stays whatever the policy
 * - `anomaly`: something about it is strange; it is not good, and nothing of its collection is removed, until `ack`
 * - `ack`: somebody has looked at the anomaly
 * - `bad`: a verification has found it damaged
 */
export const MARK_KINDS = ['pin', 'anomaly', 'ack', 'bad'] as const;
export type MarkKind = (typeof MARK_KINDS)[number];

const markSchema = z.looseObject({
  format: z.literal(FORMAT),
  backup_id: z.string(),
  kind: z.enum(MARK_KINDS),
  /** RFC 3339. */
  created_at: z.string(),
  /** For people. */
  reason: z.string().nullable(),
  mark_sha256: z.string(),
});
export type Mark = z.infer<typeof markSchema>;

export function encodeMark(codec: Codec, fields: Omit<Mark, 'mark_sha256'>): Uint8Array {
  return encodeRecord(codec, fields, 'mark_sha256');
}

export function parseMark(codec: Codec, bytes: Uint8Array, backupId: string): Mark {
  const kind = {
    hashMember: 'mark_sha256',
    what: `mark of ${backupId}`,
    object: backupId,
    damageCode: 'RECORD_DAMAGED' as const,
    damageCure: 'Look at the file under marks/ in the store, and remove it if nobody needs it.',
  };
  return parseRecord(codec, bytes, kind, markSchema);
}
