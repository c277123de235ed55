import { keyOfUnkeyed } from '../../archive/digest.ts';
import type { BlockBatch } from '../../archive/reader.ts';
import { BackupError, toBackupError } from '../../kernel/errors.ts';
import type { OnEvent } from '../../kernel/events.ts';
import { decodedKey } from '../../kernel/json/strings.ts';
import type { Platform } from '../../kernel/platform.ts';
import { type Scratch, SortedRuns } from '../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../model/document.ts';
import { type ReportedError, reportError } from '../../model/report.ts';
import { isNumericKey, nameOfDocument, payload, payloadIdText, scanKeyText } from '../../model/shape.ts';
import type { CollectionPages } from '../../sources/source.ts';
import type { TargetCollection } from '../../sources/target.ts';
import type { Addresses } from './addresses.ts';
import { ACTION, VERB } from './match.ts';
import { FATE, type Fate, OUTCOME } from './outcomes.ts';
import { HASH_BYTES, RecordCursor, sameBytes, writeKey } from './records.ts';

/** Writes under way at the same time; how many of them are sent at once is the client's affair. */
const WRITES_IN_FLIGHT = 32;
const ERRORS_LISTED_MAX = 20;
/** A target that refuses more documents than this refuses them all: going on would only take time. */
const REFUSED_MAX = 1000;
/** Nobody has so many documents: asks whether the target answers, not for any of them. */
const OFFSET_BEHIND_THE_END = 1_000_000_000;

export interface Applied {
  /** What became of each document that was to be written (OUTCOME). To be closed. */
  readonly outcomes: SortedRuns;
  /** How many documents met which fate, by fate. */
  readonly fates: number[];
  /** The first few refusals. */
  readonly errors: ReportedError[];
}

export interface ApplyTask {
  readonly platform: Platform;
  readonly scratch: Scratch;
  readonly object: string;
  readonly shape: DocumentShape;
  readonly batches: AsyncIterable<BlockBatch>;
  readonly actions: SortedRuns;
  /** True if these documents were written before in this restore. */
  readonly again: boolean;
  readonly addresses: Addresses;
  readonly collection: TargetCollection;
  readonly pages: CollectionPages;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal | undefined;
}

/**
 * Carries out the actions of a plan while the archive is read a second time. A document that the target refuses is
 * counted and the others go on; anything else that fails ends it, with what was done so far in the error. While the
 * target does not answer nothing more is sent: each write would be one more in doubt.
 */
