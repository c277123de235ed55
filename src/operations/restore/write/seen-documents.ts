import type { Codec } from '../../../kernel/codec.ts';
import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import { scanKeyText } from '../../../model/shape.ts';
import { movedText } from '../keep/id-map-writer.ts';
import { HASH_BYTES } from '../match/records.ts';
import type { Material } from '../material.ts';
import { LiveDocuments } from '../target/live-documents.ts';
import { ACTION } from './actions.ts';
import { documentsOfActions } from './documents-of-actions.ts';
import { FATE, OUTCOME } from './outcomes.ts';

/** Fates of documents that stand under a key that the plan could not know, where the server chooses keys. */
const INSERTED: readonly number[] = [FATE.created, FATE.insertInDoubt, FATE.existed];

/**
 * The documents that a reading back found otherwise than the plan said, with equal content: under another key, or
 * written by the server in its own way. Memory does not depend on how many these are.
 */
export class SeenDocuments {
  /** ACTION records: the verb is the number of the round, the place that of the new key in `#keys`. */
  readonly #records: SortedRuns;
  readonly #keys: LiveDocuments;
  readonly #serverGivenKeys: boolean;
  #live: LiveDocuments | null = null;
  #round = 0;

  constructor(scratch: Scratch, serverGivenKeys: boolean) {
    this.#records = new SortedRuns(scratch, ACTION.width);
    this.#keys = new LiveDocuments(scratch);
    this.#serverGivenKeys = serverGivenKeys;
  }

  get count(): number {
    return this.#records.count;
  }

  /** @param live where the keys stand of the documents that are added next */
  beginRound(live: LiveDocuments): void {
    this.#round++;
    this.#live = live;
  }

  /**
   * Notes a document if it is other than was planned.
   *
   * @param outcome OUTCOME record; @param payload hash of what is there now; @param place of its key
   */
  async add(outcome: Buffer, payload: Buffer, place: Buffer, sameBytes: boolean): Promise<void> {
    const fate = outcome[OUTCOME.fate]!;
    const hasNewKey = fate === FATE.recreated || (this.#serverGivenKeys && INSERTED.includes(fate));
    if (sameBytes && !hasNewKey) return;
    const key = hasNewKey ? await this.#live!.readKey(place, 0) : null;
    const writePlace = await this.#keys.add(key);
    if (this.#records.full) await this.#records.flush();
    const record = this.#records.slot();
    record.fill(0);
    outcome.copy(record, ACTION.block, OUTCOME.document, OUTCOME.width);
    outcome.copy(record, ACTION.key, OUTCOME.key, OUTCOME.fate);
    record[ACTION.verb] = this.#round;
    writePlace(record, ACTION.place);
    payload.copy(record, ACTION.before, 0, HASH_BYTES);
    this.#records.added();
  }

  /** A JSON text for each (`movedText`). Call once, after the last `add`. */
  async *texts(
    codec: Codec,
    material: Material,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    await this.#keys.seal();
    let last: { readonly document: string; readonly text: Uint8Array } | null = null;
    for await (const { batch, index, action } of documentsOfActions(codec, material, this.#records, signal)) {
      const id = scanKeyText(batch, index, material.shape);
      if (id === null) continue;
      const now = await this.#keys.readKey(action, ACTION.place);
      const seen = action.toString('hex', ACTION.before, ACTION.width);
      const text = movedText(id, now, seen);
      const document = action.toString('latin1', ACTION.block, ACTION.verb);
      // of several rounds the last one counts
      if (last !== null && last.document !== document) yield last.text;
      last = { document, text };
    }
    if (last !== null) yield last.text;
  }

  async close(): Promise<void> {
    await this.#records.close();
    await this.#keys.close();
  }
}
