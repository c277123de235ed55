/** The golden stores, read by `reader.py`: a reader that was written from docs/format.md alone. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const reader = join(import.meta.dirname, 'reader.py');
const golden = join(import.meta.dirname, 'format-1');
const directory = mkdtempSync(join(tmpdir(), 'golden-reader-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Why the stores of this compression cannot be read here; undefined if they can. Only Node and npm are demanded. */
function obstacle(compression: string): string | undefined {
  const python = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 11))'], {
    timeout: 30_000,
  });
  if (python.status !== 0) return 'needs python3 of version 3.11 or later on PATH';
  const zstd = compression === 'zstd' && spawnSync('zstd', ['--version'], { timeout: 30_000 }).status !== 0;
  return zstd ? 'needs the command zstd on PATH' : undefined;
}

function read(store: string) {
  const { status, stdout, stderr } = spawnSync('python3', [reader, store], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr, lines: stdout.trimEnd().split('\n') };
}

/** A copy of a store in which one bit of the byte in the middle of one object is flipped. */
function damaged(store: string, object: string): string {
  const copy = mkdtempSync(join(directory, 'store-'));
  cpSync(join(golden, store), copy, { recursive: true });
  const bytes = readFileSync(join(copy, object));
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(join(copy, object), bytes);
  return copy;
}

describe.each(['gzip', 'zstd'])('a golden store of %s', (compression) => {
  const reason = obstacle(compression);

  test('is reproduced from the page alone, byte for byte', { timeout: 90_000 }, ({ skip }) => {
    skip(reason !== undefined, reason);
    const { status, stdout, stderr, lines } = read(join(golden, compression));
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
    const manifests = readdirSync(join(golden, compression, 'manifests'));
    expect(lines.length).toBe(manifests.length + 1);
  });
});

describe('the reader', () => {
  const reason = obstacle('gzip');

  test.for([
    'backups/users_full_20250109_143000.json.gz',
    'indexes/users_full_20250109_143000',
    'manifests/users_full_20250109_143000.json',
  ])('sees a flipped bit in %s, and only there', { timeout: 90_000 }, (object, { skip }) => {
    skip(reason !== undefined, reason);
    const { status, lines } = read(damaged('gzip', object));
    expect(status).toBe(1);
    const bad = lines.filter((line) => line.startsWith('BAD'));
    expect(bad).toEqual([expect.stringContaining('users_full_20250109_143000')]);
  });
});
