import { createHash } from 'node:crypto';

/** Leaves and digests written from docs/format.md §5 alone, to compare with. */

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export function referenceLeaf(key: Uint8Array, bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(key.length);
  return sha256(Buffer.concat([length, key, sha256(bytes)])).subarray(0, 16);
}

export function referenceDigest(leaves: readonly Uint8Array[]): string {
  const sum = leaves.reduce((total, leaf) => total + BigInt(`0x${Buffer.from(leaf).toString('hex')}`), 0n);
  return (sum % (1n << 128n)).toString(16).padStart(32, '0');
}

/** The key of a document that has no usable one. */
export function unkeyed(document: Uint8Array): Buffer {
  return Buffer.from(`sha256:${sha256(document).toString('hex')}`);
}
