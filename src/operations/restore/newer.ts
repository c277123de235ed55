import { lineBatch } from '../../archive/document-lines.ts';
import { printable, truncated } from '../../kernel/printable.ts';
import { MEMBER } from '../../model/document.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { ReportedWarning } from '../../model/report.ts';
import { nameOfDocument, payload } from '../../model/shape.ts';
import { liveDocument } from './keep/pre-images.ts';
import { RecordCursor } from './match/records.ts';
import type { TargetReading, TargetState } from './target/reading.ts';
import { type Actions, DELETION } from './write/actions.ts';

const NAMES_MAX = 20;

/**
 * Names the documents to be deleted that were created after the backup began: it cannot hold them, and they may be wanted.
 * Goes by the `created_at` of the document, or of its payload.
 */
export async function newerDocuments(
  reading: TargetReading,
  state: TargetState,
  { deletions }: Actions,
  manifest: Manifest,
): Promise<ReportedWarning[]> {
  const begun = Date.parse(manifest.window.start);
  const names: string[] = [];
  let count = 0;
  for (const cursor = await RecordCursor.open(deletions); cursor.current !== null; await cursor.advance()) {
    const live = await liveDocument(reading, state, cursor.current, DELETION.place);
    if (live === null || !(createdAt(live, state) > begun)) continue;
    count++;
    if (names.length < NAMES_MAX) names.push(truncated(nameOfDocument(lineBatch(live), 0, state.shape), 100));
  }
  if (count === 0) return [];
  const more = count > names.length ? ' and others' : '';
  return [
    {
      code: 'NEWER_DELETED',
      message: `${count} of the documents to be deleted were created after the backup began: ${printable(names.join(', '))}${more}`,
      object: reading.collection.collection,
    },
  ];
}

/** Milliseconds since 1970; NaN where the document does not say. */
function createdAt(live: Uint8Array, { shape }: TargetState): number {
  const whole = lineBatch(live);
  const inner = lineBatch(payload(whole, 0, shape));
  for (const { bytes, spans } of [whole, inner]) {
    if (spans.count === 0 || !spans.hasMember(0, MEMBER.createdAt)) continue;
    const text = Buffer.from(
      bytes.subarray(spans.memberStart(0, MEMBER.createdAt), spans.memberEnd(0, MEMBER.createdAt)),
    ).toString('utf8');
    const time = Date.parse(text.replaceAll('"', '').replace(/(?<=T[\d:.]+)$/, 'Z'));
    if (!Number.isNaN(time)) return time;
  }
  return Number.NaN;
}
