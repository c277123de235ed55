import type { BlockBatch } from '../../archive/reader.ts';
import type { SortedRuns } from '../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../model/document.ts';

/** Documents that are to be written: those of a backup, or of what a restore wrote over. */
export interface Material {
  readonly shape: DocumentShape;
  /** One record (RECORD) a document; its place is the block. */
  readonly records: SortedRuns;
  /** Reads the documents once more, block by block in ascending order. */
  batches(signal?: AbortSignal): AsyncIterable<BlockBatch>;
}
