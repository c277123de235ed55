import type { HttpResponse } from '../kernel/http.ts';
import { DocumentScanner, JsonMalformed } from '../kernel/json/document-scanner.ts';
import { MemberNames } from '../kernel/json/member-names.ts';
import type { Patience } from '../kernel/retry.ts';
import { withPatience } from '../kernel/retry.ts';
import { MEMBERS } from '../model/document.ts';
import type { Page, PageQuery } from '../sources/source.ts';
import { failureOf, isSuccess, malformedAnswer } from './answers.ts';
import { type ClientRequest, PATIENCE, type Task, type ZerodbClient } from './client.ts';

/** Members under which servers put the list of an answer (zerodb-protocol.md §12, row 5). */
const LIST_NAMES = ['documents', 'rows', 'data', 'items', 'results', 'tables', 'objects'];
const ENVELOPE = { names: new MemberNames([...LIST_NAMES, 'total']), listNames: LIST_NAMES.length };
const TOTAL = LIST_NAMES.length;

/** Answers whose text ends early or is broken are asked for again, in case they were cut on their way. */
const MALFORMED_ATTEMPTS_MAX = 3;

/** One document, asked for alone, may be as large as any tool could handle. */
export const LONE_DOCUMENT_BYTES_MAX = 1 << 30;

/** How many bytes an answer to this query may have. */
export function pageBytesMax(query: PageQuery, configured: number): number {
  return query.limit === 1 ? Math.max(LONE_DOCUMENT_BYTES_MAX, configured) : configured;
}

/** Asks for a list and finds its entries, with the members that `members` names. */
export async function readList(
  client: ZerodbClient,
  request: ClientRequest,
  task: Task,
  members: MemberNames = MEMBERS,
): Promise<Page> {
  return await readAnswer(client, request, task, (response) => {
    if (!isSuccess(response)) throw failureOf(response, client.about(task));
    return scanList(response.body, members);
  });
}

/**
 * What `read` finds in the answer, whatever its status. Where it throws JsonMalformed, the answer is asked for again and
 * in the end refused.
 */
export async function readAnswer<Found>(
  client: ZerodbClient,
  request: ClientRequest,
  task: Task,
  read: (response: HttpResponse) => Found,
): Promise<Found> {
  const patience: Patience = {
    ...PATIENCE,
    attemptsMax: request.brief === true ? 1 : MALFORMED_ATTEMPTS_MAX,
  };
  return await withPatience(
    client.platform,
    patience,
    async () => {
      const response = await client.send(request, task);
      try {
        return { done: read(response) };
      } catch (error) {
        if (!(error instanceof JsonMalformed)) throw error;
        return { failure: malformedAnswer(response, client.about(task), error.message) };
      }
    },
    request.signal,
  );
}

/** The list in a whole answer: a bare one, or under the first of the usual names that holds one. */
export function scanList(body: Uint8Array, members: MemberNames): Page {
  const bytes = withoutMark(body);
  const scanner = new DocumentScanner(members, ENVELOPE);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  const { spans, lineBreaks, envelopeSpans } = scanner;
  const total = wholeNumber(bytes.subarray(envelopeSpans[2 * TOTAL], envelopeSpans[2 * TOTAL + 1]));
  return { bytes, spans, ...(total !== null && { total }), ...(lineBreaks > 0 && { lineBreaks }) };
}

/** Some servers put a mark of its encoding before the text. */
export function withoutMark(body: Uint8Array): Uint8Array {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

function wholeNumber(text: Uint8Array): number | null {
  if (text.length === 0 || text.length > 15) return null;
  const digits = Buffer.from(text).toString('latin1');
  return /^\d+$/.test(digits) ? Number(digits) : null;
}
