import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { backup } from '../../src/operations/backup.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import type { Misbehaviour } from '../../src/sandbox/misbehaviour.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { createFastClock } from '../support/fast-clock.ts';
import { Project, REQUEST, SETTINGS, type Setting } from '../support/project.ts';
import { startProxy } from '../support/proxy.ts';

/** Whole backups of servers that do not do as they should (failure-catalogue.md §2.1). */

const COUNT = 450;
const [A, FLAT, B] = SETTINGS;

async function filled(setting: Setting): Promise<Project> {
  const project = await Project.open(setting);
  for (let at = 0; at < COUNT; at++) project.sandbox.insert('users', `{"id":"u${at}","n":${at}.0}`);
  return project;
}

async function archived(project: Project, backupId: string): Promise<string> {
  return gunzipSync(await readFile(`${project.storePath}/backups/${backupId}.json.gz`)).toString();
}

const ODDITIES: readonly (readonly [string, Partial<Misbehaviour>])[] = [
  ['S04: ties in another order each time', { shuffleTies: true }],
  ['S05: a total that is too small', { total: 'small' }],
  ['S05: a total that is too large', { total: 'large' }],
  ['S05: a total that is the length of the page', { total: 'page' }],
  ['S05: no total', { total: 'missing' }],
  ['S06: pages of at most 7, whatever the limit', { pageClamp: 7 }],
];
test.each(SETTINGS.flatMap((setting) => ODDITIES.map(([name, how]) => ({ ...setting, name, how }))))(
  '$name ($dialect, $shape): the backup is complete',
  async ({ how, ...setting }) => {
    await using project = await filled(setting);
    project.sandbox.misbehave(how);
    const { exit_code, backups } = await project.backup({ collections: ['users'] });
    expect([exit_code, backups[0]!.outcome, backups[0]!.document_count]).toEqual([0, 'completed', COUNT]);
    const stored = await archived(project, backups[0]!.backup_id!);
    for (let at = 0; at < COUNT; at++) expect(stored.split(`"id":"u${at}","n":${at}.0`)).toHaveLength(2);
  },
);

test('S07: every page is page one: an error that says so, no backup, no loop', async () => {
  await using project = await filled(B);
  project.sandbox.misbehave({ ignoredPaging: ['skip', 'offset'], pageClamp: 100 });
  const { exit_code, backups } = await project.backup({ collections: ['users'] });
  expect(exit_code).not.toBe(0);
  expect(backups).toMatchObject([{ outcome: 'failed', error: { code: 'SOURCE_OFFSET_IGNORED' } }]);
  expect(project.sandbox.requests).toBeLessThan(30);
});

test('S09: 429 for ever fails in the end; earlier backups stay, and the next run succeeds', async () => {
  const clock = createFastClock(3000);
  await using project = await filled(A);
  const tool = await project.openTool({ ...createPlatform(), clock });
  const run = () => backup(tool.repository, tool.target, { ...REQUEST, collections: ['users'] });
  const [first] = (await run()).backups;
  const before = await project.storeTree();
  project.sandbox.misbehave({ faults: [{ kind: 'too-many', retryAfter: { verbatim: '86400' } }] });
  const { exit_code, backups } = await run();
  expect(exit_code).toBe(8);
  expect(backups).toMatchObject([{ outcome: 'failed', error: { code: 'SOURCE_RATE_LIMITED' } }]);
  expect(await project.storeTree()).toEqual(before);
  project.sandbox.misbehave({ faults: [] });
  expect(await run()).toMatchObject({ exit_code: 0 });
  expect((await project.storeTree()).has(`/manifests/${first!.backup_id}.json`)).toBe(true);
});

test('S12: a collection that may not be read makes the run fail and is named; the others are backed up', async () => {
  await using project = await filled(B);
  project.sandbox.insert('events', '{"id":"e"}');
  project.sandbox.misbehave({ forbidden: ['users'] });
  const report = await project.backup();
  expect(report).toMatchObject({ exit_code: 3, errors: [{ code: 'SOURCE_FORBIDDEN', object: 'users' }] });
  expect(report.backups.find(({ collection }) => collection === 'events')!.outcome).toBe('completed');
});

test.each(['head', 'body'] as const)(
  'S16: silence at the %s of an answer ends, and the page is asked for again',
  async (where) => {
    await using project = await filled(A);
    const source = await openZerodbSource(project.platform, {
      baseUrl: project.sandbox.url,
      apiKey: { value: project.sandbox.apiKey, name: 'ZERODB_API_KEY' },
      dialect: 'A',
      timeoutMs: 300,
    });
    project.sandbox.misbehave({ faults: [{ kind: 'stall', where, ms: 60_000, times: 2, on: /query/ }] });
    const begun = performance.now();
    const report = await backup(project.repository, source, { ...REQUEST, collections: ['users'] });
    expect(report).toMatchObject({ exit_code: 0, backups: [{ document_count: COUNT }] });
    expect(performance.now() - begun).toBeLessThan(20_000);
  },
);

test('S17: a document that comes twice with two values: one page holds both, so nothing is proved', async () => {
  await using project = await Project.open(FLAT);
  for (let at = 0; at < 5; at++) project.sandbox.insert('users', `{"id":"u${at}","n":${at}}`);
  await using server = await startProxy(
    () => project.sandbox.url,
    (answer) => {
      const text = Buffer.from(answer.body).toString();
      return {
        ...answer,
        body: Buffer.from(text.replace('{"id":"u3","n":3}', '{"id":"u3","n":3},{"id":"u3","n":4}')),
      };
    },
  );
  const source = await openZerodbSource(project.platform, {
    baseUrl: server.url,
    apiKey: { value: project.sandbox.apiKey, name: 'ZERODB_API_KEY' },
    dialect: 'A',
  });
  const report = await backup(project.repository, source, { ...REQUEST, collections: ['users'] });
  expect(report).toMatchObject({ exit_code: 3, backups: [{ outcome: 'incomplete' }] });
  expect(report.backups[0]!.missing.join()).toContain('cannot be told apart');
});

test.each([FLAT, B])(
  'S18: documents without an id, or with one that names nothing, are kept ($dialect)',
  async (setting) => {
    await using project = await Project.open(setting);
    const odd = [
      '{"n":1}',
      '{"id":null,"n":2}',
      '{"id":0,"n":3}',
      '{"id":"","n":4}',
      '{"id":{"a":1},"n":5}',
      '{"id":7,"n":6}',
    ];
    for (const data of odd) project.sandbox.insert('users', data);
    const { backups } = await project.backup({ collections: ['users'] });
    expect(backups).toMatchObject([{ document_count: odd.length }]);
    const stored = await archived(project, backups[0]!.backup_id!);
    for (const data of odd) expect(stored).toContain(data.slice(1, -1));
    // rows have keys of the server's; without any key nobody can tell whether a document was read
    expect(backups[0]!.outcome).toBe(setting === B ? 'completed' : 'incomplete');
  },
);
