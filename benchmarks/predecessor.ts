import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';

/**
 * A client that sends the requests of the Python tool that went before this one, in a process of its own: pages of
 * 100 by offset, one request at a time, the whole collection in memory, gzip 9; to restore it asks for each document
 * and then replaces or creates it. It is kind to that tool: no client library, no metadata, no retention, and a
 * faster language.
 */
export interface PredecessorTask {
  readonly operation: 'backup' | 'restore';
  readonly url: string;
  readonly file: string;
  readonly collection: string;
}

export interface PredecessorResult {
  readonly seconds: number;
  readonly documents: number;
}

const PAGE = 100;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

type Json = Record<string, unknown>;

async function backUp({ url, file, collection }: PredecessorTask): Promise<number> {
  const documents: Json[] = [];
  for (;;) {
    const query = { filters: {}, limit: PAGE, offset: documents.length, sort: { created_at: 'asc' } };
    const answer = await send(url, 'POST', `/collections/${collection}/query`, query);
    if (answer.status !== 200) throw new Error(`a query was answered ${answer.status}`);
    const page = (JSON.parse(answer.text) as { documents: Json[] }).documents;
    documents.push(...page);
    if (page.length < PAGE) break;
  }
  const archive = { collection, backup_type: 'full', document_count: documents.length, documents };
  writeFileSync(file, gzipSync(Buffer.from(JSON.stringify(archive, null, 2)), { level: 9 }));
  return documents.length;
}

async function restore({ url, file, collection }: PredecessorTask): Promise<number> {
  const archive = JSON.parse(gunzipSync(readFileSync(file)).toString()) as { documents: Json[] };
  for (const document of archive.documents) {
    const path = `/collections/${collection}/documents`;
    const id = document.id as string;
    const found = await send(url, 'GET', `${path}/${encodeURIComponent(id)}`);
    const written =
      found.status === 200
        ? await send(url, 'PUT', `${path}/${encodeURIComponent(id)}`, { data: document, merge: false })
        : await send(url, 'POST', path, { data: document, id });
    if (written.status >= 300) throw new Error(`a write was answered ${written.status}: ${written.text}`);
  }
  return archive.documents.length;
}

async function send(
  url: string,
  method: string,
  path: string,
  body?: Json,
): Promise<{ status: number; text: string }> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    'x-api-key': 'benchmark-key',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  };
  const request = http.request(url + path, { method, headers, agent });
  request.end(text);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(response, 'end');
  return { status: response.statusCode!, text: Buffer.concat(chunks).toString() };
}

async function run(task: PredecessorTask): Promise<PredecessorResult> {
  const begin = performance.now();
  const documents = await (task.operation === 'backup' ? backUp(task) : restore(task));
  agent.destroy();
  return { seconds: (performance.now() - begin) / 1000, documents };
}

process.once('message', (task: PredecessorTask) => {
  run(task).then(
    (result) => process.send!(result, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
