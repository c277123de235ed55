import { DocumentScanner } from '../kernel/json/document-scanner.ts';
import { MEMBERS } from '../model/document.ts';

const LINE_FEED = 0x0a;

/**
 * Finds the documents in the text of a block: one a line, with `,\n` between them and `,\n` or `\n` at the end.
 * `damaged` makes the error that is thrown where the text is not so.
 */
export function scanDocumentLines(
  text: Buffer,
  damaged: (what: string, cause?: unknown) => Error,
): DocumentScanner {
  const scanner = new DocumentScanner(MEMBERS, null);
  try {
    scanner.advance(text, text.length);
    scanner.finish();
  } catch (cause) {
    throw damaged(`holds text that is not a document: ${(cause as Error).message}`, cause);
  }
  const { spans, lineBreaks } = scanner;
  let expected = 0;
  let wellFormed = lineBreaks === 0 && spans.count > 0;
  for (let index = 0; index < spans.count; index++) {
    const start = spans.start(index);
    wellFormed &&= start === expected && (index === 0 || text[start - 1] === LINE_FEED);
    expected = spans.end(index) + 2;
  }
  if (!scanner.endsWithComma) expected--;
  if (!wellFormed || expected !== text.length || text.at(-1) !== LINE_FEED) {
    throw damaged('does not hold one document a line');
  }
  return scanner;
}

/** The members of an archive's header line; throws where the text is none. */
export function parseHeaderLine(text: Buffer): Readonly<Record<string, unknown>> {
  const line = text.toString('utf8');
  if (!line.endsWith('"documents":[\n')) throw new Error('no list of documents');
  return JSON.parse(`${line}]}`) as Record<string, unknown>;
}

/** Whether the text of a block is the trailer, or goes on with it: no document begins so. */
export function beginsTrailer(text: Buffer): boolean {
  return text[0] === 0x5d;
}
