import { DocumentHasher } from '../../../archive/document-hashes.ts';
import { lineBatch } from '../../../archive/document-lines.ts';
import { hexOf } from '../../../kernel/codec.ts';
import { BackupError } from '../../../kernel/errors.ts';
import { DocumentScanner } from '../../../kernel/json/document-scanner.ts';
import { MemberNames } from '../../../kernel/json/member-names.ts';
import { changedMembers } from '../../../kernel/json/members.ts';
import { payload, scanKeyText } from '../../../model/shape.ts';
import { HASH_BYTES, identityOf, RecordCursor } from '../match/records.ts';
import type { PlanParts } from '../plan.ts';
import { ACTION, DELETION } from '../write/actions.ts';
import { keyToInsert } from '../write/apply.ts';
import { type DocumentOfAction, documentsOfActions } from '../write/documents-of-actions.ts';
import { valueHash } from '../write/values.ts';
import { liveDocument } from './pre-images.ts';

/**
 * What a plan does to one document, as it is kept and shown: a JSON object in this order.
 *
 * - `id`: what the document is called, its key in the backup (of what is deleted, in the target); left out if it has none
 * - `do`: `create`, `replace` or `delete`
 * - `at`: its key in the target, where that is another; `null` if the server will choose one
 * - `before`, `after`: hashes of the payload that is there, and that will be: the first 128 bits of SHA-256 in hex
 * - `fields`: of what is replaced, the members that will be another, new or gone; left out where either is no object
 * - `identity`, `by_content`: for targets that choose keys, and for documents without any, what the document is known by there
 */
export interface Change {
  readonly do: 'create' | 'replace' | 'delete';
  /** JSON texts. */
  readonly id: Uint8Array | null;
  readonly at: Uint8Array | null;
  /** Latin1. */
  readonly before: string | null;
  readonly after: string | null;
  readonly fields: readonly string[] | null;
  readonly identity: string | null;
  readonly byContent: boolean;
}

/** Everything that a plan does, as JSON texts: first what is written, in the order of the material, then what is deleted. */
export async function* changesOf(
  parts: PlanParts,
  signal?: AbortSignal,
  onChange: (change: Change) => Promise<void> = async () => {},
): AsyncGenerator<Uint8Array> {
  const { material, actions, state, reading } = parts;
  const { codec } = reading.platform;
  const hasher = new DocumentHasher(codec, material.shape);
  for await (const document of documentsOfActions(codec, material, actions.writes, signal)) {
    const change = await changeOfWrite(parts, hasher, document, signal);
    await onChange(change);
    yield changeText(change);
  }
  for (
    const cursor = await RecordCursor.open(actions.deletions);
    cursor.current !== null;
    await cursor.advance()
  ) {
    const deletion: Buffer = cursor.current;
    const key = await state.live.readKey(deletion, DELETION.place);
    const before = deletion.toString('latin1', DELETION.payload, DELETION.place);
    yield changeText({
      do: 'delete',
      id: key,
      at: key,
      before,
      after: null,
      fields: null,
      ...(await idOfDeleted(parts, deletion, signal)),
    });
  }
}

/** What a document is known by that comes back under another key. */
async function idOfDeleted(
  { state, reading }: PlanParts,
  deletion: Buffer,
  signal: AbortSignal | undefined,
): Promise<Pick<Change, 'identity' | 'byContent'>> {
  const { codec } = reading.platform;
  const live = reading.collection.traits.serverGivenKeys
    ? await liveDocument({ ...reading, signal }, state, deletion, DELETION.place)
    : null;
  if (live === null) return { identity: null, byContent: false };
  const batch = lineBatch(live);
  const hashes = new DocumentHasher(codec, state.shape).read(batch, 0);
  const { identity, byContent } = identityOf(hashes, false, () => valueHash(codec, batch, 0, state.shape));
  return { identity: identity.toString('latin1'), byContent };
}

