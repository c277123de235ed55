import { MARK_PREFIX, markKey, markOfKey } from '../archive/layout.ts';
import { BackupError } from '../kernel/errors.ts';
import type { Platform } from '../kernel/platform.ts';
import { RECORD_BYTES_MAX } from '../model/canonical-record.ts';
import { FORMAT } from '../model/manifest.ts';
import { encodeMark, type Mark, type MarkKind, parseMark } from '../model/mark.ts';
import { formatInstant } from '../model/time.ts';
import { onePiece, readObject, removeIfThere, type Store } from '../stores/store.ts';

/** Marks by backup id: their presence counts, what they say is for people. */
export type Marks = ReadonlyMap<string, ReadonlySet<MarkKind>>;

export interface MarkHome {
  readonly platform: Pick<Platform, 'codec' | 'clock'>;
  readonly store: Store;
}

export async function listMarks({ store }: Pick<MarkHome, 'store'>, signal?: AbortSignal): Promise<Marks> {
  const marks = new Map<string, Set<MarkKind>>();
  for await (const { key } of store.list(MARK_PREFIX, signal)) {
    const mark = markOfKey(key);
    if (mark === null) continue;
    const kinds = marks.get(mark.backupId) ?? new Set();
    marks.set(mark.backupId, kinds.add(mark.kind));
  }
  return marks;
}

/** Puts a mark; one that is there already stays as it is. */
export async function putMark(
  { platform, store }: MarkHome,
  backupId: string,
  kind: MarkKind,
  reason: string | null,
  signal?: AbortSignal,
): Promise<void> {
  const { codec, clock } = platform;
  const created_at = formatInstant(clock.now());
  const bytes = encodeMark(codec, { format: FORMAT, backup_id: backupId, kind, created_at, reason });
  try {
    await store.put(markKey(backupId, kind), onePiece(bytes), signal);
  } catch (thrown) {
    if (!(thrown instanceof BackupError && thrown.code === 'STORE_EXISTS')) throw thrown;
  }
}

export async function readMark(
  { platform, store }: MarkHome,
  backupId: string,
  kind: MarkKind,
  signal?: AbortSignal,
): Promise<Mark> {
  const bytes = await readObject(store, markKey(backupId, kind), RECORD_BYTES_MAX, signal);
  return parseMark(platform.codec, bytes, backupId);
}

/** False if there was none. */
export async function removeMark(
  { store }: Pick<MarkHome, 'store'>,
  backupId: string,
  kind: MarkKind,
  signal?: AbortSignal,
): Promise<boolean> {
  return await removeIfThere(store, markKey(backupId, kind), signal);
}
