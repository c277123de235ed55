import type { Compression } from '../kernel/codec.ts';
import type { BackupError } from '../kernel/errors.ts';
import { type BlockLengths, blockLengths } from './block-lengths.ts';

export interface StoredBlock {
  readonly bytes: Buffer;
  readonly rawLength: number;
}

export interface LengthLimits {
  readonly compression: Compression;
  /** Lengths that a block claims are believed up to these sizes of the whole, which the manifest vouches for. */
  readonly fileSize: number;
  readonly rawSize: number;
}

/**
 * Cuts an archive into its compressed blocks. `damaged` makes the error that is thrown where the bytes are no
 * sequence of blocks.
 */
export async function* storedBlocks(
  pieces: AsyncIterable<Uint8Array>,
  limits: LengthLimits,
  damaged: (block: number, what: string, cause?: unknown) => BackupError,
): AsyncGenerator<StoredBlock> {
  let number = 0;
  let pending: Buffer[] = [];
  let length = 0;
  /** With fewer bytes than this the block cannot be whole, or is not worth looking for. */
  let enough = 1;

  const next = (): StoredBlock | null => {
    if (length < enough) return null;
    const all = pending.length === 1 ? pending[0]! : Buffer.concat(pending);
    pending = [all];
    const lengths = believable(all, number);
    // doubling, because where a zstd frame ends is looked for from its beginning every time
    enough = lengths === null ? 2 * length : lengths.storedLength;
    if (lengths === null || length < lengths.storedLength) return null;
    const rest = all.subarray(lengths.storedLength);
    pending = [rest];
    length = rest.length;
    enough = 1;
    number++;
    return { bytes: all.subarray(0, lengths.storedLength), rawLength: lengths.rawLength };
  };

  const believable = (head: Buffer, block: number): BlockLengths | null => {
    let lengths: BlockLengths | null;
    try {
      lengths = blockLengths(limits.compression, head);
    } catch (cause) {
      throw damaged(block, 'does not start as a block does', cause);
    }
    if (lengths === null) return null;
    if (areBelievable(lengths, limits)) return lengths;
    const { storedLength, rawLength } = lengths;
    throw damaged(block, `claims a length that cannot be: ${storedLength} stored, ${rawLength} raw`);
  };

  for await (const piece of pieces) {
    pending.push(Buffer.from(piece));
    length += piece.length;
    for (let block = next(); block !== null; block = next()) yield block;
  }
  enough = 1;
  for (let block = next(); block !== null; block = next()) yield block;
  if (length > 0) throw damaged(number, 'is cut short');
}

/** Whether a block of the whole can have these lengths, which it claims itself. */
export function areBelievable({ storedLength, rawLength }: BlockLengths, limits: LengthLimits): boolean {
  return (
    storedLength > 0 &&
    storedLength <= Math.min(limits.fileSize, storedLengthMax(rawLength)) &&
    rawLength <= limits.rawSize
  );
}

/** More than either compressor makes of incompressible text: a damaged length must not make us read everything. */
function storedLengthMax(rawLength: number): number {
  return rawLength + rawLength / 128 + 1024;
}
