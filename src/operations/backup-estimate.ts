import type { DocumentBatch } from '../model/document.ts';
import { type Manifest, stateCount } from '../model/manifest.ts';
import { parseInstant } from '../model/time.ts';
import { pageSizeFor } from '../sources/scan/page-reader.ts';

/** What reading a whole collection will take, roughly. */
export interface Estimate {
  readonly documents: number;
  /** Of JSON, as documents are stored. */
  readonly bytes: number;
  readonly requests: number;
  readonly seconds: number;
}

/** What is known when the first documents have come. */
export interface Beginning {
  readonly first: DocumentBatch;
  readonly requests: number;
  readonly elapsedMs: number;
  readonly limitMax: number;
  /** The server's own, which may say how many rows it has. */
  readonly definition: string | null;
  /** The newest backup of this collection. */
  readonly before: Manifest | null;
}

/** Null where nobody said how many documents there are, or nearly all have come already. */
export function estimateBackup(beginning: Beginning): Estimate | null {
  const { first, requests, elapsedMs, limitMax, definition, before } = beginning;
  const { count } = first.spans;
  const documents = first.total ?? rowCount(definition) ?? (before === null ? 0 : stateCount(before));
  if (count === 0 || documents <= 2 * count) return null;
  const inAll = requests + Math.ceil((documents - count) / pageSizeFor(first, limitMax));
  return {
    documents,
    bytes: Math.round((first.bytes.length / count) * documents),
    requests: inAll,
    seconds: Math.ceil(secondsBefore(before, documents) ?? (elapsedMs / requests / 1000) * inAll),
  };
}

/** At the rate of the last backup, which knows how long a larger page takes, and what limits there were. */
function secondsBefore(before: Manifest | null, documents: number): number | null {
  if (before === null || stateCount(before) === 0) return null;
  const { start, end } = before.window;
  return ((parseInstant(end) - parseInstant(start)) / 1000 / stateCount(before)) * documents;
}

function rowCount(definition: string | null): number | null {
  try {
    const { row_count } = JSON.parse(definition ?? '{}') as { readonly row_count?: unknown };
    return Number.isSafeInteger(row_count) ? (row_count as number) : null;
  } catch {
    return null;
  }
}
