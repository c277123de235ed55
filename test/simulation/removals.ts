import { createHash } from 'node:crypto';
import type { RetentionRule } from '../../src/model/retention-policy.ts';
import { type Attempt, Violation } from './attempt.ts';
import type { SeenBackup } from './observer.ts';
import type { World } from './world.ts';
import type { WorldStore } from './world-store.ts';

const DAY_MS = 86_400_000;
/** How far ahead a backup may lie before a clock is taken for wrong. */
const FUTURE_MS = 5 * 60_000;
/** Data without a manifest is of a run that may still be at work for so long. */
const GRACE_MS = 7 * DAY_MS;
const UNDO_MS = 30 * DAY_MS;

/** What a run may remove. */
export interface RemovalRequest {
  readonly rules: readonly RetentionRule[];
  readonly days?: number;
  readonly overridePolicy?: boolean;
  readonly backupId?: string;
  readonly collections?: readonly string[];
  readonly dryRun: boolean;
}

/** A store before a run that removes. */
export interface StoreBefore {
  readonly visible: readonly string[];
  readonly backups: ReadonlyMap<string, SeenBackup>;
  /** Hashes by key. */
  readonly objects: ReadonlyMap<string, string>;
  readonly damaged: ReadonlySet<string>;
  readonly pinned: ReadonlySet<string>;
  /** Found damaged by a verification. */
  readonly bad: ReadonlySet<string>;
  /** Strange, and nobody has acknowledged it: nothing of its collection goes. */
  readonly strange: ReadonlySet<string>;
}

export function storeBefore(world: World, { path, observer }: WorldStore): StoreBefore {
  const objects = observer.keys.map((key): [string, string] => {
    const { content } = world.disk.file(`${path}/${key}`)!;
    return [key, createHash('sha256').update(content).digest('hex')];
  });
  const acknowledged = marked(observer.keys, 'ack');
  return {
    visible: observer.visible,
    backups: new Map(observer.backups),
    objects: new Map(objects),
    damaged: observer.damaged,
    pinned: marked(observer.keys, 'pin'),
    bad: marked(observer.keys, 'bad'),
    strange: new Set([...marked(observer.keys, 'anomaly')].filter((id) => !acknowledged.has(id))),
  };
}

function marked(keys: readonly string[], kind: string): ReadonlySet<string> {
  const end = `.${kind}.json`;
  const marks = keys.filter((key) => key.startsWith('marks/') && key.endsWith(end));
  return new Set(marks.map((key) => key.slice('marks/'.length, -end.length)));
}

/** Why nothing at all may be removed by this time; null if nothing is in doubt. */
export function doubtOf(before: StoreBefore, now: number, asked: string | undefined): string | null {
  for (const id of before.visible) {
    if (before.damaged.has(`manifests/${id}.json`)) return `the manifest of ${id} is damaged`;
    const seen = before.backups.get(id);
    if (id !== asked && seen !== undefined && createdAt(seen) > now + FUTURE_MS)
      return `${id} is of the future`;
  }
  return null;
}

/**
 * Throws a Violation where a run has removed what somebody may still need, or anything that is no part of what it removed;
 * forgets what it removed rightly. The run may have made backups as well, and may have been interrupted anywhere.
 */
export function judgeRemovals(
  world: World,
  attempt: Attempt<unknown>,
  before: StoreBefore,
  request: RemovalRequest,
): readonly string[] {
  const { store } = attempt;
  const { observer } = store;
  const visible = new Set(observer.visible);
  const removed = before.visible.filter((id) => !visible.has(id));
  const gone = [...before.objects.keys()].filter((key) => !observer.keys.includes(key));
  const doubt = doubtOf(before, attempt.ended, request.backupId);
  if (gone.length > 0 && doubt !== null) throw new Violation(`${gone[0]} was removed though ${doubt}`);
  if (gone.length > 0 && request.dryRun) throw new Violation(`a dry run removed ${gone[0]}`);
  for (const key of gone) assertMayGo(attempt, before, removed, key);
  for (const id of removed) assertMayBeRemoved(attempt, before, request, id);
  if (attempt.alone) assertOthersUnchanged(before, storeBefore(world, store));
  for (const id of new Set([...removed, ...gone.flatMap((key) => backupIdOf(key) ?? [])])) {
    if (visible.has(id)) throw new Violation(`${id} is there, and has lost an object`);
    observer.forget(id);
    store.damage.forget((key) => backupIdOf(key) === id);
  }
  for (const key of gone.filter((one) => one.startsWith('restores/'))) {
    const prefix = key.slice(0, key.lastIndexOf('/') + 1);
    store.damage.forget((one) => one.startsWith(prefix));
    for (const kept of store.keptByRestores.keys())
      if (kept.startsWith(prefix)) store.keptByRestores.delete(kept);
  }
  observer.look();
  for (const id of visible) {
    const baseId = observer.backups.get(id)?.manifest.base_backup_id ?? null;
    if (baseId !== null && removed.includes(baseId))
      throw new Violation(`${id} is kept, and its base ${baseId} was removed`);
  }
  return removed;
}

