import { BackupError } from '../kernel/errors.ts';
import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';
import type { LogEntry, LoggedChange, LogPage, LogQuery } from '../sources/source.ts';
import { failureOf, isSuccess } from './answers.ts';
import type { Task, ZerodbClient } from './client.ts';
import { readAnswer, withoutMark } from './pages.ts';
import { shownName } from './writes.ts';

const ENTRY = new MemberNames(['id', 'entity_id', 'operation', 'data', 'timestamp']);
const [ENTRY_ID, ENTITY_ID, OPERATION, DATA, TIME] = [0, 1, 2, 3, 4] as const;
const ROW = new MemberNames(['table_id', 'deleted_at', 'data']);
const [TABLE_ID, DELETED_AT, PAYLOAD] = [0, 1, 2] as const;
const ENVELOPE = { names: new MemberNames(['changes', 'total']), listNames: 1 };
const TOTAL = 1;

export interface LogOfTable {
  readonly project: string;
  readonly collection: string;
  readonly tableId: string;
  readonly bytesMax: number;
}

/** Entries of the change log of a project (zerodb-protocol.md §10.2), newest first; with `since`, all that share a time with the last one may be lost. */
export async function readLog(
  client: ZerodbClient,
  { project, collection, tableId, bytesMax }: LogOfTable,
  { limit, offset, since, until }: LogQuery,
  signal: AbortSignal | undefined,
): Promise<LogPage> {
  const query = {
    project_id: project,
    entity_type: 'table_row',
    limit,
    offset,
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
  const request = {
    method: 'GET',
    path: ['v1', 'sync', 'changes'],
    query,
    repeatable: true,
    bodyBytesMax: bytesMax,
    signal,
  } as const;
  const task: Task = { task: `read the change log of ${shownName(collection)}`, object: collection };
  return await readAnswer(client, request, task, (response) => {
    if (!isSuccess(response)) throw failureOf(response, client.about(task));
    return pageOf(withoutMark(response.body), JSON.stringify(tableId));
  });
}

function pageOf(bytes: Uint8Array, tableId: string): LogPage {
  const scanner = new DocumentScanner(ENTRY, ENVELOPE);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  const { spans, envelopeSpans } = scanner;
  const totalText = textOf(bytes.subarray(envelopeSpans[2 * TOTAL], envelopeSpans[2 * TOTAL + 1]));
  if (!/^\d{1,15}$/.test(totalText)) throw new JsonMalformed('the change log does not say how long it is', 0);
  const entries = Array.from({ length: spans.count }, (_, index): LogEntry => {
    const member = (which: number): Uint8Array | null =>
      spans.hasMember(index, which)
        ? bytes.subarray(spans.memberStart(index, which), spans.memberEnd(index, which))
        : null;
    const data = member(DATA);
    const key = member(ENTITY_ID);
    const change =
      data === null || key === null ? null : changeOf(data, key, textOf(member(OPERATION)), tableId);
    return { id: textOf(member(ENTRY_ID)), time: textOf(member(TIME)).replaceAll('"', ''), change };
  });
  return { bytes: bytes.length, total: Number(totalText), entries };
}

/** Null if the row belongs to another table. */
function changeOf(
  data: Uint8Array,
  key: Uint8Array,
  operation: string,
  tableId: string,
): LoggedChange | null {
  const row = new DocumentScanner(ROW, null);
  row.advance(data, data.length);
  row.finish();
  const { spans } = row;
  if (spans.count !== 1) return null;
  const member = (which: number): Uint8Array | null =>
    spans.hasMember(0, which) ? data.subarray(spans.memberStart(0, which), spans.memberEnd(0, which)) : null;
  if (textOf(member(TABLE_ID)) !== tableId) return null;
  const deletedAt = textOf(member(DELETED_AT));
  const isDeletion = operation === '"DELETE"' || (deletedAt !== '' && deletedAt !== 'null');
  return { key, isDeletion, payload: member(PAYLOAD) };
}

function textOf(json: Uint8Array | null): string {
  return json === null ? '' : Buffer.from(json).toString('utf8');
}

/** The id by which the log names a table. */
export async function tableIdOf(
  client: ZerodbClient,
  prefix: readonly string[],
  collection: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const task: Task = { task: `look up ${shownName(collection)}`, object: collection };
  const request = {
    method: 'GET',
    path: [...prefix, 'tables', collection],
    repeatable: true,
    signal,
  } as const;
  const value = await readAnswer(client, request, task, (response): unknown => {
    if (!isSuccess(response)) throw failureOf(response, client.about(task));
    try {
      return JSON.parse(Buffer.from(response.body).toString('utf8'));
    } catch {
      throw new JsonMalformed('it is not JSON', 0);
    }
  });
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : null;
  if (typeof id === 'string') return id;
  throw new BackupError('SOURCE_MALFORMED', `cannot ${task.task}: the answer names no id`, {
    object: collection,
    cure: 'Check that the base URL is that of a zerodb-local server.',
  });
}
