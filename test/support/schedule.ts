import { BackupError } from '../../src/kernel/errors.ts';
import { openScratchIn } from '../../src/kernel/scratch.ts';
import type { Scratch } from '../../src/kernel/sorted-runs.ts';
import type { DocumentBatch } from '../../src/model/document.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import type { Finding } from '../../src/sources/scan/finding.ts';
import { ScheduleServer, TooManyRequests } from './schedule-server.ts';
import type { ScheduleSettings, WriterOperation } from './schedule-settings.ts';

/** Something that reads a collection: the scan, a scan with a defect, or plain offset paging. */
export type Reader = (
  server: ScheduleServer,
  context: { readonly scratch: Scratch; readonly withoutKeyset: boolean },
) => Reading;

/** `restart`: what was yielded must be thrown away. */
export type Reading = AsyncGenerator<DocumentBatch, Finding | 'restart'>;

export interface Outcome {
  readonly settings: ScheduleSettings;
  /** What breaks the promise; null if it was kept. */
  readonly violation: string | null;
  /** How it ended: `proved`, `missing` (proved but for documents that are named), `unproven`, or an error's code. */
  readonly end: string;
  /** Documents that were there, unchanged, all the time and were not received. */
  readonly lost: number;
  readonly way: string;
  readonly requests: number;
  readonly idealRequests: number;
  readonly mostDocuments: number;
  readonly operations: ReadonlyMap<WriterOperation, number>;
}

const { codec, files } = createPlatform();

export { codec };

/** Runs one schedule and judges it. Kept deliberately dumb: it knows nothing of how scans work. */
export async function runSchedule(
  settings: ScheduleSettings,
  read: Reader,
  directory: string,
): Promise<Outcome> {
  const server = new ScheduleServer(settings);
  const { documents } = server;
  const scratch = await openScratchIn(files, directory);
  let texts: string[] = [];
  let finding: Finding | 'restart' | null = null;
  let error: unknown = null;
  let windowStart = 0;
  const { clamp, limitMax } = settings;
  const pageSize = clamp > 0 ? Math.min(clamp, limitMax) : limitMax;
  const idealOf = (count: number) => Math.ceil(count / pageSize) + 2;
  const ideal = () => idealOf(documents.mostAlive);
  /** What must do. One document that fails all answers that hold it takes a search each time. */
  const isTroubled = settings.unreadable || settings.largeShare > 0;
  const requestsMax = (needed: number) => (isTroubled ? 4 : 1) * (40 * needed + 200);
  for (const withoutKeyset of [false, true]) {
    documents.openWindow();
    windowStart = server.requests;
    server.requestsMax = windowStart + requestsMax(idealOf(2 * settings.documents + 3 * limitMax));
    texts = [];
    try {
      finding = await drain(read(server, { scratch, withoutKeyset }), texts);
    } catch (thrown) {
      error = thrown;
    }
    if (finding !== 'restart') break;
  }

  const requests = server.requests - windowStart;
  const received = counted(texts);
  const required = counted(documents.steady.map(({ text }) => text));
  let lost = 0;
  for (const [text, times] of required) lost += Math.max(0, times - (received.get(text) ?? 0));
  const facts = {
    settings,
    lost,
    requests,
    idealRequests: ideal(),
    mostDocuments: documents.mostAlive,
    operations: server.writer.done,
    way: finding === null || finding === 'restart' ? 'none' : (finding.way ?? 'none'),
  };
  if (error !== null) {
    const code = error instanceof BackupError ? error.code : 'failed';
    return { ...facts, end: code, violation: violationOfError(settings, error, requests, ideal()) };
  }
  if (finding === null || finding === 'restart') {
    return { ...facts, end: 'restart', violation: 'restarted twice' };
  }
  const end = !finding.proved ? 'unproven' : finding.missing.length > 0 ? 'missing' : 'proved';
  return { ...facts, end, violation: violationOf() };

  function violationOf(): string | null {
    for (const [text, times] of received) {
      if (!documents.everSeen.has(text)) return `received what never existed: ${text}`;
      if (times > (settings.twins ? (required.get(text) ?? times) : 1))
        return `received ${times} times: ${text}`;
    }
    const keys = counted(texts.map((text) => /"(?:row_)?id":("[^"]*"|[^,]*)/.exec(text)?.[1] ?? text));
    const repeated = [...keys].find(([key, times]) => times > 1 && !key.startsWith('{'));
    if (repeated !== undefined) return `received key ${repeated[0]} ${repeated[1]} times`;
    if (end === 'proved' && lost > 0)
      return `proved, but ${lost} of ${documents.steady.length} steady documents are lost`;
    if (end === 'unproven' && (finding as Finding).reason === undefined) return 'unproven without a reason';
    if (requests > requestsMax(ideal())) return `${requests} requests where ${ideal()} are ideal`;
    return null;
  }
}

function violationOfError(
  settings: ScheduleSettings,
  error: unknown,
  requests: number,
  ideal: number,
): string | null {
  if (error instanceof TooManyRequests) return `no end after ${requests} requests where ${ideal} are ideal`;
  if (!(error instanceof BackupError))
    return `failed: ${error instanceof Error ? error.stack : String(error)}`;
  // a dropped collection cannot be opened anew
  if (error.code === 'SOURCE_NOT_FOUND' && settings.operations.includes('drop')) return null;
  if (settings.offsetIgnored && (error.code === 'SOURCE_OFFSET_IGNORED' || settings.unreadable)) return null;
  return `failed with ${error.code}: ${error.message}`;
}

async function drain(reading: Reading, texts: string[]): Promise<Finding | 'restart'> {
  for (;;) {
    const next = await reading.next();
    if (next.done === true) return next.value;
    const { bytes, spans } = next.value;
    for (let index = 0; index < spans.count; index++) {
      texts.push(Buffer.from(bytes.subarray(spans.start(index), spans.end(index))).toString('utf8'));
    }
  }
}

function counted(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