/** After a run that came to its end nothing is left of what was removed long ago, or in it. */
export function assertSwept({ store, began }: Attempt<unknown>, removed: readonly string[]): void {
  const { observer } = store;
  const visible = new Set(observer.visible);
  const needed = new Set([...observer.backups.values()].map(({ manifest }) => manifest.base_backup_id));
  for (const key of observer.keys) {
    const id = backupIdOf(key);
    if (id === null || visible.has(id) || needed.has(id) || observer.damaged.has(key)) continue;
    if (removed.includes(id)) throw new Violation(`${key} is left of what was removed`);
    if (began - namedAfter(id) > GRACE_MS) throw new Violation(`${key} is left of an interrupted run`);
  }
  for (const key of observer.keys) {
    const restore = /^restores\/(\d{8}_\d{6})/.exec(key)?.[1];
    if (restore !== undefined && began - namedAfter(`_${restore}`) > UNDO_MS)
      throw new Violation(`${key} is left of an old restore`);
  }
}

/** Objects of what was removed in this run, or which nobody needs since long. */
function assertMayGo(
  { ended }: Attempt<unknown>,
  before: StoreBefore,
  removed: readonly string[],
  key: string,
): void {
  const restore = /^restores\/(\d{8}_\d{6})/.exec(key)?.[1];
  if (restore !== undefined) {
    if (ended - namedAfter(`_${restore}`) > UNDO_MS) return;
    throw new Violation(`${key} of a restore was removed that can still be undone`);
  }
  const id = backupIdOf(key);
  if (id === null) throw new Violation(`${key} was removed, which is of no backup`);
  if (removed.includes(id)) return;
  if (before.visible.includes(id)) throw new Violation(`${key} of ${id} was removed`);
  if (ended - namedAfter(id) <= GRACE_MS) throw new Violation(`${key} was removed, whose run may be at work`);
  for (const [other, { manifest }] of before.backups) {
    if (manifest.base_backup_id === id && before.visible.includes(other))
      throw new Violation(`${key} was removed, on which ${other} is built`);
  }
}

function assertMayBeRemoved(
  { ended, store }: Attempt<unknown>,
  before: StoreBefore,
  { rules, days, overridePolicy, backupId, collections }: RemovalRequest,
  id: string,
): void {
  const { manifest } = before.backups.get(id)!;
  const { collection } = manifest;
  const no = (why: string): never => {
    throw new Violation(`${id} was removed, and ${why}`);
  };
  if (before.pinned.has(id)) no('was pinned');
  if (isFrozen(before, collection)) no('its collection holds what is strange');
  if (collections?.includes(collection) === false) no('is of another collection');
  if (backupId !== undefined && backupId !== id) no(`only ${backupId} was asked for`);
  const fulls = goodFulls(before, collection);
  if (isGoodFull(before, id) && !fulls.some((other) => store.observer.visible.includes(other))) {
    const isFollowed = store.observer.visible.some((one) =>
      one.startsWith(id.slice(0, id.indexOf('_full_'))),
    );
    if (!isFollowed || fulls.at(-1) === id) no('was the last good full backup');
  }
  if (backupId !== undefined) return;
  const age = ageInDays(before.backups.get(id)!, ended);
  if (days !== undefined && age <= days) no(`is ${age} days old`);
  if (days !== undefined && overridePolicy === true) return;
  if (!isGoodFull(before, id)) {
    if (age <= 7) no(`is ${age} days old`);
    return;
  }
  for (const rule of rules) {
    if (rule.kind === 'within' && age <= rule.days) no(`a rule keeps it for ${rule.days} days`);
    if (rule.kind === 'last' && store.observer.visible.length <= before.visible.length) {
      const newer = fulls.slice(fulls.indexOf(id) + 1).length;
      const isMade = store.observer.visible.some((one) => !before.visible.includes(one));
      if (newer + (isMade ? 1 : 0) < rule.count) no(`a rule keeps the newest ${rule.count}`);
    }
  }
}

function assertOthersUnchanged(before: StoreBefore, after: StoreBefore): void {
  for (const [key, sum] of after.objects) {
    const was = before.objects.get(key);
    if (was !== undefined && was !== sum) throw new Violation(`${key} is another than before a cleanup`);
  }
}

export function isFrozen({ strange, backups }: StoreBefore, collection: string): boolean {
  return [...strange].some((id) => backups.get(id)?.manifest.collection === collection);
}

/** Oldest first. */
function goodFulls(before: StoreBefore, collection: string): string[] {
  const ofIt = before.visible.filter((id) => before.backups.get(id)?.manifest.collection === collection);
  return ofIt
    .filter((id) => isGoodFull(before, id))
    .toSorted((one, other) => createdAt(before.backups.get(one)!) - createdAt(before.backups.get(other)!));
}

export function isGoodFull({ backups, bad, strange }: StoreBefore, id: string): boolean {
  const manifest = backups.get(id)?.manifest;
  return (
    manifest?.backup_type === 'full' && manifest.status === 'completed' && !bad.has(id) && !strange.has(id)
  );
}

function createdAt({ manifest }: SeenBackup): number {
  return Date.parse(`${manifest.created_at}Z`);
}

function ageInDays(seen: SeenBackup, now: number): number {
  return Math.floor(now / DAY_MS) - Math.floor(createdAt(seen) / DAY_MS);
}

/** The backup whose name an object has; null if it is none's. */
function backupIdOf(key: string): string | null {
  return /^(?:backups|indexes|manifests|marks)\/([^/]+_\d{8}_\d{6})(?:$|\.)/.exec(key)?.[1] ?? null;
}

/** The time in a name, in milliseconds since 1970. */
function namedAfter(id: string): number {
  const [year, month, day, hour, minute, second] = /_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/
    .exec(id)!
    .slice(1);
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
