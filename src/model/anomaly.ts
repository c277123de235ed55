import { type Manifest, stateCount } from './manifest.ts';

/** What is strange about a backup: the code of its warning, and a sentence. */
export interface Anomaly {
  readonly code:
    | 'COLLECTION_EMPTIED'
    | 'COLLECTION_SHRANK'
    | 'COLLECTION_CHANGED'
    | 'COLLECTION_INCOMPRESSIBLE';
  readonly message: string;
}

export interface AnomalyLimits {
  /** Part of its documents that a collection may lose from one backup to the next. */
  readonly shrinkMax: number;
}

/** Of a smaller collection a few documents are half of it. */
const DOCUMENTS_MIN = 100;
/** Part of the documents of its base that an incremental backup may replace or delete. */
const CHANGE_MAX = 0.5;
/**
 * Stored bytes for each byte of JSON. What was encrypted stands in JSON as base64 (measured: 0.76 after gzip and zstd) or
 * in other letters; no noise in valid text comes above 0.83.
 */
const RATIO_OF_TEXT = 0.5;
const RATIO_OF_NOISE = 0.7;
const NOISE_BYTES_MIN = 1 << 20;

/**
 * What somebody should look at before older backups are given up: a collection that was emptied or shrank, documents
 * that were replaced by the thousand, text that became noise. Null where there is nothing strange.
 *
 * @param before the newest good backup of the collection
 * @param base of an incremental one
 */
export function findAnomaly(
  made: Manifest,
  before: Manifest,
  base: Manifest | null,
  { shrinkMax }: AnomalyLimits,
): Anomaly | null {
  const { collection } = made;
  const count = stateCount(made);
  const countBefore = stateCount(before);
  if (count === 0 && countBefore > 0) {
    return {
      code: 'COLLECTION_EMPTIED',
      message: `collection ${collection} is empty; ${before.backup_id} has ${countBefore} documents of it`,
    };
  }
  if (countBefore > DOCUMENTS_MIN && count < countBefore * (1 - shrinkMax)) {
    return {
      code: 'COLLECTION_SHRANK',
      message: `collection ${collection} shrank to ${count} documents; ${before.backup_id} has ${countBefore}`,
    };
  }
  const changed = base === null ? 0 : replacedOrDeleted(made, base);
  if (base !== null && base.document_count > DOCUMENTS_MIN && changed > base.document_count * CHANGE_MAX) {
    return {
      code: 'COLLECTION_CHANGED',
      message: `${changed} of the ${base.document_count} documents of ${base.backup_id} were changed or deleted`,
    };
  }
  const wasText = before.raw_size > 0 && before.file_size / before.raw_size < RATIO_OF_TEXT;
  if (wasText && made.raw_size > NOISE_BYTES_MIN && made.file_size / made.raw_size > RATIO_OF_NOISE) {
    const percent = Math.round((100 * made.file_size) / made.raw_size);
    return {
      code: 'COLLECTION_INCOMPRESSIBLE',
      message: `documents of ${collection} take ${percent} percent of their size when compressed, as noise does; those of ${before.backup_id} did not`,
    };
  }
  return null;
}

/** Documents of the base that are not in the state of an incremental backup, or in other bytes; new ones do not count. */
function replacedOrDeleted(made: Manifest, base: Manifest): number {
  const inserted = stateCount(made) - (base.document_count - made.deleted_count);
  return made.document_count - inserted + made.deleted_count;
}
