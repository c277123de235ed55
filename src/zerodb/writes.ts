import { BackupError } from '../kernel/errors.ts';
import { HttpFailure, type HttpResponse } from '../kernel/http.ts';
import { printable, truncated } from '../kernel/printable.ts';
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
 * Sends one insert, replacement or deletion; `wantBody` where its answer says how many documents there were. Whether it happened is certain after any answer below 500; after a lost answer,
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

/** What a refused insert means: the key is taken, or it failed. */
export function insertOutcome(answer: WriteAnswer): WriteOutcome {
  if (answer.kind === 'done') return { kind: 'done' };
  if (answer.kind === 'in-doubt') return answer;
  if (saysExists(answer.response)) return { kind: 'exists' };
  throw answer.failure();
}

/** What a refusal means of a request that names one document: the document is gone, or it failed. */
export function outcomeByKey(answer: WriteAnswer): WriteOutcome {
  if (answer.kind === 'done') return { kind: 'done' };
  if (answer.kind === 'in-doubt') return answer;
  const { status } = answer.response;
  const missing = status === 404 || status === 410;
  if (missing && !/TABLE|COLLECTION|PROJECT|PATH/.test(errorFields(answer.response).code ?? ''))
    return { kind: 'gone' };
  throw answer.failure();
}
