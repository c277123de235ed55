import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { DEFECTS } from '../support/schedule-defects.ts';

const RUN = fileURLToPath(new URL('../support/schedule-run.ts', import.meta.url));

// in a process of its own each: a copy of the scan is loaded there, as Node itself runs it
it.each(Object.entries(DEFECTS))('the schedules notice: %s', async (name, { dialect }) => {
  const args = [RUN, '--until-violation', '--seeds', '2000', '--dialect', dialect, '--defect', name];
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, (_, stdout, stderr) => resolve(stdout + stderr));
  });
  expect(output).toMatch(/schedules in .* s, 1 violations/);
});
