import { headerText, TRAILER_START, trailerEnd } from '../archive/format.ts';
import { readManifest } from '../catalog/catalog.ts';
import type { OperationContext } from '../kernel/events.ts';
import type { DocumentSpans } from '../kernel/json/document-spans.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ExportReport } from '../model/report.ts';
import { openScratch, type Repository } from '../repository.ts';
import { isOnBase, proveState } from './state-reading.ts';
import { readArchive } from './verified-reading.ts';

export interface ExportRequest {
  /** `json`: the archive's own text, one JSON object; of an incremental backup that of its whole state; `ndjson`: the documents, one a line. */
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
  const state = await proveState(
    repository,
    await openScratch(repository),
    manifest,
    onEvent,
    context.signal,
  );

  let bytes = 0;
  let documents = 0;
  const write = async (piece: Uint8Array): Promise<void> => {
    bytes += piece.length;
    await request.write(piece);
  };
  if (request.format === 'json' && !isOnBase(manifest)) {
    const { reader } = readArchive(repository, manifest, context.signal);
    const pieces = repository.store.get(manifest.object_path, undefined, context.signal);
    for await (const block of reader.rawBlocks(pieces)) await write(block.text);
    documents = manifest.document_count;
  } else {
    const lines = request.format === 'json' ? new StateText(manifest) : NDJSON;
    await write(lines.start);
    for await (const { bytes: text, spans } of state.batches(context.signal)) {
      await write(lines.of(text, spans));
      documents += spans.count;
      onEvent({
        type: 'progress',
        object: backupId,
        phase: 'export',
        unit: 'documents',
        done: documents,
        total: state.documentCount,
      });
    }
    await write(lines.end);
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

/** How documents become text. */
interface Lines {
  readonly start: Uint8Array;
  of(bytes: Uint8Array, spans: DocumentSpans): Uint8Array;
  readonly end: Uint8Array;
}

const NOTHING = Buffer.alloc(0);
const LINE_FEED = Buffer.from('\n');
const COMMA_LINE = Buffer.from(',\n');

const NDJSON: Lines = {
  start: NOTHING,
  of: (bytes, spans) => joined(bytes, spans, NOTHING, LINE_FEED),
  end: NOTHING,
};

/** A state that is in two archives, in the form of one: what a full backup of this moment would be. */
class StateText implements Lines {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  #isFirst = true;

  constructor(manifest: Manifest) {
    this.start = Buffer.from(
      headerText({
        backupId: manifest.backup_id,
        collection: manifest.collection,
        backupType: 'full',
        timestamp: manifest.created_at,
        sinceTimestamp: null,
        baseBackupId: null,
        shape: manifest.document_shape,
      }),
    );
    const { state_count, state_digest } = manifest;
    const lineBreak = state_count === 0 ? '' : '\n';
    this.end = Buffer.from(`${lineBreak}${TRAILER_START}${trailerEnd(state_count!, state_digest!)}`);
  }

  of(bytes: Uint8Array, spans: DocumentSpans): Uint8Array {
    const text = joined(bytes, spans, COMMA_LINE, NOTHING);
    const first = this.#isFirst;
    this.#isFirst = false;
    return first ? text.subarray(COMMA_LINE.length) : text;
  }
}

function joined(bytes: Uint8Array, spans: DocumentSpans, before: Buffer, behind: Buffer): Buffer {
  const parts: Uint8Array[] = [];
  for (let index = 0; index < spans.count; index++) {
    parts.push(before, bytes.subarray(spans.start(index), spans.end(index)), behind);
  }
  return Buffer.concat(parts);
}
