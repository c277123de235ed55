import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { OperationEvent } from '../../../src/kernel/events.ts';
import { backup } from '../../../src/operations/backup.ts';
import { list } from '../../../src/operations/list.ts';
import { planFromStores, validateInStores } from '../../../src/operations/restore-from-stores.ts';
import { verify } from '../../../src/operations/verify.ts';
import { openRepository, type Repository } from '../../../src/repository.ts';
import { openDirectoryStore } from '../../../src/stores/directory.ts';
import { Project, REQUEST, SETTINGS } from '../../support/project.ts';
import { filesBelow } from '../../support/served-project.ts';

/** A project whose backups go to the directories `a` and `b`. */
class TwoStores {
  readonly project: Project;
  readonly spool: Repository;
  readonly stores: readonly [Repository, Repository];

  constructor(project: Project) {
    this.project = project;
    this.spool = this.#repository('spool');
    this.stores = [this.#repository('a'), this.#repository('b')];
  }

  static async open(): Promise<TwoStores> {
    const project = await Project.open(SETTINGS[0]);
    for (const id of ['u1', 'u2']) project.sandbox.insert('users', `{"id":"${id}"}`);
    return new TwoStores(project);
  }

  path(name: string): string {
    return join(this.project.directory, name);
  }

  #repository(name: string): Repository {
    const { platform, repository } = this.project;
    return openRepository(platform, openDirectoryStore(platform, this.path(name)), repository.stateDirectory);
  }

  async backup(request: Partial<typeof REQUEST> = {}) {
    const asked = { ...REQUEST, collections: ['users'], ...request };
    return await backup({ spool: this.spool, stores: this.stores }, this.project.target, asked);
  }

  /** Objects by key, but for the marker, which is each store's own. */
  objects(name: string): ReadonlyMap<string, string> {
    const root = this.path(name);
    const files = [...filesBelow(root)].map(([path, bytes]) => [path.slice(root.length + 1), bytes] as const);
    return new Map(files.filter(([key]) => key !== 'repository.json'));
  }

  /** As a disk that is not mounted: nothing can be stored where `b` was. */
  async takeAway(): Promise<void> {
    await rename(this.path('b'), this.path('b-away')).catch(() => {});
    await writeFile(this.path('b'), 'not a directory');
  }

  async bringBack(): Promise<void> {
    await rm(this.path('b'));
    await rename(this.path('b-away'), this.path('b')).catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.project[Symbol.asyncDispose]();
  }
}

const VERIFY = { backupIds: null, level: 'decode', maxAgeMs: null } as const;

test('each store gets the same bytes, and the spool is empty afterwards', async () => {
  await using two = await TwoStores.open();
  const report = await two.backup();
  expect(report).toMatchObject({ exit_code: 0, errors: [] });
  const [one] = report.backups;
  expect(one!.stores!.map(({ outcome }) => outcome)).toEqual(['stored', 'stored']);
  expect(two.objects('a').size).toBe(3);
  expect(two.objects('b')).toEqual(two.objects('a'));
  expect(two.objects('spool').size).toBe(0);
  const listed = await list(two.stores, {});
  expect(listed).toMatchObject({ exit_code: 0, total_backups: 1 });
  expect(listed.backups[0]!.missing_from).toBeUndefined();
  const verified = await verify(two.stores, VERIFY);
  expect(verified.exit_code).toBe(0);
  expect(verified.backups.map(({ store, outcome }) => [store, outcome])).toEqual([
    [two.stores[0].store.label, 'good'],
    [two.stores[1].store.label, 'good'],
  ]);
});

test('a store that fails fails alone, and gets everything with the next run', async () => {
  await using two = await TwoStores.open();
  await two.backup();
  await two.takeAway();
  const first = await two.backup();
  expect(first.exit_code).toBe(3);
  expect(first.backups[0]).toMatchObject({
    outcome: 'completed',
    stores: [{ outcome: 'stored' }, { outcome: 'failed' }],
  });
  expect(first.errors).toHaveLength(1);
  expect(first.errors[0]!.kept).toContain('spool');
  expect(two.objects('a').size).toBe(6);
  expect(two.objects('spool').size).toBe(4); // and a note that `a` has it
  const listed = await list(two.stores, {});
  expect(listed).toMatchObject({ exit_code: 3, total_backups: 2 });

  await two.bringBack();
  expect((await list(two.stores, {})).backups[0]!.missing_from).toEqual([two.stores[1].store.label]);
  const second = await two.backup();
  expect(second.exit_code).toBe(0);
  expect(second.delivered).toMatchObject([
    { backup_id: first.backups[0]!.backup_id, stores: [{ outcome: 'stored' }, { outcome: 'stored' }] },
  ]);
  expect(two.objects('b')).toEqual(two.objects('a'));
  expect(two.objects('b').size).toBe(9);
  expect(two.objects('spool').size).toBe(0);
  expect((await two.backup()).delivered).toBeUndefined();
});

test('where every store fails nothing is begun', async () => {
  await using two = await TwoStores.open();
  await two.takeAway();
  await rm(two.path('a'), { recursive: true, force: true });
  await writeFile(two.path('a'), 'not a directory');
  await expect(two.backup()).rejects.toMatchObject({ exit: 7 });
});

