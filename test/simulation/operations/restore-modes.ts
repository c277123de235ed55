import type { RestoreReport } from '../../../src/model/report.ts';
import { planRestore, type RestoreRequest } from '../../../src/operations/restore.ts';
import { type Attempt, Violation } from '../attempt.ts';
import { assertExplained, damageFirst } from '../codes.ts';
import type { Faults } from '../faults.ts';
import { idOf, markOf, type Version } from '../history.ts';
import { carryOut } from '../kept-restores.ts';
import { membersOf } from '../members.ts';
import { stored } from '../observer.ts';
import type { World } from '../world.ts';
import type { WorldStore } from '../world-store.ts';
import { loseSome } from './loss.ts';
import type { Operation } from './operation.ts';
import { refusals } from './reading.ts';
import { restoreCodes } from './restore.ts';

/** How a backup is restored, but for which. */
export type Manner = Pick<RestoreRequest, 'mode' | 'ids' | 'allowPartial' | 'continues' | 'toCollection'> & {
  readonly undoable?: boolean;
};

const inManner = (
  name: string,
  weight: number,
  draw: (world: World, payloads: readonly string[]) => Manner,
): Operation => ({
  name,
  aims: name.includes('exact') ? 'recreate' : 'restore',
  weight,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const { dice } = world;
    const store = world.pickStore();
    const id = store.pickBackup();
    if (id === null) return [];
    const seen = store.observer.backups.get(id);
    if (seen !== undefined && dice.chance(0.3)) loseSome(world, seen.manifest.collection);
    const manner = { undoable: dice.chance(0.9), ...draw(world, seen?.payloads ?? []) };
    return [await restoreInManner(world, store, faults, id, manner)];
  },
});

export const mergeOperation = inManner('restore --merge', 2, () => ({ mode: 'merge' }));
export const exactOperation = inManner('restore --exact', 2, () => ({ mode: 'exact' }));
export const partialOperation = inManner('restore --allow-partial', 1, () => ({ allowPartial: true }));
export const idsOperation = inManner('restore --ids', 2, ({ dice }, payloads) => {
  const ids = payloads.filter((payload) => !isNameless(payload)).map((payload) => idTextOf(payload));
  const chosen = ids.filter(() => dice.chance(0.4));
  return {
    mode: dice.pick(['replace', 'merge'] as const),
    ids: dice.chance(0.2) || chosen.length === 0 ? [...chosen, 'nobody'] : chosen,
  };
});

/** Restores a backup in this manner, and judges what was done by a simple model of the manner. */
export async function restoreInManner(
  world: World,
  store: WorldStore,
  faults: Faults,
  backupId: string,
  { undoable = true, ...manner }: Manner,
): Promise<Attempt<RestoreReport>> {
  const attempt = await carryOut(
    world,
    store,
    faults,
    async ({ repository, openTarget, signal }) =>
      planRestore(repository, await openTarget(), { backupId, ...manner }, { signal }),
    { undoable },
  );
  const seen = store.observer.backups.get(backupId);
  const collection = manner.toCollection ?? seen?.manifest.collection ?? '';
  const changes = world.history.changesBy(attempt.process.name);
  const isWhole = manner.ids === undefined && manner.allowPartial !== true;
  const refused = refusals(store, backupId).filter((code) => isWhole || code !== 'ARCHIVE_DAMAGED');
  if (seen === undefined || refused.length > 0) {
    if (changes.length > 0) throw new Violation(`the damaged ${backupId} was restored`);
  } else {
    const wanted =
      manner.ids === undefined
        ? seen.payloads
        : seen.payloads.filter((payload) => !isNameless(payload) && manner.ids!.includes(idTextOf(payload)));
    if (manner.mode === 'exact' && changes.length > 0 && seen.manifest.status !== 'completed')
      throw new Violation(`the incomplete ${backupId} was restored exactly`);
    judge(world, attempt, wanted, manner, collection);
    const { report } = attempt;
    if (report?.exit_code === 0 && manner.ids !== undefined) {
      const held = new Set(wanted.map(idTextOf));
      if (!manner.ids.every((id) => held.has(id)))
        throw new Violation('ids that are not there are passed over');
    }
  }
  const codes = restoreCodes(world, attempt, backupId, collection);
  // the good part of an increment is no state
  if (manner.allowPartial === true && seen?.manifest.backup_type === 'incremental')
    codes.push('FORMAT_UNKNOWN');
  if (manner.ids?.includes('nobody') === true) codes.push('RESTORE_PARTIAL');
  // whoever wants a part of a damaged backup gets along without its index, or not
  if (!isWhole && store.observer.damaged.has(`indexes/${backupId}`))
    codes.push('INDEX_DAMAGED', 'ARCHIVE_DAMAGED');
  // what the disk cannot read is lost to a restore of the good part
  if (manner.allowPartial === true && attempt.suffered.some(({ method }) => method === 'reader.read'))
    codes.push('ARCHIVE_DAMAGED');
  assertExplained(attempt, codes, damageFirst);
  return attempt;
}

