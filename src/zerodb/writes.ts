import { BackupError } from '../kernel/errors.ts';
import { HttpFailure, type HttpResponse } from '../kernel/http.ts';
import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { usableKey } from '../kernel/json/strings.ts';
import { printable, truncated } from '../kernel/printable.ts';
import { MEMBERS, type Member } from '../model/document.ts';
import type { WriteOutcome } from '../sources/target.ts';
import { errorFields, failureOf, isSuccess, isWebPage, saysExists } from './answers.ts';
import type { ClientRequest, Task, ZerodbClient } from './client.ts';
import { shownKey } from './document-name.ts';

/** The document with this key, in words. */
export function documentTask(verb: string, collection: string, key: Uint8Array | null): Task {
  const name = key === null ? 'a document without key' : `document ${shownKey(key)}`;
  return {
    task: `${verb} ${name} of ${shownName(collection)}`,
    object: `${collection}/${key && shownKey(key)}`,
  };
}

export function shownName(collection: string): string {
  return `collection "${printable(truncated(collection, 100))}"`;
}

/**
 * Sends one insert, replacement or deletion; `wantBody` where its answer says how many documents there were, or under which key. Whether it happened is certain after any answer below 500; after a lost answer,
 * a 5xx or a web page it is in doubt.
 */
export async function write(client: ZerodbClient, request: ClientRequest, task: Task): Promise<WriteAnswer> {
  let response: HttpResponse;
  try {
    response = await client.send({ wantBody: false, ...request }, task);
  } catch (error) {
    const lost =
      error instanceof HttpFailure || (error instanceof BackupError && error.code === 'SOURCE_FAILED');
    if (!lost) throw error;
    return { kind: 'in-doubt', message: error.message };
  }
  const failure = () => failureOf(response, client.about(task));
  if (response.status >= 500) return { kind: 'in-doubt', message: failure().message };
  if (isSuccess(response)) {
    if (!isWebPage(response)) return { kind: 'done', response };
    return { kind: 'in-doubt', message: `cannot ${task.task}: the server answered with an HTML page` };
  }
  return { kind: 'refused', response, failure };
}

export type WriteAnswer =
  | { readonly kind: 'done'; readonly response: HttpResponse }
  | { readonly kind: 'in-doubt'; readonly message: string }
  | { readonly kind: 'refused'; readonly response: HttpResponse; failure(): BackupError };

/**
 * What an answer to an insert means. Refused: the key is taken, or it failed.
 *
 * @param keyMember in which the server says which key it has given
 */
export function insertOutcome(answer: WriteAnswer, keyMember: Member | null = null): WriteOutcome {
  if (answer.kind === 'done') {
    const key = keyMember === null ? null : givenKey(answer.response.body, keyMember);
    return key === null ? DONE : { kind: 'done', key };
  }
  if (answer.kind === 'in-doubt') return answer;
  if (saysExists(answer.response)) return { kind: 'exists' };
  throw answer.failure();
}

/** What a refusal means of a request that names one document: the document is gone, or it failed. */
export function outcomeByKey(answer: WriteAnswer): WriteOutcome {
  if (answer.kind === 'done') return DONE;
  if (answer.kind === 'in-doubt') return answer;
  const { status } = answer.response;
  const missing = status === 404 || status === 410;
  if (missing && !/TABLE|COLLECTION|PROJECT|PATH/.test(errorFields(answer.response).code ?? ''))
    return { kind: 'gone' };
  throw answer.failure();
}

const DONE = { kind: 'done' } as const;
const SCANNER = new DocumentScanner(MEMBERS, null);

/** Null where the answer does not say: then the document is found when the collection is read. */
function givenKey(body: Uint8Array, member: Member): Uint8Array | null {
  try {
    SCANNER.restart(0);
    SCANNER.advance(body, body.length);
    SCANNER.finish();
  } catch (thrown) {
    if (thrown instanceof JsonMalformed) return null;
    throw thrown;
  }
  const { spans } = SCANNER;
  if (spans.count !== 1 || !spans.hasMember(0, member)) return null;
  const [start, end] = [spans.memberStart(0, member), spans.memberEnd(0, member)];
  return usableKey(body, start, end) ? Buffer.from(body.subarray(start, end)) : null;
}
