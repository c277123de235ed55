import { DocumentScanner } from '../kernel/json/document-scanner.ts';
import { type DocumentBatch, MEMBERS } from '../model/document.ts';

/** Long enough for an ArchiveWriter to give its memory back at once. */
const BATCH_BYTES = 256 * 1024;
const COMMA_LINE = Buffer.from(',\n');

/**
 * Documents as batches of some 256 KB, for an ArchiveWriter. Each must be one JSON value without line breaks. A batch is
 * valid until the next is asked for.
 */
export async function* batchesOf(documents: AsyncIterable<Uint8Array>): AsyncGenerator<DocumentBatch> {
  // one for all: its spans are as long as the batch, and would be garbage each time
  const scanner = new DocumentScanner(MEMBERS, null);
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const document of documents) {
    parts.push(document, COMMA_LINE);
    bytes += document.length + COMMA_LINE.length;
    if (bytes < BATCH_BYTES) continue;
    yield scanned(scanner, Buffer.concat(parts));
    parts = [];
    bytes = 0;
  }
  if (parts.length > 0) yield scanned(scanner, Buffer.concat(parts));
}

/** Documents on lines of their own, as a batch; a view of the bytes. */
export function lineBatch(bytes: Uint8Array): DocumentBatch {
  return scanned(new DocumentScanner(MEMBERS, null), bytes);
}

function scanned(scanner: DocumentScanner, bytes: Uint8Array): DocumentBatch {
  scanner.restart(0);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  return { bytes, spans: scanner.spans };
}
