import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { RestoreReport } from '../../src/model/report.ts';
import { type ApplyOptions, applyRestore, type RestorePlan } from '../../src/operations/restore.ts';
import type { Store } from '../../src/stores/store.ts';
import { type Attempt, Violation } from './attempt.ts';
import type { Faults } from './faults.ts';
import { idOf, type RecordedChange } from './history.ts';
import { stored } from './observer.ts';
import type { Tool, World } from './world.ts';
import type { WorldStore } from './world-store.ts';

/** What a restore keeps of itself before its first write, as docs/format.md has it. */
export interface KeptRestore {
  readonly restoreId: string;
  readonly backupId: string;
  readonly mode: 'replace' | 'merge' | 'exact' | 'undo';
  readonly collection: string;
  readonly undoes: string | null;
  readonly continues: string | null;
  readonly ids: readonly string[] | null;
  readonly allowPartial: boolean;
  readonly changes: readonly KeptChange[];
  /** Lines of the archive of what is written over. */
  readonly preImages: readonly string[];
}

/** Hashes as `sumOf` makes them. */
export interface KeptChange {
  readonly do: 'create' | 'replace' | 'delete';
  readonly before: string | null;
  readonly after: string | null;
}

/** What a payload is known by in the record of a restore. */
export function sumOf(text: string): string {
  return createHash('sha256')
    .update(Buffer.from(stored(text), 'latin1'))
    .digest('hex')
    .slice(0, 32);
}

const PLAN = /^restores\/([^/]+)\/plan\.json$/;

/** Ids of the restores of which a record lies in the store, oldest first, damaged ones too. */
export function keptRestores({ observer }: WorldStore): string[] {
  return observer.keys.flatMap((key) => PLAN.exec(key)?.[1] ?? []).sort();
}

/** Whether something of a record is other than what was written; without its id map an undo does with less. */
export function isRecordDamaged({ observer, damage }: WorldStore, restoreId: string): boolean {
  const isOf = (key: string): boolean =>
    isOfRecord(key, restoreId) && !key.startsWith(`restores/${restoreId}/idmap-`);
  return [...observer.damaged].some(isOf) || damage.keys.some(isOf);
}

/** The report may be missing: it is kept last, and nothing needs it. */
function isOfRecord(key: string, restoreId: string): boolean {
  return key.startsWith(`restores/${restoreId}/`) && !key.endsWith('/report.json');
}

