import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPlatform } from '../../../src/platform/platform.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import { openZerodbSource } from '../../../src/sources/zerodb.ts';
import { openProbeMemory } from '../../../src/zerodb/probe-memory.ts';

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'zerodb-backup-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('remembers, privately, and forgets what is damaged', async () => {
  const state = join(await directory(), 'state');
  const memory = openProbeMemory(createPlatform(), state);
  expect(await memory.read('server')).toBeNull();
  await memory.write('server', 'A');
  await memory.write('other', 'B');
  expect(await memory.read('server')).toBe('A');
  expect((await stat(join(state, 'probes.json'))).mode & 0o777).toBe(0o600);
  await writeFile(join(state, 'probes.json'), '{"server":');
  expect(await memory.read('server')).toBeNull();
  await memory.write('server', 'C');
  expect(JSON.parse(await readFile(join(state, 'probes.json'), 'utf8'))).toEqual({ server: 'C' });
});

test.each(['"ab"', '["ab"]', 'null', '1'])('forgets a file that holds %s', async (content) => {
  const state = await directory();
  await writeFile(join(state, 'probes.json'), content);
  const memory = openProbeMemory(createPlatform(), state);
  expect(await memory.read('0')).toBeNull();
  await memory.write('server', 'A');
  expect(JSON.parse(await readFile(join(state, 'probes.json'), 'utf8'))).toEqual({ server: 'A' });
});

test('a server is probed once', async () => {
  await using sandbox = await startSandbox({ prefixes: ['/v1/public/projects/{pid}/database'] });
  const platform = createPlatform();
  const memory = openProbeMemory(platform, await directory());
  const open = async (): Promise<number> => {
    const before = sandbox.requests;
    await openZerodbSource(platform, {
      baseUrl: sandbox.url,
      apiKey: { value: sandbox.apiKey, name: 'ZERODB_API_KEY' },
      project: sandbox.project,
      memory,
    });
    return sandbox.requests - before;
  };
  expect(await open()).toBeGreaterThan(1);
  expect(await open()).toBe(1);
  await platform.http.close();
});
