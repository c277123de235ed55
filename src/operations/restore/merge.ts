import { DocumentHasher } from '../../archive/document-hashes.ts';
import { lineBatch } from '../../archive/document-lines.ts';
import type { BlockBatch } from '../../archive/reader.ts';
import { AppendedFile } from '../../kernel/appended-file.ts';
import { JsonMalformed } from '../../kernel/json/json-malformed.ts';
import { spliceMembers } from '../../kernel/json/members.ts';
import { hasEmptyKey, payload } from '../../model/shape.ts';
import type { Tally } from './counts.ts';
import { liveDocument } from './keep/pre-images.ts';
import { DocumentRecords, writePlace } from './match/records.ts';
import type { Material } from './material.ts';
import type { TargetReading, TargetState } from './target/reading.ts';
import type { UntouchedDocuments } from './untouched.ts';
import { ACTION, Actions, type DocumentPlace } from './write/actions.ts';
import { type DocumentOfAction, documentsOfActions } from './write/documents-of-actions.ts';
import { valueHash } from './write/values.ts';

const BLOCK_BYTES = 1 << 20;
const COMMA_LINE = Buffer.from(',\n');

export interface Merged {
  readonly material: Material;
  readonly actions: Actions;
  close(): Promise<void>;
}

/**
 * Puts the members of the backup's documents into those of the target (bytes of both stay as they are) and yields what
 * is to be written then, in place of the backup: what this leaves as it is counts as the same. A payload that is no
 * object, here or there, is replaced as a whole.
 */
export async function mergeDocuments(
  reading: TargetReading,
  state: TargetState,
  material: Material,
  actions: Actions,
  counts: Tally,
  untouched: UntouchedDocuments | null,
): Promise<Merged> {
  const { scratch, signal, collection } = reading;
  const { codec } = reading.platform;
  const { shape } = material;
  const merged = new MergedDocuments(new AppendedFile(scratch));
  const records = new DocumentRecords(scratch, !collection.traits.serverGivenKeys);
  const mergedActions = new Actions(scratch);
  const close = async (): Promise<void> => {
    await merged.file.close();
    await records.runs.close();
    await mergedActions.close();
  };
  const hasher = new DocumentHasher(codec, shape);
  try {
    for await (const document of documentsOfActions(codec, material, actions.writes, signal)) {
      const { action } = document;
      const key = action.subarray(ACTION.key, ACTION.verb);
      const live = await liveDocument(reading, state, action, ACTION.place);
      const text = live === null ? wholeText(document) : mergedText(material, state, document, live);
      if (text === null) {
        counts.replaced--;
        counts.same++;
        await untouched?.add('same', { key, place: action.subarray(ACTION.block, ACTION.key) });
        continue;
      }
      const { block, index: inBlock } = await merged.add(text);
      const batch = lineBatch(text);
      await records.add(
        hasher.read(batch, 0),
        () => valueHash(codec, batch, 0, shape),
        hasEmptyKey(batch, 0, shape),
        (into, at) => writePlace(into, at, block, inBlock),
      );
      const place = action.subarray(ACTION.place, ACTION.before);
      const isThere = place.readUInt16BE(6) > 0;
      const theirs = isThere ? { place, payload: action.subarray(ACTION.before) } : null;
      await mergedActions.write(action[ACTION.verb]!, { block, index: inBlock }, key, theirs);
    }
    await merged.file.seal();
    return {
      material: { shape, records: records.runs, batches: () => merged.batches() },
      actions: mergedActions,
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function wholeText({ batch, index }: DocumentOfAction): Uint8Array {
  return batch.bytes.subarray(batch.spans.start(index), batch.spans.end(index));
}

/** The backup's document with the merged payload in it; null if that is what the target holds. */
function mergedText(
  { shape }: Material,
  state: TargetState,
  document: DocumentOfAction,
  live: Uint8Array,
): Uint8Array | null {
  const whole = wholeText(document);
  const ours = payload(document.batch, document.index, shape);
  const theirs = payload(lineBatch(live), 0, state.shape);
  const spliced = splicedOrOurs(theirs, ours);
  if (Buffer.compare(spliced, theirs) === 0) return null;
  const start = ours.byteOffset - whole.byteOffset;
  return Buffer.concat([whole.subarray(0, start), spliced, whole.subarray(start + ours.length)]);
}

function splicedOrOurs(theirs: Uint8Array, ours: Uint8Array): Uint8Array {
  try {
    return spliceMembers(theirs, ours) ?? ours;
  } catch (thrown) {
    if (thrown instanceof JsonMalformed) return ours; // kept as it is; it has no members that could be named
    throw thrown;
  }
}

/** Documents in a temporary file, in blocks as an archive has them. */
class MergedDocuments {
  readonly file: AppendedFile;
  /** Where each block begins. */
  readonly #starts: number[] = [];
  #inLast = 0;

  constructor(file: AppendedFile) {
    this.file = file;
  }

  /** Returns where the document is. */
  async add(text: Uint8Array): Promise<DocumentPlace> {
    const { size } = this.file;
    const start = this.#starts.at(-1);
    if (start === undefined || size - start + text.length > BLOCK_BYTES) {
      this.#starts.push(size);
      this.#inLast = 0;
    }
    await this.file.append(text);
    await this.file.append(COMMA_LINE);
    return { block: this.#starts.length - 1, index: this.#inLast++ };
  }

  async *batches(): AsyncGenerator<BlockBatch> {
    for (const [block, start] of this.#starts.entries()) {
      const end = this.#starts[block + 1] ?? this.file.size;
      // a copy: who is done with a batch may take its memory away
      yield { block, ...lineBatch(Buffer.from(await this.file.read(start, end - start))) };
    }
  }
}
