import { DocumentScanner } from '../kernel/json/document-scanner.ts';
import { type DocumentBatch, MEMBERS } from '../model/document.ts';

const BATCH_BYTES = 128 * 1024;
const COMMA_LINE = Buffer.from(',\n');

/** Documents as batches of some 100 KB, for an ArchiveWriter. Each must be one JSON value without line breaks. */
export async function* batchesOf(documents: AsyncIterable<Uint8Array>): AsyncGenerator<DocumentBatch> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const document of documents) {
    parts.push(document, COMMA_LINE);
    bytes += document.length + COMMA_LINE.length;
    if (bytes < BATCH_BYTES) continue;
    yield lineBatch(Buffer.concat(parts));
    parts = [];
    bytes = 0;
  }
  if (parts.length > 0) yield lineBatch(Buffer.concat(parts));
}

/** Documents on lines of their own, as a batch; a view of the bytes. */
export function lineBatch(bytes: Uint8Array): DocumentBatch {
  const scanner = new DocumentScanner(MEMBERS, null);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  return { bytes, spans: scanner.spans };
}
