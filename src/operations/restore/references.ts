import type { Codec } from '../../kernel/codec.ts';
import { decodedKey, usableKey } from '../../kernel/json/strings.ts';
import { ValueEnd } from '../../kernel/json/value-end.ts';
import { printable, truncated } from '../../kernel/printable.ts';
import { SortedRuns } from '../../kernel/sorted-runs.ts';
import type { ReportedWarning } from '../../model/report.ts';
import { nameOfDocument, payload } from '../../model/shape.ts';
import { HASH_BYTES, RecordCursor, writeKey } from './match/records.ts';
import type { Material } from './material.ts';
import { HashFilter } from './target/hash-filter.ts';
import type { TargetReading } from './target/reading.ts';
import { ACTION, type Actions, VERB } from './write/actions.ts';

const NAMES_MAX = 20;
const QUOTE = 0x22;
const COLON = 0x3a;

/**
 * Values in the documents of a backup that equal keys which its documents lose when the server chooses new ones: they
 * may be references, which would lead nowhere. Looks at every string and number of every payload, member names aside.
 */
export async function referencesToLostKeys(
  { platform, scratch, collection, signal }: TargetReading,
  material: Material,
  actions: Actions,
): Promise<ReportedWarning[]> {
  const lost = new SortedRuns(scratch, HASH_BYTES);
  const found = new SortedRuns(scratch, HASH_BYTES);
  await using _ = {
    async [Symbol.asyncDispose]() {
      await lost.close();
      await found.close();
    },
  };
  const filter = await noteLostKeys(actions, lost);
  if (lost.count === 0) return [];
  const { codec } = platform;
  const names: string[] = [];
  let documents = 0;
  for await (const batch of material.batches(signal)) {
    for (let index = 0; index < batch.spans.count; index++) {
      let mayRefer = false;
      for (const key of keysIn(codec, payload(batch, index, material.shape))) {
        if (!filter.mayHold(key.toString('latin1', 0, HASH_BYTES))) continue;
        if (found.full) await found.flush();
        key.copy(found.slot());
        found.added();
        mayRefer = true;
      }
      if (!mayRefer) continue;
      documents++;
      if (names.length < NAMES_MAX) names.push(nameOfDocument(batch, index, material.shape));
    }
  }
  const count = await countCommon(lost, found);
  if (count === 0) return [];
  const more = documents > names.length ? ' and others' : '';
  const listed = names.map((name) => printable(truncated(name, 100))).join(', ');
  return [
    {
      code: 'REFERENCES_CHANGE',
      message: `${count} values in documents equal row ids that change, and may be references to them (in ${listed}${more})`,
      object: collection.collection,
    },
  ];
}

async function noteLostKeys({ writes }: Actions, lost: SortedRuns): Promise<HashFilter> {
  const filter = new HashFilter(20);
  for (const cursor = await RecordCursor.open(writes); cursor.current !== null; await cursor.advance()) {
    const action: Buffer = cursor.current;
    if (action[ACTION.verb] !== VERB.create && action[ACTION.verb] !== VERB.createAlone) continue;
    if (lost.full) await lost.flush();
    action.copy(lost.slot(), 0, ACTION.key, ACTION.verb);
    lost.added();
    filter.add(action.toString('latin1', ACTION.key, ACTION.verb));
  }
  return filter;
}

/** Hashes, as records have them, of all strings and numbers in a JSON text that could be keys; a view that is valid until the next. */
function* keysIn(codec: Codec, json: Uint8Array): Generator<Buffer> {
  const piece = {
    bytes: json,
    words: new DataView(json.buffer, json.byteOffset, json.length),
    end: json.length,
  };
  const value = new ValueEnd();
  const key = Buffer.alloc(HASH_BYTES);
  for (let at = 0; at < json.length; ) {
    const byte = json[at]!;
    const isText = byte === QUOTE;
    const isNumber = byte === 0x2d || (byte >= 0x30 && byte <= 0x39);
    if (!isText && !isNumber) {
      at++;
      continue;
    }
    const found = value.find(piece, at, false);
    const end = found < 0 ? json.length : found;
    if (!(isText && isName(json, end)) && usableKey(json, at, end)) {
      writeKey(key, 0, codec.sha256(decodedKey(json, at, end)), isNumber);
      yield key;
    }
    value.restart();
    at = end;
  }
}

function isName(json: Uint8Array, end: number): boolean {
  let at = end;
  while (json[at] === 0x20 || json[at] === 0x0a || json[at] === 0x0d || json[at] === 0x09) at++;
  return json[at] === COLON;
}

/** How many records of `found` are among `keys`. */
async function countCommon(keys: SortedRuns, found: SortedRuns): Promise<number> {
  const key = await RecordCursor.open(keys);
  let count = 0;
  for (const cursor = await RecordCursor.open(found); cursor.current !== null; await cursor.advance()) {
    if (await key.seek(cursor.current, 0)) count++;
  }
  return count;
}
