import type { BlockBatch } from '../../../archive/reader.ts';
import { BackupError, toBackupError } from '../../../kernel/errors.ts';
import type { OnEvent } from '../../../kernel/events.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { type Scratch, SortedRuns } from '../../../kernel/sorted-runs.ts';
import type { DocumentShape } from '../../../model/document.ts';
import { type ReportedError, reportError } from '../../../model/report.ts';
import { nameOfDocument, payload, payloadIdText, scanKeyText } from '../../../model/shape.ts';
import type { CollectionPages } from '../../../sources/source.ts';
import type { TargetCollection } from '../../../sources/target.ts';
import type { IdMapWriter } from '../keep/id-map-writer.ts';
import { HASH_BYTES } from '../match/records.ts';
import type { Material } from '../material.ts';
import type { LiveDocuments } from '../target/live-documents.ts';
import type { SecondLook } from '../target/second-look.ts';
import { ACTION, type Actions, VERB } from './actions.ts';
import { documentsOfActions } from './documents-of-actions.ts';
import { type Insert, InsertGroups } from './insert-groups.ts';
import { FATE, type Fate, OUTCOME } from './outcomes.ts';
import { WriteQueue } from './write-queue.ts';

const ERRORS_LISTED_MAX = 20;
const NAMES_MAX = 20;
/** A target that refuses more documents than this refuses them all: going on would only take time. */
const REFUSED_MAX = 1000;

export interface Applied {
  /** What became of each document that was to be written (OUTCOME). To be closed. */
  readonly outcomes: SortedRuns;
  /** How many documents met which fate, by fate. */
  readonly fates: number[];
  /** The first few refusals. */
  readonly errors: ReportedError[];
  /** Names of the first few documents that others have changed. */
  readonly changedNames: string[];
}

export interface ApplyTask {
  readonly platform: Platform;
  readonly scratch: Scratch;
  readonly object: string;
  readonly material: Material;
  readonly actions: Actions;
  /** True if these documents were written before in this restore. */
  readonly again: boolean;
  readonly live: LiveDocuments;
  /** Left out: what is there was read just now. */
  readonly secondLook?: SecondLook;
  readonly collection: TargetCollection;
  readonly pages: CollectionPages;
  /** Receives the key (JSON text) of each document that is written or deleted; left out: nobody asks. */
  readonly onKey?: (key: Uint8Array) => void;
  /** Left out: nothing is kept of this restore. */
  readonly idMap?: IdMapWriter;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal | undefined;
}

/**
 * Carries out the writes of a plan while the documents are read a second time. A document that the target refuses is
 * counted and the others go on; anything else that fails ends it, with what was done so far in the error.
 */
export async function applyActions(task: ApplyTask): Promise<Applied> {
  const outcomes = new SortedRuns(task.scratch, OUTCOME.width);
  const applied: Applied = {
    outcomes,
    fates: Object.values(FATE).map(() => 0),
    errors: [],
    changedNames: [],
  };
  const { material } = task;
  const { codec } = task.platform;
  const queue = new WriteQueue(task.pages, task.signal);
  /** Outcomes not yet noted: only one at a time may add to sorted runs. */
  const settled: Buffer[] = [];
  /** Names of documents that were deleted and could not be inserted again. */
  const lost: string[] = [];

  const settle = (action: Buffer, fate: Fate): void => {
    applied.fates[fate]!++;
    const outcome = Buffer.alloc(OUTCOME.width);
    action.copy(outcome, OUTCOME.key, ACTION.key, ACTION.key + HASH_BYTES);
    outcome[OUTCOME.fate] = fate;
    action.copy(outcome, OUTCOME.document, ACTION.block, ACTION.key);
    settled.push(outcome);
  };

  const write = async (batch: BlockBatch, index: number, action: Buffer): Promise<boolean> => {
    try {
      const fate = await writeDocument(task, batch, index, action);
      settle(action, fate);
      if (fate === FATE.changed && applied.changedNames.length < NAMES_MAX)
        applied.changedNames.push(nameOfDocument(batch, index, material.shape));
      return fate === FATE.insertInDoubt || fate === FATE.replacementInDoubt;
    } catch (thrown) {
      const name = nameOfDocument(batch, index, material.shape);
      const error = toBackupError(thrown, { object: name });
      if (thrown instanceof DeletedForGood) lost.push(name);
      if (error.code !== 'SOURCE_REFUSED') throw error;
      settle(action, FATE.refused);
      if (applied.fates[FATE.refused]! > REFUSED_MAX) queue.fail(error);
      if (applied.errors.length < ERRORS_LISTED_MAX) applied.errors.push(reportError(error));
      return false;
    }
  };

  /** Documents of which one is refused are inserted one by one after all, so that only that one is. */
  const writeGroup = async (group: readonly Insert[]): Promise<boolean> => {
    try {
      const texts = group.map(({ text }) => text);
      const { kind } = await task.collection.insertMany(texts, task.signal);
      const fate = kind === 'done' ? FATE.created : FATE.insertInDoubt;
      for (const { action } of group) settle(action, fate);
      return kind === 'in-doubt';
    } catch (thrown) {
      if (!(thrown instanceof BackupError) || thrown.code !== 'SOURCE_REFUSED') throw thrown;
      let isInDoubt = false;
      for (const { batch, index, action } of group) {
        if (await write(batch, index, action)) isInDoubt = true;
      }
      return isInDoubt;
    }
  };

  const noteSettled = async (): Promise<void> => {
    for (const outcome of settled.splice(0)) {
      if (outcomes.full) await outcomes.flush();
      outcome.copy(outcomes.slot());
      outcomes.added();
    }
  };

  // what was in doubt may be so for one document among them: each is sent alone then
  const { insertsMax } = task.collection.traits;
  const groups = insertsMax > 1 && !task.again ? new InsertGroups(insertsMax, material.shape) : null;
  try {
    let done = 0;
    for await (const { batch, index, action } of documentsOfActions(
      codec,
      material,
      task.actions.writes,
      task.signal,
    )) {
      await noteSettled();
      if (!(await queue.room())) break;
      if (task.idMap?.isDue) await task.idMap.flush();
      const kept = Buffer.from(action); // the view is gone when the next comes
      const group = action[ACTION.verb] === VERB.create ? groups?.add(batch, index, kept) : undefined;
      if (group === undefined) queue.begin(() => write(batch, index, kept));
      else if (group !== null) queue.begin(() => writeGroup(group));
      done++;
      reportProgress(task, done);
    }
    const rest = groups?.rest() ?? [];
    if (rest.length > 0 && (await queue.room())) queue.begin(() => writeGroup(rest));
  } catch (thrown) {
    queue.fail(thrown);
  }
  await queue.idle();
  await noteSettled();
  if (queue.failure === null) return applied;
  await outcomes.close();
  throw interrupted(queue.failure, applied, task, lost);
}

