import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { OperationEvent } from '../../../src/kernel/events.ts';
import type { Manifest } from '../../../src/model/manifest.ts';
import { backup } from '../../../src/operations/backup.ts';
import { openZerodbSource } from '../../../src/sources/zerodb.ts';
import { runCommandLine } from '../../support/command-line.ts';
import { Project, REQUEST, SETTINGS, type Setting } from '../../support/project.ts';
import { startProxy } from '../../support/proxy.ts';

const DOCUMENTS = 5000;
const [A, , B] = SETTINGS;

async function filled(setting: Setting, count = DOCUMENTS): Promise<Project> {
  const project = await Project.open(setting);
  for (let at = 0; at < count; at++) {
    project.sandbox.insert('users', `{"id":"u${String(at).padStart(5, '0')}","x":"${'x'.repeat(500)}"}`);
  }
  return project;
}

async function estimates(project: Project): Promise<Extract<OperationEvent, { type: 'estimate' }>[]> {
  const events: OperationEvent[] = [];
  const asked = { ...REQUEST, collections: ['users'] };
  await backup(project.repository, project.target, asked, { onEvent: (event) => events.push(event) });
  const told = events.flatMap((event) => (event.type === 'estimate' ? event : []));
  // before the work: nothing is counted yet
  if (told.length > 0) {
    const types = events.map(({ type }) => type);
    expect(types.indexOf('estimate')).toBeLessThan(types.indexOf('progress'));
  }
  return told;
}

test.each([A, B])(
  'what a backup will take is said once the first documents have come: $dialect',
  async (setting) => {
    await using project = await filled(setting);
    let asked = 0;
    project.sandbox.beforeRequest(({ path }) => {
      if (path.includes('users')) asked++;
    });
    const [estimate, ...more] = await estimates(project);
    const needed = asked;
    expect(more).toEqual([]);
    expect(estimate).toMatchObject({ object: 'users', documents: DOCUMENTS });
    expect(estimate!.requests).toBeGreaterThan(needed / 3);
    expect(estimate!.requests).toBeLessThan(needed * 3);
    const { backups } = await project.backup({ collections: ['users'], dryRun: true });
    expect(estimate!.bytes / backups[0]!.raw_size).toBeGreaterThan(0.9);
    expect(estimate!.bytes / backups[0]!.raw_size).toBeLessThan(1.1);
  },
);

test('where the server gives no total the last backup tells, and how long it took', async () => {
  await using project = await filled(A);
  project.sandbox.misbehave({ total: 'missing' });
  expect(await estimates(project)).toEqual([]);
  project.sandbox.misbehave({ total: 'missing', latencyMs: 50 });
  await estimates(project);
  const [third] = await estimates(project);
  expect(third).toMatchObject({ documents: DOCUMENTS });
  expect(third!.seconds).toBeGreaterThanOrEqual(1);
});

test('of little nothing is said', async () => {
  await using project = await filled(A, 150);
  expect(await estimates(project)).toEqual([]);
});

test('people get one line, programs an event', async () => {
  await using project = await filled(A);
  const run = (...argv: string[]) =>
    runCommandLine(argv, { env: project.environment, cwd: project.directory });
  const { stderr } = await run('backup', '--collections', 'users');
  expect(
    stderr.match(
      /users: some 5,000 documents, \d\.\d MB, in \d+ requests: about 0:\d\d at the present rate/g,
    ),
  ).toHaveLength(1);
  const { stdout } = await run('backup', '--collections', 'users', '--json');
  expect(stdout).toMatch(
    /^\{"type":"estimate","object":"users","documents":5000,"bytes":\d+,"requests":\d+,"seconds":\d+\}$/m,
  );
}, 30_000);

test('what the project holds beside documents is named in the manifest and the report', async () => {
  await using project = await filled(B, 3);
  const counts = { vectors_count: 12, files_count: 0, events_count: 3, memory_records_count: 'many' };
  let asked = 0;
  const serve = (answer: (body: Uint8Array) => Uint8Array | null) =>
    startProxy(
      () => project.sandbox.url,
      (passing, { url }) => {
        if (!/\/database$/.test(url)) return passing;
        asked++;
        const body = answer(passing.body);
        return body === null ? { ...passing, status: 404 } : { ...passing, body };
      },
    );
  const run = async (url: string) => {
    const source = await openZerodbSource(project.platform, {
      baseUrl: url,
      apiKey: { value: project.sandbox.apiKey, name: 'ZERODB_API_KEY' },
      project: project.sandbox.project,
      dialect: 'B',
      prefix: `/v1/projects/${project.sandbox.project}/database`,
    });
    return await backup(project.repository, source, { ...REQUEST, collections: ['users'], adoptStore: true });
  };
  {
    await using server = await serve((body) =>
      Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body).toString()), ...counts })),
    );
    const report = await run(server.url);
    expect(report).toMatchObject({ exit_code: 0, not_included: ['12 vectors', '3 events'] });
    const path = `${project.storePath}/manifests/${report.backups[0]!.backup_id}.json`;
    const manifest = JSON.parse(await readFile(path, 'utf8')) as Manifest;
    expect(manifest.not_included).toEqual(['12 vectors', '3 events']);
    expect(asked).toBe(1);
  }
  for (const answer of [() => null, () => Buffer.from('<html>'), () => Buffer.from('null')]) {
    await using server = await serve(answer);
    const report = await run(server.url);
    expect(report.exit_code).toBe(0);
    expect(report.not_included).toBeUndefined();
  }
});
