import * as http from 'node:http';
import { type DocumentSettings, Documents, ID_LENGTH, positionOf } from './documents.ts';

/**
 * A server of dialect A in a process of its own that takes as little of the machine as it can: answers are slices of
 * documents made beforehand. `users` holds them all, and so does a collection whose name begins with `changed`, but one
 * in a hundred with another character. Any other collection is empty at first. They take just these documents: what is
 * written is compared with what it must be, then only marked as there.
 *
 * Settings come as JSON in the first argument, in the second how many milliseconds each answer takes, as if the server
 * were elsewhere; the port is sent to the parent.
 */
const documents = new Documents(JSON.parse(process.argv[2]!) as DocumentSettings);
const delayMs = Number(process.argv[3]);
const { count, shape } = documents.settings;

const CHANGED_SHARE = 100;

class Collection {
  readonly #present: Uint8Array | null;
  presentCount: number;
  /** Positions of documents that are not as they should be. */
  readonly changed = new Set<number>();

  constructor(full: boolean, changed = false) {
    if (changed)
      for (let position = 0; position < count; position += CHANGED_SHARE) this.changed.add(position);
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
  const isChanged = name.startsWith('changed');
  const created = new Collection(isChanged, isChanged);
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
    parts.push(...piecesOf(collection, stretch.from, stretch.to));
  }
  parts.push(Buffer.from(`],"total":${collection.presentCount},"limit":${limit},"offset":${offset}}`));
  send(response, 200, parts);
}

/** Documents at positions [from, to) as they are in a collection. */
function piecesOf({ changed }: Collection, from: number, to: number): Buffer[] {
  if (changed.size === 0) return documents.pieces(from, to);
  const pieces: Buffer[] = [];
  for (let position = from; position < to; ) {
    let end = position + 1;
    while (!changed.has(position) && end < to && !changed.has(end)) end++;
    const some = documents.pieces(position, end);
    if (pieces.length > 0) pieces.push(COMMA);
    pieces.push(...(changed.has(position) ? [withOtherText(Buffer.concat(some))] : some));
    position = end;
  }
  return pieces;
}

/** The last letter of a document's prose is another. */
function withOtherText(document: Buffer): Buffer {
  const quote = document.lastIndexOf(0x22);
  const copy = Buffer.from(document);
  copy[quote - 1] = 0x2a;
  return copy;
}

/** `{"data":<payload>,"merge":false}`. */
function answerReplace(
  collection: Collection,
  id: string,
  body: Buffer,
  response: http.ServerResponse,
): void {
  const position = positionOf(id);
  if (!collection.has(position)) return send(response, 404, [Buffer.from('{"detail":"Document not found"}')]);
  const document = Buffer.concat(documents.pieces(position, position + 1));
  const sent = body.subarray('{"data":'.length, '{"data":'.length + document.length);
  if (shape !== 'flat' || !sent.equals(document))
    return send(response, 400, [Buffer.from('{"detail":"not the document expected"}')]);
  collection.changed.delete(position);
  send(response, 200, [document]);
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
  send(response, 200, piecesOf(collection, position, position + 1));
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
    else if (request.method === 'PUT') answerReplace(collection, id!, body, response);
    else if (what === 'query') answerQuery(collection, JSON.parse(body.toString()) as Query, response);
    else answerInsert(collection, body, response);
  }
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send!((server.address() as { port: number }).port));
process.on('disconnect', () => process.exit());