async function changeOfWrite(
  { material, state, reading }: PlanParts,
  hasher: DocumentHasher,
  { batch, index, action }: DocumentOfAction,
  signal: AbortSignal | undefined,
): Promise<Change> {
  const { codec } = reading.platform;
  const { serverGivenKeys } = reading.collection.traits;
  const { shape } = material;
  const hashes = hasher.read(batch, index);
  const live = await state.live.readKey(action, ACTION.place);
  const before =
    live === null ? null : await liveDocument({ ...reading, signal }, state, action, ACTION.place);
  const { identity, byContent } = identityOf(hashes, !serverGivenKeys, () =>
    valueHash(codec, batch, index, shape),
  );
  return {
    do: live === null ? 'create' : 'replace',
    id: scanKeyText(batch, index, shape),
    at: live ?? (serverGivenKeys ? null : keyToInsert(batch, index, shape)),
    before: live === null ? null : action.toString('latin1', ACTION.before, ACTION.width),
    after: hashes.payloadHash.slice(0, HASH_BYTES),
    fields:
      before === null
        ? null
        : changedMembers(payload(lineBatch(before), 0, state.shape), payload(batch, index, shape)),
    // what has no key at all is known by its bytes
    identity: serverGivenKeys || hashes.unkeyed ? identity.toString('latin1') : null,
    byContent,
  };
}

/** Built as one latin1 text, which takes keys of any bytes as they are. */
function changeText(change: Change): Uint8Array {
  const { id, at, before, after, fields, identity } = change;
  let text = `"do":"${change.do}"`;
  if (!sameText(id, at)) text += `,"at":${at === null ? 'null' : latin1(at)}`;
  if (before !== null) text += `,"before":"${hexOf(before)}"`;
  if (after !== null) text += `,"after":"${hexOf(after)}"`;
  if (fields !== null) text += `,"fields":${latin1(Buffer.from(JSON.stringify(fields), 'utf8'))}`;
  if (identity !== null) text += `,"identity":"${hexOf(identity)}"`;
  if (change.byContent) text += ',"by_content":true';
  return Buffer.from(id === null ? `{${text}}` : `{"id":${latin1(id)},${text}}`, 'latin1');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function sameText(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a !== null && b !== null && Buffer.compare(a, b) === 0;
}

const NAMES = ['id', 'do', 'at', 'before', 'after', 'identity', 'by_content'] as const;
const SCANNER = new DocumentScanner(new MemberNames(NAMES), null);

/** Reads a change again. Throws RECORD_DAMAGED. */
export function parseChange(text: Uint8Array): Change {
  SCANNER.restart(0);
  SCANNER.advance(text, text.length);
  SCANNER.finish();
  const { spans } = SCANNER;
  const value = (name: (typeof NAMES)[number]): Buffer | null => {
    const member = NAMES.indexOf(name);
    if (!spans.hasMember(0, member)) return null;
    return Buffer.from(text.subarray(spans.memberStart(0, member), spans.memberEnd(0, member)));
  };
  const verb = value('do')?.toString('latin1');
  const id = value('id');
  const at = value('at');
  const hash = (name: 'before' | 'after' | 'identity'): string | null => {
    const hex = value(name)?.toString('latin1') ?? null;
    if (hex === null) return null;
    if (!/^"[0-9a-f]{32}"$/.test(hex)) throw notAChange();
    return Buffer.from(hex.slice(1, -1), 'hex').toString('latin1');
  };
  const change: Change = {
    do: verb === '"create"' ? 'create' : verb === '"replace"' ? 'replace' : 'delete',
    id,
    at: at === null ? id : at.equals(NULL) ? null : at,
    before: hash('before'),
    after: hash('after'),
    fields: null,
    identity: hash('identity'),
    byContent: value('by_content') !== null,
  };
  const whole =
    (change.do === 'create' || change.before !== null) && (change.do === 'delete' || change.after !== null);
  if (!whole || (change.do === 'delete' && verb !== '"delete"')) throw notAChange();
  return change;
}

const NULL = Buffer.from('null');

function notAChange(): BackupError {
  return new BackupError('RECORD_DAMAGED', 'the record of a restore holds a line that is no change', {
    cure: 'Restore a backup that is older than that restore: `list` shows them.',
  });
}
