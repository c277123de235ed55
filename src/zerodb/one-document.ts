import type { HttpResponse } from '../kernel/http.ts';
import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { decodedKey } from '../kernel/json/strings.ts';
import { type DocumentBatch, MEMBERS, type Member } from '../model/document.ts';
import { errorFields, failureOf, isSuccess, statedMessage } from './answers.ts';
import type { Task, ZerodbClient } from './client.ts';
import { LONE_DOCUMENT_BYTES_MAX, readAnswer, withoutMark } from './pages.ts';

export interface NamedDocument {
  /** Names, not yet encoded, of the path to the document. */
  readonly path: readonly string[];
  /** JSON text of its scan key, and the member in which the server gives it. */
  readonly key: Uint8Array;
  readonly keyMember: Member;
}

/** The one document that a path names; null if the server says that it has none. */
export async function readDocument(
  client: ZerodbClient,
  named: NamedDocument,
  task: Task,
  signal: AbortSignal | undefined,
): Promise<DocumentBatch | null> {
  const request = {
    method: 'GET',
    path: named.path,
    repeatable: true,
    bodyBytesMax: LONE_DOCUMENT_BYTES_MAX,
    signal,
  } as const;
  return await readAnswer(client, request, task, (response) => {
    if (saysNoDocument(response)) return null;
    if (!isSuccess(response)) throw failureOf(response, client.about(task));
    return scanDocument(response.body, named);
  });
}

/** False where it is not the document that is missing: the collection, the project, or the route. */
function saysNoDocument(response: HttpResponse): boolean {
  if (response.status === 410) return true;
  if (response.status !== 404) return false;
  const message = statedMessage(response);
  const { code } = errorFields(response);
  const bare = message === null || message === 'Not Found'; // what frameworks say of a route that is not there
  return (
    !(bare && code === null) &&
    !/TABLE|COLLECTION|PROJECT|PATH/.test(code ?? '') &&
    !/^(table|collection|project)\b/i.test(message ?? '')
  );
}

/** It must have the very key that was asked for: else it is another document, or an error in other words. */
function scanDocument(body: Uint8Array, { key, keyMember }: NamedDocument): DocumentBatch {
  const bytes = withoutMark(body);
  const scanner = new DocumentScanner(MEMBERS, null);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  const { spans, lineBreaks } = scanner;
  if (spans.count !== 1 || scanner.endsWithComma || !spans.hasMember(0, keyMember)) {
    throw new JsonMalformed('the answer is not a document', 0);
  }
  const [start, end] = [spans.memberStart(0, keyMember), spans.memberEnd(0, keyMember)];
  const found = decodedKey(bytes, start, end);
  if (!Buffer.from(found).equals(decodedKey(key, 0, key.length))) {
    throw new JsonMalformed('the answer is another document', start);
  }
  return { bytes, spans, ...(lineBreaks > 0 && { lineBreaks }) };
}
