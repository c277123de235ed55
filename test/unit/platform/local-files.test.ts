import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localFiles as files } from '../../../src/platform/local-files.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'local-files-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (name: string): string => join(directory, name);
const code = (value: string) => expect.objectContaining({ code: value });

describe('local files', () => {
  it('tells what is there, and null where nothing is', async () => {
    writeFileSync(at('file'), 'four', { mode: 0o640 });
    symlinkSync('nowhere', at('link'));
    expect(await files.stat(at('none'))).toBeNull();
    const facts = await files.stat(at('file'));
    expect(facts).toMatchObject({ kind: 'file', size: 4, mode: 0o640 });
    expect(Math.abs(facts!.modifiedAt - Date.now())).toBeLessThan(10_000);
    expect(await files.stat(at('link'))).toMatchObject({ kind: 'other' });
    expect(await files.stat(directory)).toMatchObject({ kind: 'directory' });
    await expect(files.stat(join(at('file'), 'below'))).rejects.toEqual(code('ENOTDIR'));
  });

  it('lists names with their kinds', async () => {
    writeFileSync(at('file'), '');
    symlinkSync('nowhere', at('link'));
    await files.makeDirectory(at('a/b/c'), 0o700);
    await files.makeDirectory(at('a/b'), 0o755);
    const entries = (await files.list(directory)).toSorted((a, b) => a.name.localeCompare(b.name));
    expect(entries).toEqual([
      { name: 'a', kind: 'directory' },
      { name: 'file', kind: 'file' },
      { name: 'link', kind: 'other' },
    ]);
    expect(await files.stat(at('a/b'))).toMatchObject({ kind: 'directory', mode: 0o700 });
    await expect(files.list(at('none'))).rejects.toEqual(code('ENOENT'));
  });

  it.each(['/proc/nope', '/proc/nope/deeper'])('cannot be made in %s, and that is said', async (path) => {
    await expect(files.makeDirectory(path, 0o700)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('cannot be made below a file', async () => {
    await (await files.create(at('file'), 0o600)).close();
    await expect(files.makeDirectory(at('file'), 0o700)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(files.makeDirectory(at('file/below'), 0o700)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('creates only what is not there yet, not even behind a link', async () => {
    const writer = await files.create(at('new'), 0o600);
    await writer.write(Buffer.from('one '));
    await writer.write(Buffer.from('two'));
    await writer.sync();
    await writer.close();
    expect(readFileSync(at('new'), 'utf8')).toBe('one two');
    expect(await files.stat(at('new'))).toMatchObject({ mode: 0o600 });
    symlinkSync(at('elsewhere'), at('dangling'));
    await expect(files.create(at('new'), 0o600)).rejects.toEqual(code('EEXIST'));
    await expect(files.create(at('dangling'), 0o600)).rejects.toEqual(code('EEXIST'));
    expect(await files.stat(at('elsewhere'))).toBeNull();
  });

  it('appends, but never through a link', async () => {
    await files.append(at('log'), 0o600, Buffer.from('a'));
    await files.append(at('log'), 0o600, Buffer.from('b'));
    expect(readFileSync(at('log'), 'utf8')).toBe('ab');
    expect(await files.stat(at('log'))).toMatchObject({ mode: 0o600 });
    symlinkSync(at('log'), at('link'));
    await expect(files.append(at('link'), 0o600, Buffer.from('c'))).rejects.toEqual(code('ELOOP'));
    expect(readFileSync(at('log'), 'utf8')).toBe('ab');
  });

  it('reads at any position', async () => {
    writeFileSync(at('file'), '0123456789');
    const reader = await files.open(at('file'));
    expect(reader.size).toBe(10);
    const into = Buffer.alloc(4);
    expect(await reader.read(into, 3)).toBe(4);
    expect(into.toString()).toBe('3456');
    expect(await reader.read(into, 8)).toBe(2);
    expect(into.toString('utf8', 0, 2)).toBe('89');
    expect(await reader.read(into, 100)).toBe(0);
    await reader.close();
    await expect(files.open(at('none'))).rejects.toEqual(code('ENOENT'));
  });

  it('keeps a temporary file without a name', async () => {
    const temporary = await files.openTemporary(directory);
    expect(readdirSync(directory)).toEqual([]);
    await temporary.write(Buffer.from('world'), 6);
    await temporary.write(Buffer.from('hello '), 0);
    const into = Buffer.alloc(20);
    expect(await temporary.read(into, 0)).toBe(11);
    expect(into.toString('utf8', 0, 11)).toBe('hello world');
    await temporary.close();
  });

  it('links only to a free name, renames over any, removes what is there', async () => {
    writeFileSync(at('a'), 'a');
    writeFileSync(at('b'), 'b');
    await expect(files.link(at('a'), at('b'))).rejects.toEqual(code('EEXIST'));
    expect(readFileSync(at('b'), 'utf8')).toBe('b');
    await files.link(at('a'), at('c'));
    await files.rename(at('b'), at('a'));
    expect(readFileSync(at('a'), 'utf8')).toBe('b');
    expect(readFileSync(at('c'), 'utf8')).toBe('a');
    await files.remove(at('c'));
    await expect(files.remove(at('c'))).rejects.toEqual(code('ENOENT'));
    await files.syncDirectory(directory);
    await expect(files.syncDirectory(at('none'))).rejects.toEqual(code('ENOENT'));
    expect(await files.freeBytes(directory)).toBeGreaterThan(0);
  });
});