export async function applyActions(task: ApplyTask): Promise<Applied> {
  const outcomes = new SortedRuns(task.scratch, OUTCOME.width);
  const applied: Applied = { outcomes, fates: Object.values(FATE).map(() => 0), errors: [] };
  const total = task.actions.count;
  const cursor = await RecordCursor.open(task.actions);
  const inFlight = new Set<Promise<void>>();
  let onEnd = (): void => {};
  /** Not Promise.race, which would leave a trace on each of the writes every time. */
  const oneLess = () =>
    new Promise<void>((resolve) => {
      onEnd = resolve;
    });
  /** Outcomes not yet noted: only one at a time may add to sorted runs. */
  const settled: Buffer[] = [];
  const outage: { over: Promise<void> | null } = { over: null };
  let failure: BackupError | null = null;
  /** Names of documents that were deleted and could not be inserted again. */
  const lost: string[] = [];
  let done = 0;

  const awaitAnswers = (): Promise<void> => {
    outage.over ??= untilAnswering(task)
      .catch((thrown: unknown) => {
        failure ??= toBackupError(thrown);
      })
      .finally(() => {
        outage.over = null;
      });
    return outage.over;
  };

  const settle = (action: Buffer, fate: Fate): void => {
    applied.fates[fate]!++;
    const outcome = Buffer.alloc(OUTCOME.width);
    action.copy(outcome, OUTCOME.key, ACTION.key, ACTION.key + HASH_BYTES);
    outcome[OUTCOME.fate] = fate;
    outcome.writeUInt32BE(action.readUInt32BE(ACTION.block), OUTCOME.block);
    settled.push(outcome);
  };

  const write = async (batch: BlockBatch, index: number, action: Buffer): Promise<void> => {
    try {
      const fate = await writeDocument(task, batch, index, action);
      settle(action, fate);
      if (fate === FATE.insertInDoubt || fate === FATE.replacementInDoubt) await awaitAnswers();
    } catch (thrown) {
      const name = nameOfDocument(batch, index, task.shape);
      const error = toBackupError(thrown, { object: name });
      if (thrown instanceof DeletedForGood) lost.push(name);
      if (error.code !== 'SOURCE_REFUSED') {
        failure ??= error;
        return;
      }
      settle(action, FATE.refused);
      if (applied.fates[FATE.refused]! > REFUSED_MAX) failure ??= error;
      if (applied.errors.length < ERRORS_LISTED_MAX) applied.errors.push(reportError(error));
    }
  };

  const noteSettled = async (): Promise<void> => {
    for (const outcome of settled.splice(0)) {
      if (outcomes.full) await outcomes.flush();
      outcome.copy(outcomes.slot());
      outcomes.added();
    }
  };

  const writeAll = async (): Promise<void> => {
    for await (const batch of task.batches) {
      const actions = await actionsOfBlock(cursor, batch.block);
      if (actions.size === 0) continue;
      for (let index = 0; index < batch.spans.count; index++) {
        const action = actions.get(recordKey(task, batch, index));
        if (action === undefined) continue;
        if (inFlight.size >= WRITES_IN_FLIGHT) await oneLess();
        await outage.over;
        await noteSettled();
        if (failure !== null) break;
        const writing = write(batch, index, action).finally(() => {
          inFlight.delete(writing);
          onEnd();
        });
        inFlight.add(writing);
        done++;
        if (done % 100 === 0 || done === total) {
          task.onEvent({
            type: 'progress',
            object: task.object,
            phase: 'apply',
            unit: 'documents',
            done,
            total,
          });
        }
      }
      if (failure !== null) break;
    }
  };
  try {
    await writeAll();
  } catch (thrown) {
    failure ??= toBackupError(thrown);
  }
  await Promise.all(inFlight);
  await noteSettled();
  if (failure === null) return applied;
  await outcomes.close();
  throw interrupted(failure, applied, task, lost);
}

/** Resolves as soon as the target answers again, whatever it says; rejects when patience ends. */
async function untilAnswering({ pages, signal }: ApplyTask): Promise<void> {
  try {
    await pages.page({ limit: 1, offset: OFFSET_BEHIND_THE_END }, signal);
  } catch (error) {
    if (!(error instanceof BackupError) || error.temporary) throw error;
  }
}

/** Runs one action; resolves with what became of the document. */
async function writeDocument(
  task: ApplyTask,
  batch: BlockBatch,
  index: number,
  action: Buffer,
): Promise<Fate> {
  const { collection, shape, signal } = task;
  const text = payload(batch, index, shape);
  const verb = action[ACTION.verb];
  if (verb === VERB.create || verb === VERB.createAlone) {
    const ownKey = keyToInsert(batch, index, shape);
    const { kind } = await collection.insert(ownKey, text, signal);
    if (kind !== 'exists') return kind === 'done' ? FATE.created : FATE.insertInDoubt;
    if (verb === VERB.createAlone) return FATE.taken;
    // somebody has inserted it since the target was read
    if (ownKey === null)
      throw new BackupError('SOURCE_REFUSED', 'the target says that a document without a key exists');
    return await replaceAt(task, ownKey, text, FATE.replaced);
  }
  const address = await task.addresses.read(action, ACTION.place);
  if (verb === VERB.recreate) return await recreate(task, address!, text);
  return await replaceAt(
    task,
    address!,
    text,
    verb === VERB.replaceAgain ? FATE.replacedAgain : FATE.replaced,
  );
}

async function replaceAt(task: ApplyTask, key: Uint8Array, text: Uint8Array, done: Fate): Promise<Fate> {
  const { kind } = await task.collection.replace(key, text, task.signal);
  if (kind === 'done') return done;
  return kind === 'gone' ? FATE.gone : FATE.replacementInDoubt;
}

/** What recreate throws where a document was deleted and could not be inserted again. */
class DeletedForGood extends BackupError {}