/** Reads a record that is whole, past every port. */
export function readKeptRestore(world: World, { path }: WorldStore, restoreId: string): KeptRestore {
  const content = (key: string): Buffer => {
    const file = world.disk.file(`${path}/${key}`);
    if (file === null) throw new Violation(`${key} of a restore is not there`);
    return file.content;
  };
  const record = JSON.parse(content(`restores/${restoreId}/plan.json`).toString()) as RecordJson;
  const linesOf = (archive: RecordJson['changes'] | null): string[] => {
    if (archive === null) return [];
    const bytes = content(archive.object_path);
    if (sha256(bytes) !== archive.sha256)
      throw new Violation(`${archive.object_path} has another hash than its record says`);
    const lines = gunzipSync(bytes).toString('latin1').split('\n').slice(1, -1);
    return lines.filter((line) => /^\{/.test(line) && line !== '').map((line) => line.replace(/,$/, ''));
  };
  return {
    restoreId,
    backupId: record.backup_id,
    mode: record.mode,
    collection: record.target_collection,
    undoes: record.undoes,
    continues: record.continues,
    ids: record.ids,
    allowPartial: record.allow_partial,
    changes: linesOf(record.changes)
      .slice(0, record.changes.document_count)
      .map((line) => {
        const { before = null, after = null, do: verb } = JSON.parse(line) as Partial<KeptChange>;
        return { do: verb!, before, after };
      }),
    preImages: linesOf(record.pre_images),
  };
}

interface RecordJson {
  readonly backup_id: string;
  readonly mode: KeptRestore['mode'];
  readonly target_collection: string;
  readonly undoes: string | null;
  readonly continues: string | null;
  readonly ids: readonly string[] | null;
  readonly allow_partial: boolean;
  readonly changes: {
    readonly object_path: string;
    readonly sha256: string;
    readonly document_count: number;
  };
  readonly pre_images: RecordJson['changes'] | null;
}

/**
 * Plans and applies, and throws a Violation where something was written to the target of which no whole record lay in
 * the store before: what is done, and every document that is written over or deleted.
 */
export async function carryOut(
  world: World,
  store: WorldStore,
  faults: Faults,
  makePlan: (tool: Tool) => Promise<RestorePlan>,
  { undoable = true }: ApplyOptions = {},
): Promise<Attempt<RestoreReport>> {
  assertStillKept(world, store);
  let kept: {
    readonly step: number;
    readonly restoreId: string;
    readonly record: KeptRestore | null;
  } | null = null;
  const onPut = (key: string): void => {
    const restoreId = PLAN.exec(key)?.[1];
    if (restoreId === undefined) return;
    const record = isRecordDamaged(store, restoreId) ? null : readKeptRestore(world, store, restoreId);
    kept = { step: world.scheduler.steps, restoreId, record };
  };
  const attempt = await world.attempt(store, faults, async (tool) => {
    const repository = { ...tool.repository, store: watched(tool.repository.store, onPut) };
    const plan = await makePlan({ ...tool, repository });
    try {
      return await applyRestore(plan, { signal: tool.signal, undoable });
    } finally {
      await plan.close();
    }
  });
  assertKept(world, attempt, kept, undoable);
  return attempt;
}

function assertKept(
  world: World,
  attempt: Attempt<RestoreReport>,
  kept: { readonly step: number; readonly restoreId: string; readonly record: KeptRestore | null } | null,
  undoable: boolean,
): void {
  const { report, error, process } = attempt;
  const changes = world.history.changesBy(process.name);
  if (!undoable) {
    if ([...process.made].some((path) => path.includes('/restores/')))
      throw new Violation('a restore that keeps nothing kept something');
    return;
  }
  const [first] = changes;
  if (first === undefined) return;
  if (kept === null || kept.step >= first.step)
    throw new Violation(`a restore wrote before its record was kept: ${JSON.stringify(first)}`);
  const { record, restoreId } = kept;
  if (record === null) throw new Violation('a restore wrote though its record is not what was written');
  const said = report === null ? (error === null ? restoreId : (error.cure ?? '')) : report.restore_id;
  if (said?.includes(restoreId) !== true)
    throw new Violation(`${restoreId} is not named at the end: ${said}`);
  assertCovers(world, attempt, record, changes);
  for (const [key, sum] of sumsOf(world, attempt.store, restoreId))
    attempt.store.keptByRestores.set(key, sum);
  assertStillKept(world, attempt.store);
}

/** Hashes of the objects of a record, by key. */
function sumsOf({ disk }: World, { path, observer }: WorldStore, restoreId: string): Map<string, string> {
  const keys = observer.keys.filter((key) => isOfRecord(key, restoreId));
  return new Map(keys.map((key) => [key, sha256(disk.file(`${path}/${key}`)!.content)]));
}

/** What a restore has kept before it wrote stays as it is, whatever became of the restore. */
function assertStillKept({ disk }: World, { path, observer, damage, keptByRestores }: WorldStore): void {
  const damaged = observer.damaged;
  for (const [key, sum] of keptByRestores) {
    const file = disk.file(`${path}/${key}`);
    if (damaged.has(key) || damage.isGone(key)) continue;
    if (file === null) throw new Violation(`${key} was kept before a restore wrote, and is gone`);
    if (sha256(file.content) !== sum) throw new Violation(`${key} was kept by a restore, and has changed`);
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Each document that was changed is in the record as it was when it was changed first. */
function assertCovers(
  { history }: World,
  attempt: Attempt<unknown>,
  record: KeptRestore,
  changes: readonly RecordedChange[],
): void {
  const touched = history.touchedByOthers(record.collection, attempt);
  const befores = new Set(record.changes.map(({ before }) => before));
  const met = new Set<string>();
  for (const { collection, key, before } of changes) {
    if (collection !== record.collection)
      throw new Violation(`a restore of ${record.collection} changed ${collection}`);
    if (met.has(key)) continue;
    met.add(key);
    if (before === null || touched.has(idOf(before))) continue;
    if (!befores.has(sumOf(before)))
      throw new Violation(`no record says that this is written over: ${before}`);
    if (!record.preImages.some((line) => line.includes(stored(before))))
      throw new Violation(`this was written over and not kept: ${before}`);
  }
}

function watched(store: Store, onPut: (key: string) => void): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = value as (...given: unknown[]) => unknown;
      if (name !== 'put') return method.bind(target);
      return async (key: string, ...rest: unknown[]) => {
        await method.call(target, key, ...rest);
        onPut(key);
      };
    },
  });
}
