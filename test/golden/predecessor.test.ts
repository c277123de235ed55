import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { adopt } from '../../src/operations/adopt/adopt.ts';
import { exportBackup } from '../../src/operations/export.ts';
import { list } from '../../src/operations/list.ts';
import { openRepository } from '../../src/repository.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { testPlatform } from '../support/test-platform.ts';

/** Files that Python 3 wrote as the predecessor did (json.dump with indent 2 into gzip.open, level 9). They are never changed. */
const FILES = join(import.meta.dirname, 'predecessor');

const DOCUMENTS = [
  '{"id":"u1","email":"zo\\u00eb@example.com","n":1.0,"big":9007199254740993,"tiny":1e-300,"none":null,"yes":true}',
  '{"id":"u2","data":{"text":"line\\nbreak\\ttab \\"quoted\\" \\\\ \\u2028 \\ud83d\\ude00 \\ud800","list":[1,[],{},[2,{"a":"b"}]]}}',
  '{"id":"u3","nan":NaN,"infinite":-Infinity}',
];

test('what the predecessor wrote is adopted for ever, to the same documents', async () => {
  using directory = temporaryDirectory();
  const storePath = join(directory.path, 'store');
  await cp(FILES, join(storePath, 'backups'), { recursive: true });
  const platform = testPlatform();
  const repository = openRepository(platform, openDirectoryStore(platform, storePath), directory.path);
  const source = { host: 'api.example.com', project: null };
  const report = await adopt(repository, { from: null, source, compression: 'gzip', dryRun: false });
  expect(report).toMatchObject({ exit_code: 0, errors: [] });
  const { backups } = await list(repository, {});
  expect(
    backups.map(({ good, manifest }) => [
      manifest.backup_id,
      good,
      manifest.completed_at,
      manifest.documents_digest,
      manifest.adopted_from?.sha256,
    ]),
  ).toMatchInlineSnapshot(`
    [
      [
        "users_incremental_20250109_130001",
        false,
        "2025-01-09T13:00:01.000000",
        "3506f31167c1c917f017ff226932c714",
        "c0b8aad2552e8412316caf3645d2ef248e3dd7e27e39db10d395a0ab8dda433e",
      ],
      [
        "users_full_20250109_020001",
        true,
        "2025-01-09T02:00:03.000042",
        "8d1232738bb3c574ed7cf388f54439ab",
        "5922fb12245fd0fc65a2a5c888669c77f3138bc80da195c4bcdfb910548ed568",
      ],
    ]
  `);
  const pieces: Buffer[] = [];
  const write = async (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes));
  await exportBackup(repository, backups[1]!.manifest.backup_id, { format: 'ndjson', write });
  expect(Buffer.concat(pieces).toString()).toBe(DOCUMENTS.map((line) => `${line}\n`).join(''));
});
