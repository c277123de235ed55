import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCatalog } from '../../src/catalog/catalog.ts';
import { exportBackup } from '../../src/operations/export.ts';
import { validateBackup } from '../../src/operations/restore.ts';
import { verify } from '../../src/operations/verify.ts';
import { openRepository, type Repository } from '../../src/repository.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts';
import { testPlatform } from '../support/test-platform.ts';

const FULL = 'users_full_20250108_143000';
const INCREMENTAL = 'users_incremental_20250109_143000';
const directory = join(import.meta.dirname, 'format-1-chain');
const state = (JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8')) as string[])
  .map((text) => Buffer.from(text, 'base64').toString())
  .sort();

/** The payload of an item, as it was sent. */
function payloadOf(line: string): string {
  return /"data":(\{.*\}),"created_at"/.exec(line)![1]!;
}

describe('the golden chain of format 1', () => {
  let scratch: TemporaryDirectory;
  let repository: Repository;
  beforeAll(() => {
    scratch = temporaryDirectory();
    const platform = testPlatform();
    repository = openRepository(
      platform,
      openDirectoryStore(platform, join(directory, 'gzip')),
      scratch.path,
    );
  });
  afterAll(() => scratch[Symbol.dispose]());

  test('gives the state that was there, by the words of docs/format.md alone', () => {
    const lines = (id: string): string[] =>
      gunzipSync(readFileSync(join(directory, 'gzip', 'backups', `${id}.json.gz`)))
        .toString()
        .trimEnd()
        .split('\n');
    const items = (id: string): string[] =>
      lines(id)
        .slice(1, -1)
        .map((line) => line.replace(/,$/, ''));
    const idOf = (item: string): string => (JSON.parse(item) as { id: string }).id;
    const { deleted_ids } = JSON.parse(`{"documents":[${lines(INCREMENTAL).at(-1)!}`) as {
      deleted_ids: string[];
    };
    const replaced = new Set([...items(INCREMENTAL).map(idOf), ...deleted_ids]);
    const survivors = items(FULL).filter((item) => !replaced.has(idOf(item)));
    expect([...survivors, ...items(INCREMENTAL)].map(payloadOf).sort()).toEqual(state);
  });

  test('is listed, verified, validated, and exported as that state', async () => {
    const { backups } = await readCatalog(repository);
    expect(backups.map(({ backup_id }) => backup_id)).toEqual([INCREMENTAL, FULL]);
    const verified = await verify(repository, { backupIds: null, level: 'decode', maxAgeMs: null });
    expect(verified).toMatchObject({ exit_code: 0, errors: [] });
    expect(await validateBackup(repository, INCREMENTAL)).toMatchObject({ exit_code: 0, document_count: 41 });
    let text = '';
    await exportBackup(repository, INCREMENTAL, {
      format: 'ndjson',
      write: async (bytes) => {
        text += Buffer.from(bytes).toString();
      },
    });
    expect(text.trimEnd().split('\n').map(payloadOf).sort()).toEqual(state);
  });
});
