import { keyOfUnkeyed } from '../../../archive/digest.ts';
import type { BlockBatch } from '../../../archive/reader.ts';
import type { Codec } from '../../../kernel/codec.ts';
import { BackupError } from '../../../kernel/errors.ts';
import { decodedKey } from '../../../kernel/json/strings.ts';
import type { SortedRuns } from '../../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../../model/document.ts';
import { isNumericKey, scanKeyText } from '../../../model/shape.ts';
import { HASH_BYTES, RecordCursor, sameBytes, writeKey } from '../match/records.ts';
import type { Material } from '../material.ts';
import { ACTION, placeAt } from './actions.ts';

export interface DocumentOfAction {
  readonly batch: BlockBatch;
  readonly index: number;
  /** ACTION record; a view that is valid until the next one is asked for. */
  readonly action: Buffer;
}

/**
 * The documents that actions are about, in the order in which they are stored. Throws ARCHIVE_DAMAGED where others stand
 * there than when the actions were made.
 */
export async function* documentsOfActions(
  codec: Codec,
  material: Pick<Material, 'batches' | 'shape'>,
  actions: SortedRuns,
  signal: AbortSignal | undefined,
): AsyncGenerator<DocumentOfAction> {
  const cursor = await RecordCursor.open(actions);
  const key = Buffer.alloc(HASH_BYTES);
  for await (const batch of material.batches(signal)) {
    while (cursor.current !== null) {
      const { block, index } = placeAt(cursor.current, ACTION.block);
      if (block > batch.block) break;
      if (block === batch.block && index < batch.spans.count)
        writeKeyOf(codec, material.shape, batch, index, key);
      else key.fill(0);
      if (!sameBytes(key, 0, cursor.current, ACTION.key, HASH_BYTES)) throw changed(block);
      yield { batch, index, action: cursor.current };
      await cursor.advance();
    }
    if (cursor.current === null) return;
  }
  if (cursor.current !== null) throw changed(cursor.current.readUInt32BE(ACTION.block));
}

/** The key of a document as records have it. */
function writeKeyOf(
  codec: Codec,
  shape: DocumentShape,
  batch: BlockBatch,
  index: number,
  into: Buffer,
): void {
  const { bytes, spans } = batch;
  const text = scanKeyText(batch, index, shape);
  const key =
    text === null
      ? keyOfUnkeyed(codec.sha256(bytes.subarray(spans.start(index), spans.end(index))))
      : decodedKey(text, 0, text.length);
  writeKey(into, 0, codec.sha256(key), isNumericKey(text));
}

function changed(block: number): BackupError {
  return new BackupError('ARCHIVE_DAMAGED', `block ${block} of the archive changed while it was read`, {
    cure: 'Check the disk or the storage service, then run the same command again.',
  });
}
