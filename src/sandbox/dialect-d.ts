import { DocumentScanner } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';
import { ChangeLogRoutes } from './change-log.ts';
import type { Collection, SandboxDatabase, StoredDocument } from './database.ts';
import { invalid, refusal } from './dialect-d-errors.ts';
import type { Documents } from './documents.ts';
import { emptyAnswer, jsonAnswer, type SandboxRequest, type SandboxResponse } from './message.ts';
import { locateMembers, parseJson } from './raw-json.ts';
import type { Route } from './route.ts';
import type { Condition } from './selection.ts';

const PREFIXES = [
  ['v1', 'projects', '{pid}', 'database', 'tables'],
  ['api', 'v1', 'projects', '{pid}', 'database', 'tables'],
];
const LIMIT_MAX = 1000;
const LIMIT_DEFAULT = 100;
const TABLES_MAX = 100;
const WRAPPING = { beforeKey: '{"id":', beforePayload: ',"data":' };
const ROWS = { names: new MemberNames(['rows']), listNames: 1 };
const NO_MEMBERS = new MemberNames([]);
const RAW = new MemberNames(['update', 'schema', 'description']);
const [UPDATE, SCHEMA, DESCRIPTION] = [0, 1, 2] as const;

/**
 * Dialect D, as zerodb-local speaks it (zerodb-protocol §10): rows newest first, those of one insert call at one time and
 * in another order with every request; writes by filters that look into payloads; a change log. Deletions are for good
 * here, and soft only in the log.
 */
export class DialectD {
  readonly #database: SandboxDatabase;
  readonly #documents: Documents;
  readonly #project: string;
  readonly #log: ChangeLogRoutes;
  /** Names that a deleted table keeps occupied. */
  readonly #deletedNames = new Set<string>();

  constructor(database: SandboxDatabase, documents: Documents, project: string) {
    this.#database = database;
    this.#documents = documents;
    this.#project = project;
    this.#log = new ChangeLogRoutes(database, documents, project);
  }

  /** @param segments the decoded parts of the path, without the empty first one */
  route(request: SandboxRequest, segments: readonly string[]): Route | null {
    if (segments.join('/') === 'v1/sync/changes') {
      return { pattern: '/v1/sync/changes', name: null, methods: { GET: () => this.#log.list(request) } };
    }
    for (const prefix of PREFIXES) {
      if (!prefix.every((part, index) => part === '{pid}' || part === segments[index])) continue;
      const project = segments[prefix.indexOf('{pid}')]!;
      return this.#tables(request, project === this.#project, segments.slice(prefix.length));
    }
    return null;
  }

  /** The server checks no project: an unknown one has no tables. */
  #tables(request: SandboxRequest, isOurs: boolean, rest: readonly string[]): Route | null {
    const [name, action, ...more] = rest;
    if (name === undefined) {
      const methods = {
        GET: () => (isOurs ? this.#list(request) : jsonAnswer(200, '[]')),
        POST: () => this.#create(request),
      };
      return { pattern: '{tables}', name: null, methods };
    }
    // a slash in a name comes decoded to the server's router
    if (more.length > 0 || name.includes('/')) return null;
    const table = (): Collection => {
      const found = isOurs ? this.#database.collection(name) : undefined;
      if (found === undefined) throw refusal(404, 'not_found_error', `Table '${name}' not found`);
      return found;
    };
    const methods = this.#methods(request, action, table);
    return methods && { pattern: `{tables}/{t}${action === undefined ? '' : `/${action}`}`, name, methods };
  }

  #methods(
    request: SandboxRequest,
    action: string | undefined,
    table: () => Collection,
  ): Route['methods'] | null {
    switch (action) {
      case undefined:
        return { GET: () => jsonAnswer(200, entry(table())), DELETE: () => this.#drop(table()) };
      case 'insert':
        return { POST: () => this.#insert(request, table) };
      case 'query':
        return { POST: () => this.#query(request, table) };
      case 'update':
        return { PUT: () => this.#update(request, table) };
      case 'rows':
        return { DELETE: () => this.#delete(request, table) };
      default:
        return null;
    }
  }

  #list({ query }: SandboxRequest): SandboxResponse {
    const limit = Math.min(TABLES_MAX, Number(query.get('limit') ?? LIMIT_DEFAULT));
    const skip = Number(query.get('skip') ?? 0); // and `offset` is no parameter
    const newest = [...this.#database.collections].toReversed().slice(skip, skip + limit);
    const parts = newest.flatMap((table, index) => (index === 0 ? [entry(table)] : [',', entry(table)]));
    return jsonAnswer(200, '[', ...parts, ']');
  }

  #create(request: SandboxRequest): SandboxResponse {
    const { table_name: name, schema } = bodyOf(request);
    if (typeof name !== 'string') throw invalid('table_name', 'Field required', 'missing');
    if (!isObject(schema)) throw invalid('schema', 'Input should be a valid dictionary', 'dict_type');
    if (this.#database.collection(name) !== undefined) {
      throw refusal(400, 'bad_request', `Table '${name}' already exists`);
    }
    if (this.#deletedNames.has(name)) {
      throw refusal(
        500,
        'internal_error',
        'Error creating table: duplicate key value violates unique constraint',
      );
    }
    const spans = locateMembers(request.body, RAW);
    const raw = (which: number) =>
      request.body.subarray(spans.memberStart(0, which), spans.memberEnd(0, which));
    const table = this.#database.createCollection({
      name,
      tableId: this.#documents.newKey(),
      createdAt: this.#documents.time,
      schemaName: 'schema',
      schema: raw(SCHEMA),
      description: spans.hasMember(0, DESCRIPTION) ? raw(DESCRIPTION) : null,
    });
    return jsonAnswer(201, entry(table));
  }

  /** Its rows go unlogged, and its name stays taken. */
  #drop(table: Collection): SandboxResponse {
    this.#log.silently(() => this.#database.dropCollection(table));
    this.#deletedNames.add(table.name);
    return emptyAnswer;
  }

  /** All rows or none, and all at one time. */
  #insert(request: SandboxRequest, table: () => Collection): SandboxResponse {
    const { rows } = bodyOf(request);
    if (!Array.isArray(rows)) throw invalid('rows', 'Field required', 'missing');
    const wrong = rows.findIndex((row) => !isObject(row));
    if (wrong >= 0) throw invalid(`rows.${wrong}`, 'Input should be a valid dictionary', 'dict_type');
    const into = table();
    const payloads = rowPayloads(request.body);
    const { time } = this.#documents;
    const ids = this.#database.transaction(() =>
      payloads.map((payload) => {
        const id = this.#documents.newKey();
        this.#documents.insert(into, id, payload, time);
        return id;
      }),
    );
    const answer = { table_name: into.name, inserted_count: ids.length, inserted_ids: ids };
    return jsonAnswer(200, JSON.stringify(answer));
  }