test('a store that holds other files fails alone', async () => {
  await using two = await TwoStores.open();
  await mkdir(two.path('b'));
  await writeFile(join(two.path('b'), 'holiday.jpg'), 'not ours');
  const report = await two.backup();
  expect(report.exit_code).toBe(3);
  expect(report.errors).toMatchObject([{ code: 'STORE_FOREIGN', object: two.stores[1].store.label }]);
  expect(two.objects('b').size).toBe(1);
  expect((await two.backup({ adoptStore: true })).exit_code).toBe(0);
  expect((await list([two.stores[1]], {})).total_backups).toBe(2);
});

test('a delivery that was interrupted is finished, from what had arrived', async () => {
  await using two = await TwoStores.open();
  await two.takeAway();
  const { backups } = await two.backup();
  await two.bringBack();
  const id = backups[0]!.backup_id!;
  await mkdir(join(two.path('b'), 'backups'), { recursive: true });
  await writeFile(
    join(two.path('b'), 'repository.json'),
    await readFile(join(two.path('a'), 'repository.json')),
  );
  await writeFile(
    join(two.path('b'), 'backups', `${id}.json.gz`),
    await readFile(join(two.path('a'), 'backups', `${id}.json.gz`)),
  );
  expect((await two.backup()).exit_code).toBe(0);
  expect(two.objects('b')).toEqual(two.objects('a'));
});

test('what stands in the way of a delivery is not taken for it', async () => {
  await using two = await TwoStores.open();
  await two.takeAway();
  const { backups } = await two.backup();
  await two.bringBack();
  const id = backups[0]!.backup_id!;
  await mkdir(join(two.path('b'), 'backups'), { recursive: true });
  await writeFile(
    join(two.path('b'), 'repository.json'),
    await readFile(join(two.path('a'), 'repository.json')),
  );
  await writeFile(join(two.path('b'), 'backups', `${id}.json.gz`), 'something else');
  const report = await two.backup();
  expect(report).toMatchObject({ exit_code: 3, errors: [{ code: 'STORE_DAMAGED' }] });
  expect(two.objects('b').has(`manifests/${id}.json`)).toBe(false);
  expect(two.objects('spool').has(`manifests/${id}.json`)).toBe(true);
});

test('a dry run looks at the stores and writes to none', async () => {
  await using two = await TwoStores.open();
  await two.takeAway();
  await two.backup();
  await two.bringBack();
  const before = ['a', 'b', 'spool'].map((name) => two.objects(name));
  const report = await two.backup({ dryRun: true });
  expect(report).toMatchObject({ exit_code: 0, backups: [{ outcome: 'completed', backup_id: null }] });
  expect(['a', 'b', 'spool'].map((name) => two.objects(name))).toEqual(before);
});

test('a restore takes the copy that is whole, and says so', async () => {
  await using two = await TwoStores.open();
  const { backups } = await two.backup();
  const id = backups[0]!.backup_id!;
  const archive = join(two.path('a'), 'backups', `${id}.json.gz`);
  const bytes = await readFile(archive);
  bytes[bytes.length - 12]! ^= 1;
  await writeFile(archive, bytes);
  const events: OperationEvent[] = [];
  const context = { onEvent: (event: OperationEvent) => events.push(event) };
  const plan = await planFromStores(
    two.stores,
    two.project.target,
    { backupId: id, allowPartial: true },
    context,
  );
  expect(plan.report).toMatchObject({ exit_code: 0, counts: { same: 2 } });
  await plan.close();
  expect(events.filter(({ type }) => type === 'warning')).toMatchObject([
    { code: 'COPY_PASSED_OVER', object: id },
  ]);
  expect(await validateInStores(two.stores, id)).toMatchObject({ exit_code: 0 });
  await rm(join(two.path('b'), 'manifests'), { recursive: true });
  await expect(validateInStores(two.stores, id)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
});

test('a store that comes later gets the base of an increment as well', async () => {
  await using two = await TwoStores.open();
  for (let at = 0; at < 100; at++) two.project.sandbox.insert('users', `{"id":"d${at}","x":${Math.sin(at)}}`);
  await two.takeAway();
  const { backups } = await two.backup();
  // the copy that waits for b is lost
  await rm(join(two.path('spool'), 'manifests', `${backups[0]!.backup_id}.json`));
  two.project.sandbox.insert('users', '{"id":"late"}');
  const built = await two.backup({ incremental: { baseAgeMaxMs: 1e9, sizeMax: 0.9 } });
  expect(built.backups[0]!.full_because).toBeUndefined();
  await two.bringBack();
  const report = await two.backup();
  expect(report.exit_code).toBe(0);
  const listed = await list([two.stores[1]], {});
  expect(listed.backups.map(({ good }) => good)).toEqual(listed.backups.map(() => true));
  expect(listed.backups.some(({ manifest }) => manifest.backup_type === 'incremental')).toBe(true);
});

test('what a store has removed is not brought to it again', async () => {
  await using two = await TwoStores.open();
  await two.backup();
  await two.takeAway();
  const { backups } = await two.backup();
  const id = backups[0]!.backup_id!;
  await rm(join(two.path('a'), 'manifests', `${id}.json`));
  await two.bringBack();
  await two.backup();
  expect(two.objects('a').has(`manifests/${id}.json`)).toBe(false);
  expect(two.objects('b').has(`manifests/${id}.json`)).toBe(true);
  expect(two.objects('spool').size).toBe(0);
});
