import { keyOfUnkeyed } from '../../archive/digest.ts';
import type { BlockBatch } from '../../archive/reader.ts';
import { BackupError, toBackupError } from '../../kernel/errors.ts';
import type { OnEvent } from '../../kernel/events.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { SortedRuns } from '../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../model/document.ts';
import { type ReportedError, reportError } from '../../model/report.ts';
import { nameOfDocument, payload, payloadIdText, scanKey, scanKeyText } from '../../model/shape.ts';
import type { CollectionPages } from '../../sources/source.ts';
import type { TargetCollection, WriteOutcome } from '../../sources/target.ts';
import type { Addresses } from './addresses.ts';
import { ACTION, CREATE } from './match.ts';
import { HASH_BYTES, RecordCursor, sameBytes } from './records.ts';

/** Writes under way at the same time; how many of them are sent at once is the client's affair. */
const WRITES_IN_FLIGHT = 32;
const ERRORS_LISTED_MAX = 20;
/** A target that refuses more documents than this refuses them all: going on would only take time. */
const REFUSED_MAX = 1000;
/** Nobody has so many documents: asks whether the target answers, not for any of them. */
const OFFSET_BEHIND_THE_END = 1_000_000_000;

export interface Applied {
  created: number;
  replaced: number;
  /** Scan key hashes (latin1, cut as in records) of documents that the target refused. */
  readonly refused: Set<string>;
  inDoubt: number;
  /** The first few refusals. */
  readonly errors: ReportedError[];
}

export interface ApplyTask {
  readonly platform: Platform;
  readonly object: string;
  readonly shape: DocumentShape;
  readonly batches: AsyncIterable<BlockBatch>;
  readonly actions: SortedRuns;
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
  const applied: Applied = { created: 0, replaced: 0, refused: new Set(), inDoubt: 0, errors: [] };
  const total = task.actions.count;
  const cursor = await RecordCursor.open(task.actions);
  const inFlight = new Set<Promise<void>>();
  const outage: { over: Promise<void> | null } = { over: null };
  let failure: BackupError | null = null;
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

  const write = async (batch: BlockBatch, index: number, action: Buffer): Promise<void> => {
    try {
      const kind = await writeDocument(task, batch, index, action);
      if (kind === 'in-doubt') {
        applied.inDoubt++;
        await awaitAnswers();
      } else applied[kind]++;
    } catch (thrown) {
      const name = nameOfDocument(batch, index, task.shape);
      const error = toBackupError(thrown, { object: name });
      if (error.code !== 'SOURCE_REFUSED') {
        failure ??= error;
        return;
      }
      applied.refused.add(action.toString('latin1', ACTION.key, ACTION.key + HASH_BYTES));
      if (applied.refused.size > REFUSED_MAX) failure ??= error;
      if (applied.errors.length < ERRORS_LISTED_MAX) applied.errors.push(reportError(error));
    }
  };

  const writeAll = async (): Promise<void> => {
    for await (const batch of task.batches) {
      const actions = await actionsOfBlock(cursor, batch.block);
      if (actions.size === 0) continue;
      for (let index = 0; index < batch.spans.count; index++) {
        const action = actions.get(scanKeyHash(task, batch, index));
        if (action === undefined) continue;
        while (inFlight.size >= WRITES_IN_FLIGHT) await Promise.race(inFlight);
        await outage.over;
        if (failure !== null) break;
        const writing = write(batch, index, action).finally(() => inFlight.delete(writing));
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
  if (failure !== null) throw interrupted(failure, applied, total);
  return applied;
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
): Promise<'created' | 'replaced' | 'in-doubt'> {
  const { collection, shape, signal } = task;
  const text = payload(batch, index, shape);
  const ownKey = keyToInsert(batch, index, shape);
  let outcome: WriteOutcome;
  if (action[ACTION.verb] === CREATE) {
    outcome = await collection.insert(ownKey, text, signal);
    if (outcome.kind === 'done') return 'created';
    if (outcome.kind === 'in-doubt') return 'in-doubt';
    // somebody has inserted it since the target was read
    if (ownKey === null)
      throw new BackupError('SOURCE_REFUSED', 'the target says that a document without a key exists');
    outcome = await collection.replace(ownKey, text, signal);
  } else {
    const address = await task.addresses.read(action, ACTION.place);
    outcome = await collection.replace(address!, text, signal);
  }
  return outcome.kind === 'in-doubt' ? 'in-doubt' : 'replaced';
}

/** The key that a document is inserted under: its scan key; of a row, whose key is the server's, its payload's id. */
function keyToInsert(batch: BlockBatch, index: number, shape: DocumentShape): Uint8Array | null {
  const own = shape === 'row' ? payloadIdText(batch, index, shape) : null;
  return own ?? scanKeyText(batch, index, shape);
}

function scanKeyHash(task: ApplyTask, batch: BlockBatch, index: number): string {
  const { codec } = task.platform;
  const { bytes, spans } = batch;
  const key = scanKey(batch, index, task.shape);
  return codec
    .sha256(key ?? keyOfUnkeyed(codec.sha256(bytes.subarray(spans.start(index), spans.end(index)))))
    .slice(0, HASH_BYTES);
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

function interrupted(failure: BackupError, applied: Applied, total: number): BackupError {
  const written = applied.created + applied.replaced;
  const doubt = applied.inDoubt === 0 ? '' : ` ${applied.inDoubt} were sent and got no answer;`;
  return new BackupError(failure.code, failure.message, {
    operation: 'restore',
    ...(failure.object === undefined ? {} : { object: failure.object }),
    kept: `${written} of ${total} documents were written;${doubt} the others are as they were.`,
    cure: `${failure.cure ?? 'Mend the cause.'} Then run the same command again: what is restored already is left alone.`,
    temporary: failure.temporary,
    cause: failure,
  });
}
