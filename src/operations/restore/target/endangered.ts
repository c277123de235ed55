import type { DocumentHashes } from '../../../archive/document-hashes.ts';
import type { SortedRuns } from '../../../kernel/sorted-runs.ts';
import { MOVED } from '../keep/saved-id-maps.ts';
import { HASH_BYTES, RECORD, RecordCursor } from '../match/records.ts';
import { HashFilter } from './hash-filter.ts';

/**
 * Tells, while the target is read, which of its documents a restore may write over or delete, so that just these are
 * kept: those that the backup knows by key or id, unless it holds them as they are. Memory does not grow with either
 * side. It may pass some over (HashFilter), which are then fetched by their keys before they are written over.
 */
export class EndangeredDocuments {
  readonly #names = new HashFilter();
  readonly #contents = new HashFilter();
  readonly #deletesOthers: boolean;

  /** @param deletesOthers whether documents that the backup does not know are deleted */
  constructor(deletesOthers: boolean) {
    this.#deletesOthers = deletesOthers;
  }

  /** Notes a document of the backup. */
  add({ scanKeyHash, logicalIdHash, payloadHash }: DocumentHashes): void {
    this.#names.add(scanKeyHash);
    this.#contents.add(scanKeyHash, payloadHash);
    if (logicalIdHash === scanKeyHash) return;
    this.#names.add(logicalIdHash);
    this.#contents.add(logicalIdHash, payloadHash);
  }

  /** Notes documents that are in danger whatever the target holds. @param records RECORD */
  async addRecords(records: SortedRuns): Promise<void> {
    await this.#addNames(records, RECORD.key);
    await this.#addNames(records, RECORD.identity);
  }

  /** Notes where documents of the backup may be. @param moved MOVED */
  async addMoved(moved: SortedRuns): Promise<void> {
    await this.#addNames(moved, MOVED.to);
  }

  async #addNames(records: SortedRuns, at: number): Promise<void> {
    for (const cursor = await RecordCursor.open(records); cursor.current !== null; await cursor.advance())
      this.#names.add(cursor.current.toString('latin1', at, at + HASH_BYTES));
  }

  /** Whether this document of the target may be written over or deleted. */
  has({ scanKeyHash, logicalIdHash, payloadHash }: DocumentHashes): boolean {
    if (!this.#names.mayHold(scanKeyHash) && !this.#names.mayHold(logicalIdHash)) return this.#deletesOthers;
    return !(
      this.#contents.mayHold(scanKeyHash, payloadHash) || this.#contents.mayHold(logicalIdHash, payloadHash)
    );
  }
}
