import type { Collection, SandboxDatabase } from './database.ts';
import { RowRoutes } from './dialect-b-rows.ts';
import type { Documents } from './documents.ts';
import {
  errorAnswer,
  fieldAnswer,
  jsonAnswer,
  type SandboxRequest,
  type SandboxResponse,
} from './message.ts';
import { queryInteger, RequestBody } from './request-body.ts';
import type { Route } from './route.ts';
import type { StorageB } from './storage-b.ts';

export interface DialectBOptions {
  readonly project: string;
  /** Paths below which the dialect is served; `{pid}` stands for the project. */
  readonly prefixes: readonly string[];
  /** False: `GET tables` answers 404. */
  readonly listsTables: boolean;
  readonly tableList: 'tables' | 'bare';
  readonly rowList: 'bare' | 'rows' | 'data';
  readonly limitMax: number;
  readonly storage: StorageB;
}

/** Every prefix that a source names for project tables (zerodb-protocol §2). */
export const PROJECT_PREFIXES = [
  '/v1/projects/{pid}/database',
  '/api/v1/projects/{pid}/database',
  '/v1/public/{pid}/database',
  '/v1/public/projects/{pid}/database',
  '/api/v1/public/{pid}/database',
  '/api/v1/public/projects/{pid}/database',
  '/v1/public/zerodb/{pid}/database',
  '/v1/zerodb/{pid}/database',
  '/api/v1/zerodb/{pid}/database',
] as const;

/** Dialect B, project tables (zerodb-protocol §7): the project, its tables, and the way to their rows. */
export class DialectB {
  readonly #database: SandboxDatabase;
  readonly #documents: Documents;
  readonly #options: DialectBOptions;
  readonly #prefixes: readonly (readonly string[])[];
  readonly #rows: RowRoutes;

  constructor(database: SandboxDatabase, documents: Documents, options: DialectBOptions) {
    this.#database = database;
    this.#documents = documents;
    this.#options = options;
    this.#prefixes = options.prefixes.map((prefix) => prefix.replace(/^\//, '').split('/'));
    this.#rows = new RowRoutes(documents, options);
  }

  /** @param segments the decoded parts of the path, without the empty first one */
  route(request: SandboxRequest, segments: readonly string[]): Route | null {
    for (const prefix of this.#prefixes) {
      if (!prefix.every((part, index) => part === '{pid}' || part === segments[index])) continue;
      const route = this.#routeBelow(request, segments.slice(prefix.length));
      if (route === null) continue;
      const project = segments[prefix.indexOf('{pid}')];
      return project === this.#options.project ? route : { ...route, methods: unknownProject(route) };
    }
    return null;
  }

