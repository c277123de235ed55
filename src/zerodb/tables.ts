import { BackupError } from '../kernel/errors.ts';
import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';
import { printable, truncated } from '../kernel/printable.ts';
import type { ListedCollection, Page } from '../sources/source.ts';
import { errorFields, failureOf, isSuccess, saysExists } from './answers.ts';
import type { ZerodbClient } from './client.ts';
import { jsonParts } from './json-text.ts';
import { readList } from './pages.ts';
import { shownName } from './writes.ts';

const MEMBERS = new MemberNames(['table_name', 'name', 'schema', 'schema_definition', 'description']);
const [TABLE_NAME, NAME, SCHEMA, SCHEMA_DEFINITION, DESCRIPTION] = [0, 1, 2, 3, 4];

/** What every source of dialect B accepts, and the most that any does. */
const LIMITS = [100, 1000] as const;

/** A list that changes while it is read is read again, this many times at most. */
const PASSES_MAX = 5;

const TASK = { task: 'list the tables of the project' };

/**
 * Every table of the project; null if the server cannot list them. Pages are read until one is empty; where it takes
 * more than one, a second pass must find the same tables, because one deleted in between moves others out of sight.
 */
export async function listTables(
  client: ZerodbClient,
  prefix: readonly string[],
  signal?: AbortSignal,
): Promise<readonly ListedCollection[] | null> {
  if (!(await canList(client, prefix, signal))) return null;
  let before: string | null = null;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const { tables, pages } = await readTables(client, prefix, signal);
    const names = JSON.stringify(tables.map(({ name }) => name).toSorted());
    if (pages <= 1 || names === before) return tables;
    before = names;
  }
  throw new BackupError('SOURCE_FAILED', `cannot ${TASK.task}: it keeps changing while it is read`, {
    temporary: true,
    cure: 'Run the same command again when no tables are being created or deleted.',
  });
}

/** False only where the route itself is missing: a project that is missing is an error, and so is all else. */
async function canList(
  client: ZerodbClient,
  prefix: readonly string[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const query = { skip: 0, offset: 0, limit: 1 };
  const request = { method: 'GET', path: [...prefix, 'tables'], query, repeatable: true, signal } as const;
  const response = await client.send(request, TASK);
  if (response.status !== 404 && response.status !== 405) return true;
  return errorFields(response).code === 'PROJECT_NOT_FOUND';
}

interface Tables {
  readonly tables: readonly ListedCollection[];
  /** Answers that held something. */
  readonly pages: number;
}

async function readTables(
  client: ZerodbClient,
  prefix: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Tables> {
  for (const limit of LIMITS) {
    const found = await readPages(client, prefix, limit, signal);
    if (found !== null) return found;
  }
  throw new BackupError('SOURCE_OFFSET_IGNORED', `cannot ${TASK.task}: every page is page one`, {
    cure: 'Name the collections with --collections: the server does not list more than its first page.',
  });
}

/** Null if the server ignores where a page should start and there may be more than it shows. */
async function readPages(
  client: ZerodbClient,
  prefix: readonly string[],
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Tables | null> {
  const tables = new Map<string, ListedCollection>();
  let offset = 0;
  for (let pages = 0; ; pages++) {
    // some servers read the one, some the other (zerodb-protocol.md §12, row 8)
    const query = { skip: offset, offset, limit };
    const request = { method: 'GET', path: [...prefix, 'tables'], query, repeatable: true, signal } as const;
    const page = await readList(client, request, TASK, MEMBERS);
    const listed = entries(page);
    if (listed.length === 0) return { tables: [...tables.values()], pages };
    const known = tables.size;
    for (const table of listed) tables.set(table.name, table);
    if (tables.size === known) {
      const holdsAll = listed.length === known && known < limit && (page.total ?? known) <= known;
      return holdsAll ? { tables: listed, pages: 1 } : null;
    }
    offset += listed.length;
  }
}

function entries(page: Page): ListedCollection[] {
  return Array.from({ length: page.spans.count }, (_, index) => {
    const name = member(page, index, TABLE_NAME) ?? member(page, index, NAME);
    const text = page.bytes.subarray(page.spans.start(index), page.spans.end(index));
    const definition = Buffer.from(text).toString('utf8');
    const parsed = name === null ? null : parsedText(name);
    if (parsed === null) {
      throw new BackupError(
        'SOURCE_MALFORMED',
        `cannot ${TASK.task}: one of them has no name: ${truncated(printable(definition.slice(0, 60)), 60)}`,
        {
          cure: 'Name the collections with --collections.',
        },
      );
    }
    return { name: parsed, definition };
  });
}

/** A string from its JSON text; null if it is none or an empty one. */
function parsedText(json: string): string | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' && value !== '' ? value : null;
  } catch {
    return null;
  }
}

/** JSON text of a member of an entry; null if it is absent or null. */
function member(page: Page, index: number, which: number | undefined): string | null {
  if (!page.spans.hasMember(index, which!)) return null;
  const text = page.bytes.subarray(
    page.spans.memberStart(index, which!),
    page.spans.memberEnd(index, which!),
  );
  const json = Buffer.from(text).toString('utf8');
  return json === 'null' ? null : json;
}

/**
 * Creates a table from its saved definition. Sources disagree about the body (zerodb-protocol.md §7.1): one with all
 * the names is sent first, and narrower ones where that is refused.
 */
export async function createTable(
  client: ZerodbClient,
  prefix: readonly string[],
  collection: ListedCollection,
  signal?: AbortSignal,
): Promise<void> {
  const task = { task: `create ${shownName(collection.name)}`, object: collection.name };
  const { schema, description } = definitionParts(collection);
  const name = JSON.stringify(collection.name);
  const create = (members: Readonly<Record<string, string | null>>) => {
    const request = { method: 'POST', path: [...prefix, 'tables'], repeatable: true, signal } as const;
    return client.send({ ...request, body: jsonParts(objectText(members)) }, task);
  };
  const narrower = [
    { name, schema, description },
    { table_name: name, schema },
    { table_name: name, schema_definition: schema },
  ];
  let response = await create({ name, table_name: name, schema, description });
  for (const members of narrower) {
    if (saysExists(response) || (response.status !== 422 && response.status !== 400)) break;
    response = await create(members);
  }
  if (!isSuccess(response) && !saysExists(response)) throw failureOf(response, client.about(task));
}

/** The definition comes from a manifest, which vouches for it, but not for its being JSON. */
function definitionParts({ name, definition }: ListedCollection): {
  schema: string;
  description: string | null;
} {
  if (definition === null) return { schema: '{}', description: null };
  const bytes = Buffer.from(definition);
  const scanner = new DocumentScanner(MEMBERS, null);
  try {
    scanner.advance(bytes, bytes.length);
    scanner.finish();
  } catch (cause) {
    if (!(cause instanceof JsonMalformed)) throw cause;
    const message = `the saved definition of ${shownName(name)} is not JSON: ${cause.message}`;
    throw new BackupError('MANIFEST_DAMAGED', message, {
      object: name,
      cure: 'Create the table by hand, then run the restore again.',
      cause,
    });
  }
  const entry = { bytes, spans: scanner.spans };
  const schema = member(entry, 0, SCHEMA) ?? member(entry, 0, SCHEMA_DEFINITION) ?? '{}';
  return { schema, description: member(entry, 0, DESCRIPTION) };
}

/** An object of members that are JSON text already; null leaves one out. */
function objectText(members: Readonly<Record<string, string | null>>): string {
  const present = Object.entries(members).filter(([, text]) => text !== null);
  return `{${present.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}
