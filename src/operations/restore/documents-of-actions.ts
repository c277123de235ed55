import { keyOfUnkeyed } from '../../archive/digest.ts';
import type { BlockBatch } from '../../archive/reader.ts';
import type { Codec } from '../../kernel/codec.ts';
import { decodedKey } from '../../kernel/json/strings.ts';
import type { SortedRuns } from '../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../model/document.ts';
import { isNumericKey, scanKeyText } from '../../model/shape.ts';
import { ACTION } from './actions.ts';
import type { Material } from './material.ts';
import { HASH_BYTES, RecordCursor, sameBytes, writeKey } from './records.ts';

export interface DocumentOfAction {
  readonly batch: BlockBatch;
  readonly index: number;
  /** ACTION record. */
  readonly action: Buffer;
}

/** The documents that actions are about, in the order in which they are stored. */
export async function* documentsOfActions(
  codec: Codec,
  { shape, batches }: Pick<Material, 'shape' | 'batches'>,
  actions: SortedRuns,
  signal: AbortSignal | undefined,
): AsyncGenerator<DocumentOfAction> {
  const cursor = await RecordCursor.open(actions);
  for await (const batch of batches(signal)) {
    const ofBlock = await actionsOfBlock(cursor, batch.block);
    if (ofBlock.size === 0) continue;
    for (let index = 0; index < batch.spans.count; index++) {
      const action = ofBlock.get(recordKey(codec, shape, batch, index));
      if (action !== undefined) yield { batch, index, action };
    }
  }
}

/** The key of a document as records have it (latin1). */
function recordKey(codec: Codec, shape: DocumentShape, batch: BlockBatch, index: number): string {
  const { bytes, spans } = batch;
  const text = scanKeyText(batch, index, shape);
  const key =
    text === null
      ? keyOfUnkeyed(codec.sha256(bytes.subarray(spans.start(index), spans.end(index))))
      : decodedKey(text, 0, text.length);
  const record = Buffer.alloc(HASH_BYTES);
  writeKey(record, 0, codec.sha256(key), isNumericKey(text));
  return record.toString('latin1');
}

/** The actions of one block by scan key hash (latin1). Blocks are asked for in ascending order. */
async function actionsOfBlock(cursor: RecordCursor, block: number): Promise<ReadonlyMap<string, Buffer>> {
  const actions = new Map<string, Buffer>();
  const wanted = Buffer.alloc(4);
  wanted.writeUInt32BE(block);
  while (cursor.current !== null && cursor.current.compare(wanted, 0, 4, 0, 4) < 0) await cursor.advance();
  while (cursor.current !== null && sameBytes(cursor.current, 0, wanted, 0, 4)) {
    actions.set(
      cursor.current.toString('latin1', ACTION.key, ACTION.key + HASH_BYTES),
      Buffer.from(cursor.current),
    );
    await cursor.advance();
  }
  return actions;
}
