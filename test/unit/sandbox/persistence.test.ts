import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { callerOf, sandboxForTest } from './client.ts';

async function directoryForTest(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sandbox-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'data');
}

test('a directory keeps its project, documents, tables and times', async () => {
  const directory = await directoryForTest();
  const first = await startSandbox({ directory });
  const call = callerOf(first);
  await call('POST', '/collections/users/documents', '{"id":"u","data":{ "n":1.0}}');
  await call('POST', `/v1/projects/${first.project}/database/tables`, '{"name":"t","schema":{"a": 1.0}}');
  const answer = (await call('POST', '/collections/users/query', '{}')).text;
  const digest = first.digest();
  await first.close();
  const sandbox = await startSandbox({ directory });
  onTestFinished(() => sandbox.close());
  const again = callerOf(sandbox);
  const base = `/v1/projects/${first.project}/database`;
  expect((await again('POST', '/collections/users/query', '{}')).text).toBe(answer);
  expect((await again('GET', `${base}/tables/t`)).text).toContain('"schema":{"a": 1.0}');
  expect([sandbox.digest(), sandbox.documentCount('users')]).toEqual([digest, 1]);
  sandbox.insert('users', '{}', { key: 'v' });
  expect([...sandbox.documents('users')].map(({ key }) => key)).toEqual(['u', 'v']);
});

test('its files are for the owner alone', async () => {
  const directory = await directoryForTest();
  const { sandbox } = await sandboxForTest({ directory });
  sandbox.insert('users', '{}');
  const modes = new Map<string, number>([['', (await stat(directory)).mode & 0o777]]);
  for (const name of await readdir(directory)) {
    modes.set(name, (await stat(join(directory, name))).mode & 0o777);
  }
  expect(modes.get('')).toBe(0o700);
  expect(modes.get('sandbox.sqlite')).toBe(0o600);
  expect([...modes.values()].filter((mode) => (mode & 0o077) !== 0)).toEqual([]);
});

test('what was acknowledged survives the death of the process', async () => {
  const directory = await directoryForTest();
  const script = `
    const { startSandbox } = await import(${JSON.stringify(new URL('../../../src/sandbox/sandbox.ts', import.meta.url).href)});
    const sandbox = await startSandbox({ directory: ${JSON.stringify(directory)}, apiKey: 'key' });
    console.log(sandbox.url);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const call = callerOf({ url: line.toString().trim(), apiKey: 'key' });
  for (let n = 0; n < 300; n++) {
    expect((await call('POST', '/collections/c/documents', `{"id":"k${n}","data":{"n":${n}}}`)).status).toBe(
      201,
    );
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  const { sandbox } = await sandboxForTest({ directory });
  expect(sandbox.documentCount('c')).toBe(300);
});

test('a second sandbox on the same directory is refused', async () => {
  const directory = await directoryForTest();
  const { sandbox } = await sandboxForTest({ directory });
  sandbox.insert('users', '{}');
  await expect(startSandbox({ directory })).rejects.toThrow(`another sandbox uses ${directory}`);
});

test('many direct changes are one transaction: all or nothing', async () => {
  const { sandbox } = await sandboxForTest();
  sandbox.insert('users', '{}', { key: 'a' });
  const digest = sandbox.digest();
  const attempt = () =>
    sandbox.transaction(() => {
      sandbox.insert('users', '{}', { key: 'b' });
      sandbox.insert('others', '{}', { key: 'c' });
      sandbox.insert('users', '{}', { key: 'a' });
    });
  expect(attempt).toThrow('users already has a document a');
  expect([sandbox.digest(), sandbox.documentCount('users'), sandbox.collections]).toEqual([
    digest,
    1,
    ['users'],
  ]);
});

test('the digest tells content apart, whatever the times and the order of writing', async () => {
  const { sandbox: one } = await sandboxForTest();
  const { sandbox: other } = await sandboxForTest();
  one.insert('users', '{"a":1}', { key: 'x' });
  one.insert('users', '{"a":2}', { key: 'y' });
  other.insert('users', '{"a":2}', { key: 'y' });
  expect(one.digest()).not.toBe(other.digest());
  other.insert('users', '{"a":1}', { key: 'x' });
  expect(one.digest()).toBe(other.digest());
  other.update('users', 'x', '{"a":1.0}');
  expect(one.digest()).not.toBe(other.digest());
  other.update('users', 'x', '{"a":1}');
  other.insert('more', '{}');
  expect(one.digest()).not.toBe(other.digest());
  expect(one.digest('users')).toBe(other.digest('users'));
});
