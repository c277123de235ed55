import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Archives as the predecessor wrote them: `json.dump(archive, f, indent=2, default=str)` into `gzip.open(…, 'wt')`, level 9. */

export interface PredecessorArchive {
  readonly collection: string;
  readonly backupType?: 'full' | 'incremental';
  readonly timestamp?: string;
  readonly documentCount?: number;
  readonly sinceTimestamp?: string | null;
  /** JSON text as the server sent it; Python parsed it and printed it again. */
  readonly documents: readonly string[];
}

export function predecessorText(archive: PredecessorArchive): string {
  return pythonDump({
    collection: archive.collection,
    backup_type: archive.backupType ?? 'full',
    timestamp: archive.timestamp ?? '2025-01-09T14:30:02.123456',
    document_count: archive.documentCount ?? archive.documents.length,
    since_timestamp: archive.sinceTimestamp ?? null,
    version: '1.0.0',
    documents: archive.documents.map(parsed),
  });
}

/** As Python's gzip module does, with the name of the file in the header. */
export function pythonGzip(text: string, fileName: string): Buffer {
  const plain = gzipSync(text, { level: 9 });
  const header = Buffer.from(plain.subarray(0, 10));
  header[3] = 8; // FNAME
  header.writeUInt32LE(1_736_433_002, 4);
  header[9] = 0xff;
  return Buffer.concat([
    header,
    Buffer.from(`${fileName.replace(/\.gz$/, '')}\0`, 'latin1'),
    plain.subarray(10),
  ]);
}

export async function writePredecessorFile(path: string, archive: PredecessorArchive): Promise<Buffer> {
  const bytes = pythonGzip(predecessorText(archive), path.slice(path.lastIndexOf('/') + 1));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  return bytes;
}

/** What Python makes of a document: numbers keep their text (which Python does for those that it writes itself). */
export function asPythonPrints(document: string): string {
  return ensureAscii(JSON.stringify(parsed(document)));
}

function pythonDump(value: unknown): string {
  return ensureAscii(JSON.stringify(value, null, 2));
}

interface RawJson {
  rawJSON(text: string): unknown;
}

function parsed(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? (JSON as unknown as RawJson).rawJSON(context!.source!) : value,
  );
}

function ensureAscii(text: string): string {
  return text.replace(
    /[^ -~\n]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
