import type { Codec } from '../../kernel/codec.ts';
import type { Scratch } from '../../kernel/sorted-runs.ts';
import type { LogEntry, LoggedChange, LogPage } from '../source.ts';
import { type Collector, identityOfKey } from './collector.ts';
import { instantOf } from './order.ts';
import { SeenKeys } from './seen-keys.ts';

const TIMES_MAX = 10_000;

/** What a change log held when the scan began. */
export interface LogStart {
  readonly total: number;
  /** Of its newest entry; null if there was none. */
  readonly time: string | null;
}

export function startOf({ total, entries }: LogPage): LogStart {
  return { total, time: entries[0]?.time ?? null };
}

/**
 * What a change log says of the documents that were received, and of those that were not. Keys never return, so that one
 * deletion ends a document whatever the order in which entries are read. Memory does not depend on how many they are.
 */
export class FoldedLog {
  /** Entries seen that are newer than the scan's start. */
  newEntries = 0;
  /** How many entries were seen of each of the first so many times: those of one insert call share one. */
  readonly times = new Map<string, number>();
  /** Documents that were received, and deleted since. */
  receivedAndDeleted = 0;
  readonly #codec: Codec;
  readonly #collector: Collector;
  readonly #start: LogStart;
  readonly #entries: SeenKeys;
  readonly #deleted: SeenKeys;

  constructor(codec: Codec, scratch: Scratch, collector: Collector, start: LogStart) {
    this.#codec = codec;
    this.#collector = collector;
    this.#start = start;
    this.#entries = new SeenKeys(scratch);
    this.#deleted = new SeenKeys(scratch);
  }

  /** Takes an entry; `missing` is what it says of a document that lives and was not received. */
  async add({ id, time, change }: LogEntry): Promise<{ isNew: boolean; missing: LoggedChange | null }> {
    if (!(await this.#entries.add(this.#codec.sha256(Buffer.from(id)))))
      return { isNew: false, missing: null };
    if (this.#start.time === null || isLater(time, this.#start.time)) this.newEntries++;
    const count = this.times.get(time);
    if (count !== undefined || this.times.size < TIMES_MAX) this.times.set(time, (count ?? 0) + 1);
    if (change === null) return { isNew: true, missing: null };
    const identity = this.identity(change);
    const isReceived = await this.#collector.has(identity);
    if (change.isDeletion && (await this.#deleted.add(identity)) && isReceived) this.receivedAndDeleted++;
    const isMissing = !isReceived && !(await this.#deleted.has(identity));
    return { isNew: true, missing: isMissing ? change : null };
  }

  identity({ key }: LoggedChange): string {
    return this.#codec.sha256(identityOfKey(key));
  }

  async close(): Promise<void> {
    await this.#entries.close();
    await this.#deleted.close();
  }
}

function isLater(time: string, other: string): boolean {
  const [left, right] = [instantOf(Buffer.from(time)), instantOf(Buffer.from(other))];
  if (left === null || right === null) return false;
  return left.seconds > right.seconds || (left.seconds === right.seconds && left.fraction > right.fraction);
}
