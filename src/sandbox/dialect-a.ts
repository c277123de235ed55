import type { Collection, SandboxDatabase, StoredDocument } from './database.ts';
import type { Documents } from './documents.ts';
import {
  errorAnswer,
  fieldAnswer,
  jsonAnswer,
  Refusal,
  type SandboxRequest,
  type SandboxResponse,
} from './message.ts';
import type { Wrapping } from './pages.ts';
import { payloadId } from './raw-json.ts';
import { RequestBody } from './request-body.ts';
import type { Route } from './route.ts';
import { parseFilter, type Sort } from './selection.ts';

export interface DialectAOptions {
  /** Items are `{"id":…,"data":{…},…}`, or the payload itself with its id in it. */
  readonly shape: 'id_data' | 'flat';
  /** What a query of a collection that nobody ever wrote to answers. */
  readonly unknownCollection: 'empty' | 'missing';
  readonly limitMax: number;
}

const LIMIT_DEFAULT = 10;

/** Dialect A, "collections" (zerodb-protocol §6). */
export class DialectA {
  readonly #database: SandboxDatabase;
  readonly #documents: Documents;
  readonly #options: DialectAOptions;
  readonly #wrapping: Wrapping;

  constructor(database: SandboxDatabase, documents: Documents, options: DialectAOptions) {
    this.#database = database;
    this.#documents = documents;
    this.#options = options;
    this.#wrapping = options.shape === 'flat' ? 'flat' : { beforeKey: '{"id":', beforePayload: ',"data":' };
  }

  /** @param segments the decoded parts of the path, without the empty first one */
  route(request: SandboxRequest, segments: readonly string[]): Route | null {
    const [root, name, kind, id, ...more] = segments;
    if (root !== 'collections' || name === undefined || more.length > 0) return null;
    if (kind === 'query' && id === undefined) {
      return { pattern: '/collections/{c}/query', name, methods: { POST: () => this.#query(request, name) } };
    }
    if (kind !== 'documents') return null;
    if (id === undefined) {
      return {
        pattern: '/collections/{c}/documents',
        name,
        methods: { POST: () => this.#create(request, name) },
      };
    }
    return {
      pattern: '/collections/{c}/documents/{id}',
      name,
      methods: {
        GET: () => this.#get(name, id),
        PUT: () => this.#update(request, name, id),
        DELETE: () => this.#delete(name, id),
      },
    };
  }

  #query(request: SandboxRequest, name: string): SandboxResponse {
    const body = new RequestBody(request);
    const conditions = parseFilter(body.object('filters'), 'id', true);
    const sort = sortOf(body.object('sort'));
    const limit = body.integer('limit', { least: 1, most: this.#options.limitMax, fallback: LIMIT_DEFAULT });
    const askedOffset = body.integer('offset', { least: 0, most: Number.MAX_SAFE_INTEGER, fallback: 0 });
    const offset = this.#documents.misbehaviour.ignoredPaging.includes('offset') ? 0 : askedOffset;
    const collection = this.#database.collection(name);
    if (collection === undefined && this.#options.unknownCollection === 'missing') {
      return errorAnswer(404, `Collection not found: ${name}`);
    }
    const page = collection
      ? this.#documents.page(collection, { conditions, sort, limit, offset }, this.#wrapping)
      : { items: '', total: 0 };
    const total = page.total === null ? '' : `"total":${page.total},`;
    return jsonAnswer(
      200,
      '{"documents":[',
      page.items,
      `],${total}"limit":${limit},"offset":${askedOffset}}`,
    );
  }

  #create(request: SandboxRequest, name: string): SandboxResponse {
    const body = new RequestBody(request);
    const payload = body.rawObject('data');
    const asked = body.members.id ?? null;
    if (asked !== null && (typeof asked !== 'string' || asked === '' || !asked.isWellFormed())) {
      return fieldAnswer('body', 'id', 'str type expected', 'type_error.str');
    }
    const inner = this.#options.shape === 'flat' ? payloadId(payload) : null;
    if (asked !== null && inner !== null && inner !== asked) return idConflict();
    const key = asked ?? inner ?? this.#documents.newKey();
    const collection = this.#documents.open(name);
    const sequence = this.#documents.insert(collection, key, payload);
    if (sequence === null) return errorAnswer(409, `Document already exists: ${key}`);
    return this.#item(201, sequence);
  }

  #get(name: string, id: string): SandboxResponse {
    return this.#item(200, this.#found(name, id).document.sequence);
  }

  #update(request: SandboxRequest, name: string, id: string): SandboxResponse {
    const body = new RequestBody(request);
    const payload = body.rawObject('data');
    const { collection, document } = this.#found(name, id);
    if (this.#options.shape === 'flat' && (payloadId(payload) ?? id) !== id) return idConflict();
    const merge = body.members.merge ?? true;
    if (typeof merge !== 'boolean') {
      return fieldAnswer('body', 'merge', 'value could not be parsed to a boolean', 'type_error.bool');
    }
    this.#documents.write(collection, document, payload, merge ? 'merge' : 'replace');
    return this.#item(200, document.sequence);
  }

  #delete(name: string, id: string): SandboxResponse {
    const { collection, document } = this.#found(name, id);
    this.#documents.delete(collection, document);
    return jsonAnswer(200, JSON.stringify({ success: true, id }));
  }

  #found(name: string, id: string): { collection: Collection; document: StoredDocument } {
    const collection = this.#database.collection(name);
    const document = collection && this.#documents.find(collection, id);
    if (document === undefined) throw new Refusal(errorAnswer(404, 'Document not found'));
    return { collection: collection!, document };
  }

  #item(status: number, sequence: number): SandboxResponse {
    return jsonAnswer(status, this.#documents.item(sequence, this.#wrapping));
  }
}

/** `{"field":"asc"}`, one field only. */
function sortOf(sort: Readonly<Record<string, unknown>>): Sort | null {
  const fields = Object.entries(sort);
  const [first] = fields;
  if (first === undefined) return null;
  const [field, direction] = first;
  if (fields.length > 1 || (direction !== 'asc' && direction !== 'desc')) {
    const message = 'one field with the direction asc or desc is expected';
    throw new Refusal(fieldAnswer('body', 'sort', message, 'value_error'));
  }
  return { field: field === 'id' ? null : field, descending: direction === 'desc' };
}

function idConflict(): SandboxResponse {
  return fieldAnswer('body', 'data', "the payload's id is not the document's", 'value_error');
}
