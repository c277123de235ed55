import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LogFile } from '../../../src/cli/output/log-file.ts';
import { localFiles } from '../../../src/platform/local-files.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../support/temporary-directory.ts';

let directory: TemporaryDirectory;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, 'cli.log');
});

afterEach(() => directory[Symbol.dispose]());

it('adds lines in order to a file that only this user can read', async () => {
  for (const run of ['first', 'second']) {
    const file = await LogFile.open(localFiles, path);
    file.write(`${run} 1\n`);
    file.write(`${run} 2\n`);
    expect(await file.close()).toBeNull();
  }
  expect(readFileSync(path, 'utf8')).toBe('first 1\nfirst 2\nsecond 1\nsecond 2\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('never writes through a link', async () => {
  const elsewhere = join(directory.path, 'elsewhere');
  writeFileSync(elsewhere, 'mine', { mode: 0o600 });
  symlinkSync(elsewhere, path);
  await expect(LogFile.open(localFiles, path)).rejects.toThrow(`the log file ${path} is a link`);
  expect(readFileSync(elsewhere, 'utf8')).toBe('mine');
});

it('refuses what others can read, directories, pipes, and places that do not exist', async () => {
  writeFileSync(path, '');
  chmodSync(path, 0o644);
  await expect(LogFile.open(localFiles, path)).rejects.toThrow('can be read by other users');
  const inside = join(directory.path, 'inside');
  mkdirSync(inside);
  await expect(LogFile.open(localFiles, inside)).rejects.toThrow('no file');
  const pipe = join(directory.path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await expect(LogFile.open(localFiles, pipe)).rejects.toThrow('no file');
  await expect(LogFile.open(localFiles, join(inside, 'no', 'log'))).rejects.toThrow(
    'cannot be written: ENOENT',
  );
});

it('says at the end that lines are missing', async () => {
  const file = await LogFile.open(
    { ...localFiles, append: (...args) => (args[2].length > 0 ? fail() : localFiles.append(...args)) },
    path,
  );
  file.write('a line\n');
  expect(await file.close()).toBe(`the log file ${path} could not be written: ENOSPC`);
});

function fail(): Promise<never> {
  return Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
}
