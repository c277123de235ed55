import * as http from 'node:http';
import { type DocumentSettings, Documents, ID_LENGTH, positionOf } from './documents.ts';

/**
 * A server of dialect A in a process of its own that takes as little of the machine as it can: answers are slices of
 * documents made beforehand. `users` holds them all. Any other collection is empty at first and takes just these
 * documents: an insert is compared with the one that it must be, then only marked as there.
 *
 * Settings come as JSON in the first argument, in the second how many milliseconds each answer takes, as if the server
 * were elsewhere; the port is sent to the parent.
 */
const documents = new Documents(JSON.parse(process.argv[2]!) as DocumentSettings);
const delayMs = Number(process.argv[3]);
const { count, shape } = documents.settings;

class Collection {
  readonly #present: Uint8Array | null;
  presentCount: number;

  constructor(full: boolean) {
    this.#present = full ? null : new Uint8Array(count);
    this.presentCount = full ? count : 0;
  }

  has(position: number): boolean {
    return position < count && (this.presentCount === count || this.#present?.[position] === 1);
  }

  add(position: number): void {
    if (this.has(position)) return;
    this.#present![position] = 1;
    this.presentCount++;
  }

  /** Stretches [from, to) of documents that are there, in ascending order, at most `limit` in all. */
  stretches(from: number, limit: number): { from: number; to: number }[] {
    if (this.presentCount === count) return from < count ? [{ from, to: Math.min(from + limit, count) }] : [];
    const found: { from: number; to: number }[] = [];
    let left = limit;
    for (let position = from; position < count && left > 0; position++) {
      if (!this.has(position)) continue;
      if (found.at(-1)?.to === position) found.at(-1)!.to++;
      else found.push({ from: position, to: position + 1 });
      left--;
    }
    return found;
  }

  /** The last `limit` documents that are there but for `offset`, in descending order. */
  lastOnes(offset: number, limit: number): { from: number; to: number }[] {
    const found: { from: number; to: number }[] = [];
    let skipped = 0;
    for (let position = count - 1; position >= 0 && found.length < limit; position--) {
      if (this.has(position) && skipped++ >= offset) found.push({ from: position, to: position + 1 });
    }
    return found;
  }
}

const collections = new Map<string, Collection>([['users', new Collection(true)]]);

function collectionOf(name: string): Collection {
  const known = collections.get(name);
  if (known !== undefined) return known;
  const created = new Collection(false);
  collections.set(name, created);
  return created;
}

interface Query {
  limit: number;
  offset?: number;
  sort?: Record<string, 'asc' | 'desc'>;
  filters?: { id?: { $gt?: string; $gte?: string } };
}

const COMMA = Buffer.from(',');

/** Sorted by `id` or `created_at`, which is the same order here. */
function answerQuery(collection: Collection, query: Query, response: http.ServerResponse): void {
  const { limit, offset = 0 } = query;
  const descending = Object.values(query.sort ?? {}).includes('desc');
  const { $gt, $gte } = query.filters?.id ?? {};
  const from = $gt !== undefined ? positionOf($gt) + 1 : $gte !== undefined ? positionOf($gte) : 0;
  const stretches = descending
    ? collection.lastOnes(offset, limit)
    : collection.stretches(from + offset, limit);
  const parts: Buffer[] = [Buffer.from('{"documents":[')];
  for (const stretch of stretches) {
    if (parts.length > 1) parts.push(COMMA);
    parts.push(...documents.pieces(stretch.from, stretch.to));
  }
  parts.push(Buffer.from(`],"total":${collection.presentCount},"limit":${limit},"offset":${offset}}`));
  send(response, 200, parts);
}

/** `{"data":<payload>,"id":"<id>"}`, as clients send it: compared as bytes with the document that it must be. */
function answerInsert(collection: Collection, body: Buffer, response: http.ServerResponse): void {
  const idAt = body.length - ID_LENGTH - 2;
  const position = positionOf(body.toString('latin1', idAt, idAt + ID_LENGTH));
  if (!(position < count)) return send(response, 400, [Buffer.from('{"detail":"no document of this set"}')]);
  const document = Buffer.concat(documents.pieces(position, position + 1));
  const payload = document.subarray(
    shape === 'flat' ? 0 : ID_LENGTH + 16,
    document.length - (shape === 'flat' ? 0 : 1),
  );
  const sent = body.subarray('{"data":'.length, idAt - ',"id":"'.length);
  if (!sent.equals(payload))
    return send(response, 400, [Buffer.from('{"detail":"not the document expected"}')]);
  collection.add(position);
  send(response, 201, [document]);
}

function answerDocument(collection: Collection, id: string, response: http.ServerResponse): void {
  const position = positionOf(id);
  if (!collection.has(position)) return send(response, 404, [Buffer.from('{"detail":"Document not found"}')]);
  send(response, 200, documents.pieces(position, position + 1));
}

function send(response: http.ServerResponse, status: number, parts: readonly Buffer[]): void {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length });
  response.cork();
  for (const part of parts) response.write(part);
  response.end();
}

const server = http.createServer((request, response) => {
  const [, , name, what, id] = request.url!.split('/');
  const collection = collectionOf(decodeURIComponent(name!));
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (delayMs > 0) setTimeout(answer, delayMs);
    else answer();
  });

  function answer(): void {
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    if (request.method === 'GET') answerDocument(collection, id!, response);
    else if (what === 'query') answerQuery(collection, JSON.parse(body.toString()) as Query, response);
    else answerInsert(collection, body, response);
  }
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send!((server.address() as { port: number }).port));
process.on('disconnect', () => process.exit());
