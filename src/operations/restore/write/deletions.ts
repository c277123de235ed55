import { BackupError, toBackupError } from '../../../kernel/errors.ts';
import type { Scratch } from '../../../kernel/sorted-runs.ts';
import { type ReportedError, reportError } from '../../../model/report.ts';
import { HASH_BYTES, RECORD, RecordCursor, sameBytes } from '../match/records.ts';
import type { TargetState } from '../target/reading.ts';
import { Actions, DELETION } from './actions.ts';
import type { ApplyTask } from './apply.ts';
import { WriteQueue } from './write-queue.ts';

const ERRORS_LISTED_MAX = 20;

/**
 * Deletes documents of the target, each by its address, but those that others have written since; what became of them is seen when the target is read again. Resolves
 * with the first few refusals; any other failure ends it.
 */
export async function applyDeletions(task: ApplyTask): Promise<readonly ReportedError[]> {
  const { deletions } = task.actions;
  const queue = new WriteQueue(task.pages, task.signal);
  const errors: ReportedError[] = [];
  let deleted = 0;

  const deleteOne = async (address: Uint8Array, payload: Buffer): Promise<boolean> => {
    try {
      if ((await task.secondLook?.isAsRead(address, payload)) === false) return false;
      const { kind } = await task.collection.delete(address, task.signal);
      if (kind === 'done') deleted++;
      return kind === 'in-doubt';
    } catch (thrown) {
      const error = toBackupError(thrown, { object: Buffer.from(address).toString('utf8') });
      if (error.code !== 'SOURCE_REFUSED') throw error;
      if (errors.length < ERRORS_LISTED_MAX) errors.push(reportError(error));
      return false;
    }
  };

  try {
    for (const cursor = await RecordCursor.open(deletions); cursor.current !== null; await cursor.advance()) {
      const address = await task.live.readAddress(cursor.current, DELETION.place);
      if (!(await queue.room())) break;
      task.onKey?.(address!);
      const payload = Buffer.from(cursor.current.subarray(DELETION.payload, DELETION.place));
      queue.begin(() => deleteOne(address!, payload));
    }
  } catch (thrown) {
    queue.fail(thrown);
  }
  await queue.idle();
  const { failure } = queue;
  if (failure === null) return errors;
  throw new BackupError(failure.code, failure.message, {
    operation: 'restore',
    ...(failure.object === undefined ? {} : { object: failure.object }),
    kept: `Everything was written; ${deleted} of ${deletions.count} documents that were to be deleted were.`,
    cure: `${failure.cure ?? 'Mend the cause.'} Then run the same command again: what is done already is left alone.`,
    temporary: failure.temporary,
    cause: failure,
  });
}

export interface Undeleted {
  /** As they were when they were to be deleted; to be closed. */
  readonly unchanged: Actions;
  /** Others have written them since. */
  readonly changed: number;
}

/** Which documents are in the target although they were to be deleted. */
export async function findUndeleted(
  scratch: Scratch,
  { deletions }: Actions,
  state: TargetState,
): Promise<Undeleted> {
  const unchanged = new Actions(scratch);
  let changed = 0;
  const held = await RecordCursor.open(state.records.runs);
  for (const cursor = await RecordCursor.open(deletions); cursor.current !== null; await cursor.advance()) {
    const deletion: Buffer = cursor.current;
    if (!(await held.seek(deletion, DELETION.key)) || held.current === null) continue;
    const key = held.current.subarray(RECORD.key, RECORD.key + HASH_BYTES);
    const payload = held.current.subarray(RECORD.payload, RECORD.payload + HASH_BYTES);
    const place = held.current.subarray(RECORD.place, RECORD.width);
    if (sameBytes(payload, 0, deletion, DELETION.payload, HASH_BYTES))
      await unchanged.delete({ key, payload, place, flags: 0 });
    else changed++;
  }
  return { unchanged, changed };
}