  #routeBelow(request: SandboxRequest, rest: readonly string[]): Route | null {
    const [tables, table] = rest;
    if (rest.length === 0) return { pattern: '{base}', name: null, methods: { GET: () => this.#status() } };
    if (tables !== 'tables') return this.#options.storage.route(request, rest);
    if (table === undefined) {
      return {
        pattern: '{base}/tables',
        name: null,
        methods: { GET: () => this.#list(request), POST: () => this.#create(request) },
      };
    }
    const collection = this.#table(table);
    const name = collection?.name ?? table;
    if (rest.length === 2) {
      return {
        pattern: '{base}/tables/{t}',
        name,
        methods: orUnknown(collection, {
          GET: (found) => jsonAnswer(200, this.#entry(found)),
          DELETE: (found) => this.#drop(found),
        }),
      };
    }
    const rows = this.#rows.route(request, rest.slice(2));
    return rows && { pattern: rows.pattern, name, methods: orUnknown(collection, rows.methods) };
  }

  #status(): SandboxResponse {
    const tables = [...this.#database.collections];
    return jsonAnswer(
      200,
      JSON.stringify({
        enabled: true,
        project_id: this.#options.project,
        tables_count: tables.length,
        vectors_count: 0,
        memory_records_count: 0,
        events_count: 0,
        files_count: 0,
        storage_used_mb: 0,
        last_activity: this.#documents.time,
      }),
    );
  }

  #list(request: SandboxRequest): SandboxResponse {
    if (!this.#options.listsTables) return errorAnswer(404, 'Not Found', 'PATH_NOT_FOUND');
    const limit = queryInteger(request, 'limit', { least: 1, most: this.#options.limitMax, fallback: 100 });
    const skip = queryInteger(request, request.query.has('skip') ? 'skip' : 'offset', {
      least: 0,
      most: Number.MAX_SAFE_INTEGER,
      fallback: 0,
    });
    const vanished = this.#documents.misbehaviour.vanishing;
    const entries = [...this.#database.collections]
      .filter(({ name }) => (vanished[name] ?? 1) > 0)
      .slice(skip, skip + limit)
      .map((collection) => this.#entry(collection));
    const parts = entries.flatMap((entry, index) => (index === 0 ? [entry] : [',', entry]));
    return this.#options.tableList === 'bare'
      ? jsonAnswer(200, '[', ...parts, ']')
      : jsonAnswer(200, '{"tables":[', ...parts, ']}');
  }

  #create(request: SandboxRequest): SandboxResponse {
    const body = new RequestBody(request);
    const name = body.members.table_name ?? body.members.name;
    if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
      return fieldAnswer('body', 'table_name', 'field required', 'value_error.missing');
    }
    if (this.#database.collection(name) !== undefined) {
      return errorAnswer(409, `Table '${name}' already exists`, 'TABLE_ALREADY_EXISTS');
    }
    const schemaName = ['schema', 'schema_definition'].find((member) => body.raw(member) !== null) ?? null;
    const collection = this.#database.createCollection({
      name,
      tableId: this.#documents.newKey(),
      createdAt: this.#documents.time,
      schemaName,
      schema: schemaName === null ? null : body.raw(schemaName),
      description: body.raw('description'),
    });
    return jsonAnswer(201, this.#entry(collection));
  }

  #drop(collection: Collection): SandboxResponse {
    this.#database.dropCollection(collection);
    return jsonAnswer(200, JSON.stringify({ message: `Table '${collection.name}' deleted` }));
  }

  /** Tables are addressed by name or by table_id. */
  #table(nameOrId: string): Collection | undefined {
    const named = this.#database.collection(nameOrId);
    if (named !== undefined) return named;
    for (const collection of this.#database.collections)
      if (collection.tableId === nameOrId) return collection;
    return undefined;
  }

  #entry(collection: Collection): Uint8Array {
    const head = JSON.stringify({
      table_id: collection.tableId,
      project_id: this.#options.project,
      table_name: collection.name,
      name: collection.name,
    });
    return Buffer.concat([
      Buffer.from(`${head.slice(0, -1)},"${collection.schemaName ?? 'schema'}":`),
      collection.schema ?? Buffer.from('{}'),
      Buffer.from(',"description":'),
      collection.description ?? Buffer.from('null'),
      Buffer.from(
        `,"row_count":${collection.documentCount},"created_at":"${collection.createdAt}","updated_at":"${collection.createdAt}"}`,
      ),
    ]);
  }
}

function orUnknown(
  collection: Collection | undefined,
  methods: Readonly<Record<string, (found: Collection) => SandboxResponse>>,
): Route['methods'] {
  return Object.fromEntries(
    Object.entries(methods).map(([method, answer]) => [
      method,
      () =>
        collection === undefined
          ? errorAnswer(404, 'Table not found', 'TABLE_NOT_FOUND')
          : answer(collection),
    ]),
  );
}

function unknownProject(route: Route): Route['methods'] {
  const answer = () => errorAnswer(404, 'Project not found', 'PROJECT_NOT_FOUND');
  return Object.fromEntries(Object.keys(route.methods).map((method) => [method, answer]));
}
