import type { Collection, StoredDocument } from './database.ts';
import type { DocumentPage, Documents } from './documents.ts';
import {
  emptyAnswer,
  errorAnswer,
  jsonAnswer,
  Refusal,
  type SandboxRequest,
  type SandboxResponse,
} from './message.ts';
import type { Wrapping } from './pages.ts';
import { queryInteger, RequestBody } from './request-body.ts';
import { parseFilter } from './selection.ts';

const LIMIT_DEFAULT = 100;
const SKIP = { least: 0, most: Number.MAX_SAFE_INTEGER, fallback: 0 };

interface RowRoute {
  readonly pattern: string;
  readonly methods: Readonly<Record<string, (table: Collection) => SandboxResponse>>;
}

interface RowOptions {
  readonly project: string;
  readonly rowList: 'bare' | 'rows' | 'data';
  readonly limitMax: number;
}

/** The rows of one table in dialect B. */
export class RowRoutes {
  readonly #documents: Documents;
  readonly #options: RowOptions;

  constructor(documents: Documents, options: RowOptions) {
    this.#documents = documents;
    this.#options = options;
  }

  /** @param rest the decoded parts of the path behind the table */
  route(request: SandboxRequest, rest: readonly string[]): RowRoute | null {
    const [kind, id, ...more] = rest;
    if (more.length > 0) return null;
    if (kind === 'query' && id === undefined) {
      return {
        pattern: '{base}/tables/{t}/query',
        methods: { POST: (table) => this.#query(request, table) },
      };
    }
    if (kind !== 'rows') return null;
    if (id === undefined) {
      return {
        pattern: '{base}/tables/{t}/rows',
        methods: {
          GET: (table) => this.#list(request, table),
          POST: (table) => this.#insert(request, table),
        },
      };
    }
    return {
      pattern: '{base}/tables/{t}/rows/{row_id}',
      methods: {
        GET: (table) => this.#item(200, table, this.#found(table, id).sequence),
        PUT: (table) => this.#write(request, table, id, 'replace'),
        PATCH: (table) => this.#write(request, table, id, 'merge'),
        DELETE: (table) => this.#delete(table, id),
      },
    };
  }

  #list(request: SandboxRequest, table: Collection): SandboxResponse {
    const { ignoredPaging } = this.#documents.misbehaviour;
    const limit = queryInteger(request, 'limit', this.#limits);
    const skip = ignoredPaging.includes('skip') ? 0 : queryInteger(request, 'skip', SKIP);
    const offset = ignoredPaging.includes('offset') ? 0 : queryInteger(request, 'offset', SKIP);
    const start = request.query.has('skip') && !ignoredPaging.includes('skip') ? skip : offset;
    const page = this.#page(table, {}, limit, start);
    const { rowList } = this.#options;
    if (rowList === 'bare') return jsonAnswer(200, '[', page.items, ']');
    const total = page.total === null ? '' : `,"total":${page.total}`;
    return jsonAnswer(200, `{"${rowList}":[`, page.items, `]${total}}`);
  }

  #query(request: SandboxRequest, table: Collection): SandboxResponse {
    const body = new RequestBody(request);
    const { ignoredPaging } = this.#documents.misbehaviour;
    const limit = body.integer('limit', this.#limits);
    const member = ['skip', 'offset'].find(
      (name) => body.members[name] !== undefined && !ignoredPaging.includes(name as 'skip' | 'offset'),
    );
    const skip = member === undefined ? 0 : body.integer(member, SKIP);
    const page = this.#page(table, body.object('filter'), limit, skip);
    const total = page.total === null ? '' : `"total":${page.total},`;
    const more = page.total === null ? page.count === limit : skip + page.count < page.total;
    return jsonAnswer(200, `{${total}"data":[`, page.items, `],"has_more":${more}}`);
  }

  #page(
    table: Collection,
    filter: Readonly<Record<string, unknown>>,
    limit: number,
    offset: number,
  ): DocumentPage {
    const conditions = parseFilter(filter, null, false);
    return this.#documents.page(table, { conditions, sort: null, limit, offset }, this.#wrapping(table));
  }

  #insert(request: SandboxRequest, table: Collection): SandboxResponse {
    const payload = new RequestBody(request).rawObject('row_data');
    const sequence = this.#documents.insert(table, this.#documents.newKey(), payload);
    return this.#item(201, table, sequence!);
  }

  #write(request: SandboxRequest, table: Collection, id: string, how: 'replace' | 'merge'): SandboxResponse {
    const payload = new RequestBody(request).rawObject('row_data');
    const document = this.#found(table, id);
    this.#documents.write(table, document, payload, how);
    return this.#item(200, table, document.sequence);
  }

  #delete(table: Collection, id: string): SandboxResponse {
    this.#documents.delete(table, this.#found(table, id));
    return emptyAnswer;
  }

  #found(table: Collection, id: string): StoredDocument {
    const document = this.#documents.find(table, id);
    if (document === undefined) throw new Refusal(errorAnswer(404, 'Row not found'));
    return document;
  }

  #item(status: number, table: Collection, sequence: number): SandboxResponse {
    return jsonAnswer(status, this.#documents.item(sequence, this.#wrapping(table)));
  }

  #wrapping(table: Collection): Wrapping {
    const facts = JSON.stringify({
      project_id: this.#options.project,
      table_id: table.tableId,
      table_name: table.name,
    });
    return { beforeKey: '{"row_id":', beforePayload: `,${facts.slice(1, -1)},"row_data":` };
  }

  get #limits() {
    return { least: 1, most: this.#options.limitMax, fallback: LIMIT_DEFAULT };
  }
}
