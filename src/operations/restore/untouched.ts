import type { Codec } from '../../kernel/codec.ts';
import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import { nameOfDocument } from '../../model/shape.ts';
import type { Side } from './match/match.ts';
import { RecordCursor } from './match/records.ts';
import type { Material } from './material.ts';
import type { LiveDocuments } from './target/live-documents.ts';
import { ACTION, Actions, placeAt } from './write/actions.ts';
import { documentsOfActions } from './write/documents-of-actions.ts';

const REASONS = ['same', 'unaddressable'] as const;
const PLACE_BYTES = 8;

/** Documents that a plan leaves alone, for people who want to see them all. To be closed. */
export class UntouchedDocuments {
  readonly #ours: Actions;
  readonly #extras: SortedRuns;

  constructor(scratch: Scratch) {
    this.#ours = new Actions(scratch);
    this.#extras = new SortedRuns(scratch, PLACE_BYTES);
  }

  async add(reason: (typeof REASONS)[number], ours: Pick<Side, 'place' | 'key'>): Promise<void> {
    await this.#ours.write(REASONS.indexOf(reason), placeAt(ours.place, 0), ours.key, null);
  }

  async addExtra(theirs: Side): Promise<void> {
    if (this.#extras.full) await this.#extras.flush();
    theirs.place.copy(this.#extras.slot());
    this.#extras.added();
  }

  /** JSON texts of their keys, and why each is left alone. @param material that was matched */
  async *names(
    codec: Codec,
    material: Material,
    live: LiveDocuments,
    signal?: AbortSignal,
  ): AsyncGenerator<{ name: string; reason: string }> {
    for await (const { batch, index, action } of documentsOfActions(
      codec,
      material,
      this.#ours.writes,
      signal,
    ))
      yield { name: nameOfDocument(batch, index, material.shape), reason: REASONS[action[ACTION.verb]!]! };
    for (
      const cursor = await RecordCursor.open(this.#extras);
      cursor.current !== null;
      await cursor.advance()
    ) {
      const key = await live.readKey(cursor.current, 0);
      const name = key === null ? 'a document without a usable key' : Buffer.from(key).toString('utf8');
      yield { name, reason: 'extra' };
    }
  }

  async close(): Promise<void> {
    await this.#ours.close();
    await this.#extras.close();
  }
}