/** Where the server keeps what it is sent, and replaces where it is told to replace. */
export function isPlain({ settings }: World): boolean {
  return !settings.putMerges && !settings.reformats;
}

function isNameless(payload: string): boolean {
  return !idOf(payload).startsWith('"');
}

function idTextOf(payload: string): string {
  return Buffer.from(JSON.parse(idOf(payload)) as string, 'latin1').toString('utf8');
}

/** Members as a set: how a server orders and spaces them is not looked at. */
function memberSet(members: ReadonlyMap<string, string>): string {
  return [...members].map(String).sort().join();
}

function mergedSet(live: string, given: string): string {
  return memberSet(new Map([...membersOf(stored(live)), ...membersOf(stored(given))]));
}

/** What is written is wanted, each document once; nothing else is deleted than what an exact restore does not want. */
function judge(
  world: World,
  attempt: Attempt<RestoreReport>,
  wanted: readonly string[],
  { mode = 'replace' }: Manner,
  collection: string,
): void {
  if (!isPlain(world)) return;
  const { history, server } = world;
  const merges = mode === 'merge';
  const same = (text: string): string => (merges ? memberSet(membersOf(stored(text))) : stored(text));
  const touched = history.touchedByOthers(collection, attempt);
  const seen = history.seen(collection, attempt.from, attempt.to);
  const start = seen.filter(({ from }) => from < attempt.from);
  const allowed = new Set(wanted.map(same));
  if (merges) for (const [live, given] of merging(seen, wanted)) allowed.add(mergedSet(live, given));

  const gained = new Map<string, number>();
  const count = (texts: readonly string[], id: string): number =>
    texts.filter((text) => idOf(text) === id).length;
  const startTexts = start.map(({ text }) => text);
  for (const { kind, text, before } of history.changesBy(attempt.process.name)) {
    if (text === null) {
      const id = idOf(before!);
      if (mode !== 'exact') throw new Violation(`a restore (${mode}) deleted ${before}`);
      gained.set(id, (gained.get(id) ?? 0) - 1);
      const left = count(startTexts, id) + gained.get(id)!;
      if (!touched.has(id) && left < Math.min(count(wanted, id), count(startTexts, id)))
        throw new Violation(`an exact restore deleted what the backup holds: ${before}`);
      continue;
    }
    if (!allowed.has(same(text)))
      throw new Violation(`a restore (${mode}) wrote what nobody wanted: ${text}`);
    if (kind === 'insert') gained.set(idOf(text), (gained.get(idOf(text)) ?? 0) + 1);
    else if (idOf(before!) !== idOf(text) && !isNameless(before!))
      throw new Violation(`a restore (${mode}) wrote ${text} over ${before}`);
  }
  for (const [id, times] of gained) {
    const there = count(startTexts, id);
    if (!touched.has(id) && times > 0 && there + times > Math.max(count(wanted, id), there))
      throw new Violation(`a restore (${mode}) made ${id} ${times} times, and it was there ${there} times`);
  }

  if (attempt.report?.exit_code !== 0) return;
  const end = [...server.documents(collection)].map(({ data }) => data.toString('latin1'));
  const held = new Set(end.map(same));
  for (const payload of wanted) {
    const id = idOf(payload);
    if (touched.has(id)) continue;
    const [live, ...others] = startTexts.filter((text) => idOf(text) === id);
    if (merges && (others.length > 0 || isNameless(payload) || count(wanted, id) > 1)) continue;
    const expected = merges && live !== undefined ? mergedSet(live, payload) : same(payload);
    if (!held.has(expected)) throw new Violation(`a restore (${mode}) reports success without ${payload}`);
  }
  if (mode !== 'exact') return;
  const foreign = end.find((text) => !allowed.has(same(text)) && !touched.has(idOf(text)));
  if (foreign !== undefined) throw new Violation(`an exact restore reports success and left ${foreign}`);
}

/** Pairs of what was live and what is put into it. */
function* merging(seen: readonly Version[], wanted: readonly string[]): Generator<[string, string]> {
  for (const given of wanted) {
    for (const { text } of seen) {
      if (idOf(text) === idOf(given) || (isNameless(text) && markOf(text) !== '' && isNameless(given)))
        yield [text, given];
    }
  }
}
