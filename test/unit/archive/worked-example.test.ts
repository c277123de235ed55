import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { keyOfUnkeyed } from '../../../src/archive/digest.ts';
import { DocumentHasher } from '../../../src/archive/document-hashes.ts';
import { payload } from '../../../src/model/shape.ts';
import { zlibCodec } from '../../../src/platform/zlib-codec.ts';
import { batchOf, writeArchive } from '../../support/archives.ts';
import { sha256 } from '../../support/reference-digest.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/format.md'), 'utf8');

/** The rows of the example's table, cells without code marks and breaks, by their first cell. */
const table = new Map(
  page
    .slice(page.indexOf('Worked example'), page.indexOf('## 6.'))
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.replaceAll(/[` ]|<br>/g, '')),
    )
    .map(([name, ...cells]) => [name!, cells]),
);
const documents = /Worked example[\s\S]*?```\n([\s\S]*?)```/
  .exec(page)![1]!
  .trimEnd()
  .split('\n')
  .map((line) => Buffer.from(line));

it('the worked example of docs/format.md is what the code computes', async () => {
  expect(documents).toHaveLength(3);
  const hex = (latin1: string, bytes: number): string =>
    Buffer.from(latin1, 'latin1')
      .toString('hex')
      .slice(0, 2 * bytes);
  const batch = batchOf(documents);
  const hasher = new DocumentHasher(zlibCodec, 'row');
  for (const [at, document] of documents.entries()) {
    const hashes = hasher.read(batch, at);
    const expected = (row: string): string => table.get(row)![at]!;
    expect(sha256(document).toString('hex')).toBe(expected('SHA-256ofthedocument'));
    expect(hex(hashes.leaf, 16)).toBe(expected('leaf'));
    expect(hex(hashes.contentLeaf, 16)).toBe(expected('contentleaf'));
    expect(Buffer.from(payload(batch, at, 'row')).toString()).toBe(expected('payload'));
    const keyOf = (row: string): Buffer =>
      expected(row).startsWith('sha256:')
        ? Buffer.from(keyOfUnkeyed(zlibCodec.sha256(document)))
        : Buffer.from(expected(row));
    expect(hex(hashes.scanKeyHash, 32)).toBe(sha256(keyOf('scankey')).toString('hex'));
    expect(hex(hashes.logicalIdHash, 32)).toBe(sha256(keyOf('logicalid')).toString('hex'));
  }

  const archive = await writeArchive(documents, { shape: 'row' });
  expect(page).toContain(`documents_digest  ${archive.totals.documentsDigest}\n`);
  expect(page).toContain(`content_digest    ${archive.totals.contentDigest}\n`);

  const body = archive.index.subarray(archive.indexHeaderLength).toString('hex');
  const entries = body.slice(0, 3 * 56).match(/.{56}/g)!;
  const logical = body.slice(3 * 56).match(/.{24}/g)!;
  expect(page).toContain(
    `\`${entries[2]!.slice(0, 16)} ${entries[2]!.slice(16, 24)} ${entries[2]!.slice(24)}\``,
  );
  expect(page).toContain(`\`${logical[2]!.slice(0, 16)} ${logical[2]!.slice(16)}\``);
  expect(entries[0].slice(0, 16)).toBe('8592b1dd51488db4');
  expect(entries[1]!.slice(0, 16)).toBe('a5fa777a3dc67268');
  expect(logical.map((entry) => entry.slice(0, 16))).toEqual([
    '8592b1dd51488db4',
    'bb82030dbc2bcaba',
    'd4735e3a265e16ee',
  ]);
  for (const hash of ['8592b1dd51488db4…', 'a5fa777a3dc67268…', 'bb82030dbc2bcaba…'])
    expect(page).toContain(hash);
});

it('the archive of docs/format.md §3.1 is what the code writes', async () => {
  const text = /### 3.1[\s\S]*?```\n([\s\S]*?)```/.exec(page)![1]!;
  const lines = text.trimEnd().split('\n');
  const { stored } = await writeArchive(
    lines.slice(1, -1).map((line) => Buffer.from(line.replace(/,$/, ''))),
  );
  const { gunzipSync } = await import('node:zlib');
  expect(gunzipSync(stored).toString()).toBe(text);
});