function reportProgress({ onEvent, object, actions }: ApplyTask, done: number): void {
  const total = actions.writes.count;
  if (done % 100 === 0 || done === total)
    onEvent({ type: 'progress', object, phase: 'apply', unit: 'documents', done, total });
}

/** Runs one action; resolves with what became of the document. */
async function writeDocument(
  task: ApplyTask,
  batch: BlockBatch,
  index: number,
  action: Buffer,
): Promise<Fate> {
  const { collection, signal } = task;
  const { shape } = task.material;
  const text = payload(batch, index, shape);
  const verb = action[ACTION.verb];
  if (verb === VERB.create || verb === VERB.createAlone) {
    const ownKey = keyToInsert(batch, index, shape);
    if (ownKey !== null) task.onKey?.(Buffer.from(ownKey));
    const outcome = await collection.insert(ownKey, text, signal);
    if (outcome.kind === 'done' && outcome.key !== undefined) noteKey(task, batch, index, outcome.key);
    if (outcome.kind !== 'exists') return outcome.kind === 'done' ? FATE.created : FATE.insertInDoubt;
    if (verb === VERB.createAlone) return FATE.taken;
    if (ownKey === null)
      throw new BackupError('SOURCE_REFUSED', 'the target says that a document without a key exists');
    return FATE.existed; // nothing was kept of it: it is not written over
  }
  const address = await task.live.readAddress(action, ACTION.place);
  const before = action.subarray(ACTION.before, ACTION.width);
  if ((await task.secondLook?.isAsRead(address!, before)) === false) return FATE.changed;
  task.onKey?.(address!);
  if (verb === VERB.recreate)
    return await recreate(task, address!, text, (key) => noteKey(task, batch, index, key));
  return await replaceAt(
    task,
    address!,
    text,
    verb === VERB.replaceAgain ? FATE.replacedAgain : FATE.replaced,
  );
}

function noteKey({ idMap, material }: ApplyTask, batch: BlockBatch, index: number, key: Uint8Array): void {
  const id = scanKeyText(batch, index, material.shape);
  if (id !== null) idMap?.add(Buffer.from(id), Buffer.from(key));
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
async function recreate(
  { collection, signal }: ApplyTask,
  key: Uint8Array,
  text: Uint8Array,
  onKey: (key: Uint8Array) => void,
): Promise<Fate> {
  signal?.throwIfAborted();
  const deletion = await collection.delete(key);
  if (deletion.kind === 'in-doubt') return FATE.replacementInDoubt;
  try {
    const outcome = await collection.insert(key, text);
    if (outcome.kind !== 'done') return FATE.insertInDoubt;
    if (outcome.key !== undefined || !collection.traits.serverGivenKeys) onKey(outcome.key ?? key);
    return FATE.recreated;
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
export function keyToInsert(batch: BlockBatch, index: number, shape: DocumentShape): Uint8Array | null {
  const own = shape === 'row' ? payloadIdText(batch, index, shape) : null;
  return own ?? scanKeyText(batch, index, shape);
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
    ? `All documents were written once; ${written} of ${actions.writes.count} that had to be written again were;${doubt}${gone} the others of these are as they were.`
    : `${written} of ${actions.writes.count} documents were written;${doubt}${gone} the others are as they were.`;
  return new BackupError(failure.code, failure.message, {
    operation: 'restore',
    ...(failure.object === undefined ? {} : { object: failure.object }),
    kept,
    cure: `${failure.cure ?? 'Mend the cause.'} Then run the same command again: what is restored already is left alone.`,
    temporary: failure.temporary,
    cause: failure,
  });
}
