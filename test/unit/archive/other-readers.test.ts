import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What people have who do not have us (design.md §1): the golden archives, read by other people's programs. */
const golden = join(import.meta.dirname, '../../golden/format-1');
const archives = readdirSync(join(golden, 'expected')).map((file) => file.slice(0, -'.json'.length));

interface Expected {
  readonly document_count: number;
  readonly documents_digest: string;
  readonly documents?: readonly { readonly sha256: string }[];
}

const expectedOf = (backupId: string): Expected =>
  JSON.parse(readFileSync(join(golden, 'expected', `${backupId}.json`), 'utf8')) as Expected;
const stored = (backupId: string, suffix: 'gz' | 'zst'): string =>
  join(golden, suffix === 'gz' ? 'gzip' : 'zstd', 'backups', `${backupId}.json.${suffix}`);

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const missing = (...programs: string[]): string[] => programs.filter((program) => !has(program));

function run(program: string, parameters: readonly string[], input?: Buffer): Buffer {
  const { stdout, stderr, status } = spawnSync(program, parameters, {
    ...(input === undefined ? {} : { input }),
    maxBuffer: 1 << 28,
  });
  expect(stderr.toString(), `${program} ${parameters.join(' ')}`).toBe('');
  expect(status).toBe(0);
  return stdout;
}

/** Not those with documents that are not JSON, too deep for jq, or not UTF-8: they are documents all the same. */
const plainJson = archives.filter((id) => /^(empty|empty_rows|events|%d0)/.test(id));

const READ_WITH_PYTHON = `
import gzip, hashlib, sys
with gzip.open(sys.argv[1]) as file:
    lines = file.read().split(b'\\n')
assert lines[0].endswith(b'"documents":[') and lines[-2].startswith(b'],"deleted_ids":') and lines[-1] == b''
documents = [line[:-1] if line.endswith(b',') else line for line in lines[1:-2]]
for document in documents:
    print(hashlib.sha256(document).hexdigest())
`;

function withoutPrograms(programs: readonly string[]): string {
  return programs.length === 0 ? '' : ` (skipped: no ${programs.join(', no ')} here)`;
}

describe('without us', () => {
  const jq = missing('zcat', 'jq');
  it.skipIf(jq.length > 0)(`zcat and jq read an archive${withoutPrograms(jq)}`, () => {
    expect(plainJson).toHaveLength(4);
    for (const backupId of plainJson) {
      const text = run('zcat', [stored(backupId, 'gz')]);
      const facts = run('jq', ['-c', '[(.documents | length), .document_count, .documents_digest]'], text);
      const { document_count: count, documents_digest: digest } = expectedOf(backupId);
      expect(JSON.parse(facts.toString())).toEqual([count, count, digest]);
    }
  });

  const python = missing('python3');
  it.skipIf(python.length > 0)(`Python’s gzip reads every document${withoutPrograms(python)}`, () => {
    for (const backupId of archives) {
      const hashes = run('python3', ['-c', READ_WITH_PYTHON, stored(backupId, 'gz')])
        .toString()
        .split('\n')
        .slice(0, -1);
      const expected = expectedOf(backupId);
      expect(hashes).toHaveLength(expected.document_count);
      if (expected.documents !== undefined)
        expect(hashes).toEqual(expected.documents.map(({ sha256 }) => sha256));
    }
  });

  const zstd = missing('zstd', 'zcat');
  it.skipIf(zstd.length > 0)(`zstd -d gives the same text as zcat${withoutPrograms(zstd)}`, () => {
    for (const backupId of archives) {
      const text = run('zstd', ['-d', '-c', '-q', stored(backupId, 'zst')]);
      expect(text.equals(run('zcat', [stored(backupId, 'gz')])), backupId).toBe(true);
    }
  });

  const sed = missing('zcat', 'sed', 'bash');
  it.skipIf(sed.length > 0)(`sed gives the documents, as docs/format.md shows${withoutPrograms(sed)}`, () => {
    for (const backupId of archives) {
      const command = `zcat "$1" | LC_ALL=C sed '1d;$d;s/,$//'`;
      const lines = run('bash', ['-c', command, 'bash', stored(backupId, 'gz')])
        .toString('latin1')
        .split('\n');
      expect(lines.slice(0, -1)).toHaveLength(expectedOf(backupId).document_count);
    }
  });
});
