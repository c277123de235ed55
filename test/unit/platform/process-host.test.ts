import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { expect, test } from 'vitest';
import { createProcessHost } from '../../../src/platform/process-host.ts';

test('a process that has ended is not alive, this one and one of another user are', () => {
  const host = createProcessHost();
  expect(host.isProcessAlive(process.pid)).toBe(true);
  expect(host.isProcessAlive(1)).toBe(true);
  expect(host.isProcessAlive(spawnSync(process.execPath, ['--version']).pid)).toBe(false);
  expect(host.processSpace).toBe(createProcessHost().processSpace);
});