  #query(request: SandboxRequest, table: () => Collection): SandboxResponse {
    const { limit = LIMIT_DEFAULT, offset = 0, filter = null } = bodyOf(request);
    if (!isIn(limit, 1, LIMIT_MAX)) throw invalid('limit', 'Input should be between 1 and 1000', 'limit');
    if (!isIn(offset, 0, Number.MAX_SAFE_INTEGER))
      throw invalid('offset', 'Input should be at least 0', 'offset');
    if (filter !== null && !isObject(filter))
      throw invalid('filter', 'Input should be a valid dictionary', 'dict_type');
    const page = this.#documents.page(
      table(),
      { conditions: conditionsOf(filter ?? {}), sort: null, limit, offset, shuffled: true },
      WRAPPING,
    );
    return jsonAnswer(200, '[', page.items, ']');
  }

  #update(request: SandboxRequest, table: () => Collection): SandboxResponse {
    const { filter, update } = bodyOf(request);
    if (!isObject(filter)) throw invalid('filter', 'Field required', 'missing');
    if (!isObject(update)) throw invalid('update', 'Field required', 'missing');
    const into = table();
    const spans = locateMembers(request.body, RAW);
    const patch = request.body.subarray(spans.memberStart(0, UPDATE), spans.memberEnd(0, UPDATE));
    const rows = this.#matching(into, filter);
    this.#database.transaction(() => {
      for (const row of rows) this.#documents.write(into, row, patch, 'merge');
    });
    return jsonAnswer(200, JSON.stringify({ table_name: into.name, updated_count: rows.length }));
  }

  #delete(request: SandboxRequest, table: () => Collection): SandboxResponse {
    const { filter } = bodyOf(request);
    if (!isObject(filter)) throw invalid('filter', 'Field required', 'missing');
    const from = table();
    const rows = this.#matching(from, filter);
    this.#database.transaction(() => {
      for (const row of rows) this.#documents.delete(from, row);
    });
    return jsonAnswer(200, JSON.stringify({ table_name: from.name, deleted_count: rows.length }));
  }

  #matching(table: Collection, filter: Readonly<Record<string, unknown>>): StoredDocument[] {
    return this.#documents.matching(table, conditionsOf(filter));
  }
}

function entry({ tableId, name, schema, description, createdAt }: Collection): Uint8Array {
  const head = JSON.stringify({ id: tableId, name });
  const tail = JSON.stringify({ created_at: createdAt, updated_at: createdAt });
  return Buffer.concat([
    Buffer.from(`${head.slice(0, -1)},"schema":`),
    schema ?? Buffer.from('{}'),
    Buffer.from(',"description":'),
    description ?? Buffer.from('null'),
    Buffer.from(`,${tail.slice(1)}`),
  ]);
}

/** Whatever a filter holds is looked for in the payload, operators included. */
function conditionsOf(filter: Readonly<Record<string, unknown>>): Condition[] {
  return Object.entries(filter).map(([field, operand]) => ({ field, operator: '$contains', operand }));
}

function rowPayloads(body: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(body); // the scanner changes line breaks
  const { spans } = scanned(bytes);
  return Array.from({ length: spans.count }, (_, index) =>
    body.subarray(spans.start(index), spans.end(index)),
  );
}

function scanned(bytes: Uint8Array): DocumentScanner {
  const scanner = new DocumentScanner(NO_MEMBERS, ROWS);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  return scanner;
}

function bodyOf({ body }: SandboxRequest): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(body);
  } catch {
    throw invalid(null, 'JSON decode error', 'json_invalid');
  }
  if (!isObject(value)) throw invalid(null, 'Input should be a valid dictionary', 'model_attributes_type');
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIn(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}
