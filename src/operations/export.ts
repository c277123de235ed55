import { readManifest } from '../catalog/catalog.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { ExportReport } from '../model/report.ts';
import { openScratch, type Repository } from '../repository.ts';
import { proveArchive, readArchive } from './verified-reading.ts';

export interface ExportRequest {
  /** `json`: the archive's own text, one JSON object; `ndjson`: the documents, one a line. */
  readonly format: 'json' | 'ndjson';
  /** Where the bytes go; awaited, so that a slow reader slows the export down. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Writes the documents of a backup as plain JSON, after the whole archive was proved good. */
export async function exportBackup(
  repository: Repository,
  backupId: string,
  request: ExportRequest,
  context: OperationContext = {},
): Promise<ExportReport> {
  const { clock } = repository.platform;
  const begun = clock.monotonic();
  const manifest = await readManifest(repository, backupId, context.signal);
  const onEvent = context.onEvent ?? (() => {});
  await proveArchive(repository, await openScratch(repository), manifest, onEvent, context.signal);

  let bytes = 0;
  let documents = 0;
  const write = async (piece: Uint8Array): Promise<void> => {
    bytes += piece.length;
    await request.write(piece);
  };
  const { reader, batches } = readArchive(repository, manifest, context.signal);
  if (request.format === 'json') {
    async function* pieces() {
      yield* repository.store.get(manifest.object_path, undefined, context.signal);
    }
    for await (const block of reader.rawBlocks(pieces())) await write(block.text);
    documents = manifest.document_count;
  } else {
    for await (const batch of batches) {
      await write(asLines(batch.bytes, batch.spans));
      documents += batch.spans.count;
      onEvent({
        type: 'progress',
        object: backupId,
        phase: 'export',
        unit: 'documents',
        done: documents,
        total: manifest.document_count,
      });
    }
  }
  return {
    operation: 'export',
    exit_code: 0,
    duration_ms: Math.round(clock.monotonic() - begun),
    backup_id: backupId,
    document_count: documents,
    bytes,
    warnings: [],
    errors: [],
  };
}

/** The documents of a block, each ended by a line feed: the commas between them fall away. */
function asLines(
  bytes: Uint8Array,
  spans: { count: number; start(index: number): number; end(index: number): number },
): Buffer {
  const lines = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let index = 0; index < spans.count; index++) {
    lines.set(bytes.subarray(spans.start(index), spans.end(index)), length);
    length += spans.end(index) - spans.start(index);
    lines[length++] = 0x0a;
  }
  return lines.subarray(0, length);
}
