import { z } from 'zod';
import type { BackupType } from './backup-id.ts';
import { ARCHIVE_VERSION, FORMAT } from './manifest.ts';
import { parseInstant } from './time.ts';

/** What an archive of the predecessor says around its documents. */
export interface PredecessorFacts {
  readonly collection: string;
  readonly backupType: BackupType;
  /** End of the export, milliseconds since 1970. */
  readonly endedAt: number;
  readonly documentCount: number;
  /** Its own text; null in a full backup. */
  readonly sinceTimestamp: string | null;
}

/** Exactly the members that it wrote: a file that holds more is another tool's, whose meaning nobody here knows. */
const schema = z
  .strictObject({
    collection: z.string().min(1),
    backup_type: z.enum(['full', 'incremental']),
    timestamp: z.string().transform(parsePythonTime).pipe(z.number()),
    document_count: z.int().nonnegative(),
    since_timestamp: z.string().nullable(),
    version: z.literal(ARCHIVE_VERSION),
    documents: z.array(z.never()),
  })
  .refine(
    ({ backup_type, since_timestamp }) => backup_type === 'incremental' || since_timestamp === null,
    'a full backup has no since_timestamp',
  );

/** @param value the archive without its documents. Throws an Error that says what is wrong with it. */
export function parsePredecessorFacts(value: unknown): PredecessorFacts {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new Error(path.length === 0 ? message : `${path.join('.')}: ${message}`);
  }
  const { collection, backup_type, timestamp, document_count, since_timestamp } = parsed.data;
  return {
    collection,
    backupType: backup_type,
    endedAt: timestamp,
    documentCount: document_count,
    sinceTimestamp: since_timestamp,
  };
}

/** Whether this is what stands around the documents of an archive of ours, of whatever version. */
export function isOwnArchive(value: unknown): boolean {
  const format = (value as { format?: unknown } | null)?.format;
  return typeof format === 'string' && format.startsWith(FORMAT.replace(/\d+$/, ''));
}

/** Python's `isoformat()`: no fraction where it is zero, no zone (UTC) or an offset. NaN if the text is no time. */
function parsePythonTime(text: string): number {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{6}))?(?:Z|([+-])(\d\d):(\d\d))?$/.exec(text);
  if (match === null) return Number.NaN;
  const [, day, time, fraction = '000000', sign, hours = '0', minutes = '0'] = match as unknown as [
    string,
    string,
    string,
    ...(string | undefined)[],
  ];
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return parseInstant(`${day}T${time}.${fraction}Z`) - (sign === '-' ? -offset : offset);
}