/**
 * Deletes a document and inserts it again, under the same key where the server takes keys. A stop is heeded before the
 * deletion, not between the two.
 */
async function recreate({ collection, signal }: ApplyTask, key: Uint8Array, text: Uint8Array): Promise<Fate> {
  signal?.throwIfAborted();
  const deletion = await collection.delete(key);
  if (deletion.kind === 'in-doubt') return FATE.replacementInDoubt;
  try {
    const { kind } = await collection.insert(key, text);
    return kind === 'done' ? FATE.recreated : FATE.insertInDoubt;
  } catch (thrown) {
    const { code, message, cure, object, temporary } = toBackupError(thrown);
    throw new DeletedForGood(code, `${message}; it had been deleted in order to be inserted again`, {
      ...(cure !== undefined && { cure }),
      ...(object !== undefined && { object }),
      kept: 'The backup holds it; in the target it is gone.',
      temporary,
      cause: thrown,
    });
  }
}

/** The key that a document is inserted under: its scan key; of a row, whose key is the server's, its payload's id. */
function keyToInsert(batch: BlockBatch, index: number, shape: DocumentShape): Uint8Array | null {
  const own = shape === 'row' ? payloadIdText(batch, index, shape) : null;
  return own ?? scanKeyText(batch, index, shape);
}

/** The key of a document as records have it (latin1). */
function recordKey(task: ApplyTask, batch: BlockBatch, index: number): string {
  const { codec } = task.platform;
  const { bytes, spans } = batch;
  const text = scanKeyText(batch, index, task.shape);
  const key =
    text === null
      ? keyOfUnkeyed(codec.sha256(bytes.subarray(spans.start(index), spans.end(index))))
      : decodedKey(text, 0, text.length);
  const record = Buffer.alloc(HASH_BYTES);
  writeKey(record, 0, codec.sha256(key), isNumericKey(text));
  return record.toString('latin1');
}

/** The actions of one block by scan key hash (latin1). Blocks are asked for in ascending order. */
async function actionsOfBlock(cursor: RecordCursor, block: number): Promise<ReadonlyMap<string, Buffer>> {
  const actions = new Map<string, Buffer>();
  const wanted = Buffer.alloc(4);
  wanted.writeUInt32BE(block);
  while (cursor.current !== null && cursor.current.compare(wanted, 0, 4, 0, 4) < 0) await cursor.advance();
  while (cursor.current !== null && sameBytes(cursor.current, 0, wanted, 0, 4)) {
    actions.set(
      cursor.current.toString('latin1', ACTION.key, ACTION.key + HASH_BYTES),
      Buffer.from(cursor.current),
    );
    await cursor.advance();
  }
  return actions;
}

function interrupted(
  failure: BackupError,
  { fates }: Applied,
  { actions, again }: ApplyTask,
  lost: readonly string[],
): BackupError {
  const sum = (...some: Fate[]): number => some.reduce<number>((total, fate) => total + fates[fate]!, 0);
  const written = sum(FATE.created, FATE.replaced, FATE.replacedAgain, FATE.recreated);
  const inDoubt = sum(FATE.insertInDoubt, FATE.replacementInDoubt);
  const doubt = inDoubt === 0 ? '' : ` ${inDoubt} were sent and got no answer;`;
  const listed = lost.slice(0, ERRORS_LISTED_MAX).join(', ');
  const gone =
    lost.length === 0
      ? ''
      : ` ${lost.length} were deleted to be inserted again and could not be: in the target they are gone, the backup holds them (${listed});`;
  const kept = again
    ? `All documents were written once; ${written} of ${actions.count} that had to be written again were;${doubt}${gone} the others of these are as they were.`
    : `${written} of ${actions.count} documents were written;${doubt}${gone} the others are as they were.`;
  return new BackupError(failure.code, failure.message, {
    operation: 'restore',
    ...(failure.object === undefined ? {} : { object: failure.object }),
    kept,
    cure: `${failure.cure ?? 'Mend the cause.'} Then run the same command again: what is restored already is left alone.`,
    temporary: failure.temporary,
    cause: failure,
  });
}
