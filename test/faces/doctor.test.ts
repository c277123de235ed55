import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DoctorReport } from '../../src/model/report.ts';
import { runCommandLine } from '../support/command-line.ts';
import { answerJson, startHttpServer } from '../support/http-server.ts';
import { type ServedProject, serveProject } from '../support/served-project.ts';

let project: ServedProject;
beforeEach(async () => {
  project = await serveProject();
});
afterEach(() => project[Symbol.asyncDispose]());

async function doctor(env: Record<string, string> = {}, ...argv: string[]) {
  const options = { env: { ...project.env, ...env }, cwd: project.home };
  const ended = await runCommandLine(['doctor', '--json', ...argv], options);
  const report = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!) as DoctorReport;
  return { ...ended, report };
}

function outcomes({ checks }: DoctorReport): Record<string, string> {
  return Object.fromEntries(checks.map(({ name, outcome }) => [name.replace(/^file:.*\//, ''), outcome]));
}

describe('doctor', () => {
  test('finds everything in order, and leaves nothing behind', async () => {
    const second = join(project.home, 'second');
    const { code, report } = await doctor({ ZERODB_BACKUP_STORE: `${project.storePath},${second}` });
    expect(code).toBe(0);
    expect(outcomes(report)).toEqual({
      clock: 'good',
      server: 'good',
      collections: 'good',
      stores: 'good',
      'store: owner': 'good',
      'store: access': 'good',
      'store: space': 'good',
      'second: owner': 'good',
      'second: access': 'good',
      'second: space': 'good',
      'state directory': 'good',
    });
    expect(await readdir(join(second, 'doctor'))).toEqual([]);
    const options = { env: project.env, cwd: project.home };
    expect((await runCommandLine(['backup'], options)).code).toBe(0); // the store is not taken for a foreign one
  });

  test('a wrong key is said with its cure, and the rest is examined all the same', async () => {
    const { code, report } = await doctor({ ZERODB_API_KEY: 'wrong-key-wrong-key' });
    expect(code).toBe(8);
    expect(outcomes(report)).toMatchObject({ clock: 'good', server: 'bad', 'state directory': 'good' });
    expect(report.errors[0]).toMatchObject({ code: 'SOURCE_UNAUTHORIZED', cure: expect.any(String) });
  });

  test('collections that may not be read are named', async () => {
    project.sandbox.misbehave({ forbidden: ['events'] });
    const { code, report } = await doctor();
    expect(code).toBe(8);
    expect(report.errors).toMatchObject([{ code: 'SOURCE_FORBIDDEN' }]);
    expect(report.errors[0]!.message).toContain('events');
  });

  test('a store of something else, and one that cannot be written', async () => {
    await mkdir(project.storePath);
    await writeFile(join(project.storePath, 'holiday.jpg'), 'not ours');
    const blocked = join(project.home, 'file');
    await writeFile(blocked, 'not a directory');
    const stores = `${project.storePath},${blocked}/inside`;
    const { code, report } = await doctor({ ZERODB_BACKUP_STORE: stores });
    expect(code).toBe(3);
    expect(outcomes(report)).toMatchObject({ 'store: owner': 'bad', 'inside: owner': 'bad' });
    expect(report.errors.map((error) => error.code)).toContain('STORE_FOREIGN');
    expect(await readdir(project.storePath)).toEqual(['holiday.jpg']);
  });

  test.each([
    ['an hour behind', -3_600_000, 'warning'],
    ['a minute ahead', 60_000, 'good'],
  ])('a server whose clock is %s', async (_what, offMs, outcome) => {
    await using server = await startHttpServer((_request, response) => {
      response.sendDate = false;
      response.setHeader('date', new Date(Date.now() + offMs).toUTCString());
      answerJson(response, 404, { detail: 'Not Found' });
    });
    const { report } = await doctor({ ZERODB_API_BASE_URL: server.url });
    expect(report.checks.find(({ name }) => name === 'clock')).toMatchObject({ outcome });
  });

  test('the bundle holds no secret, and is for its owner alone', async () => {
    const bundle = join(project.home, 'bundle.json');
    const { code } = await doctor({}, '--bundle', bundle);
    expect(code).toBe(0);
    const text = await readFile(bundle, 'utf8');
    expect(JSON.parse(text)).toMatchObject({
      report: { operation: 'doctor' },
      system: expect.stringContaining('Node'),
    });
    expect(text).not.toContain(project.sandbox.apiKey);
    expect(text).toContain('ZERODB_API_KEY');
    expect((await stat(bundle)).mode & 0o777).toBe(0o600);
    expect((await doctor({}, '--bundle', bundle)).code).toBe(2);
  });

  test('without a server the stores are examined', async () => {
    const { code, report } = await doctor({ ZERODB_API_BASE_URL: '', ZERODB_API_KEY: '' });
    expect(report.checks.map(({ name }) => name)).toContain('state directory');
    expect(outcomes(report)).toMatchObject({ server: 'warning', 'store: owner': 'warning' });
    expect(await readdir(project.home)).not.toContain('store');
    expect(code).toBe(0);
  });

  test('people get one line a check, and what to do', async () => {
    const options = { env: { ...project.env, ZERODB_API_KEY: 'wrong-key-wrong-key' }, cwd: project.home };
    const { stdout, code } = await runCommandLine(['doctor'], options);
    expect(code).toBe(8);
    expect(stdout).toMatch(/✗ server\n\s+.*SOURCE_UNAUTHORIZED/);
    expect(stdout).toMatch(/! stores: one store: one place is no backup\n\s+Do: /);
  });
});
