import { z } from 'zod';
import type { Codec } from '../kernel/codec.ts';
import { encodeRecord, FORMAT, parseRecord } from './canonical-record.ts';

/**
 * What a run is about to do to a store (docs/adr/0006-lease.md):
 * - `shared`: add objects; any number of such runs at a time
 * - `exclusive`: remove some; alone
 */
export const LEASE_KINDS = ['shared', 'exclusive'] as const;
export type LeaseKind = (typeof LEASE_KINDS)[number];

/** Who holds a lease. For people, and for other processes of the same machine. */
const ownerSchema = z.looseObject({
  format: z.literal(FORMAT),
  operation: z.string(),
  hostname: z.string(),
  /** Where `pid` is the number of one process: a machine since it was started, or a container on it. */
  process_space: z.string(),
  pid: z.int(),
  /** RFC 3339. */
  created_at: z.string(),
  lease_sha256: z.string(),
});
export type LeaseOwner = z.infer<typeof ownerSchema>;

export function encodeLeaseOwner(codec: Codec, fields: Omit<LeaseOwner, 'lease_sha256'>): Uint8Array {
  return encodeRecord(codec, fields, 'lease_sha256');
}

/** Throws RECORD_DAMAGED, FORMAT_UNKNOWN. */
export function parseLeaseOwner(codec: Codec, bytes: Uint8Array, key: string): LeaseOwner {
  const kind = {
    hashMember: 'lease_sha256',
    what: `lease ${key}`,
    object: key,
    damageCode: 'RECORD_DAMAGED' as const,
    damageCure: 'Wait a minute: what nobody renews is removed by the next run that it is in the way of.',
  };
  return parseRecord(codec, bytes, kind, ownerSchema);
}
