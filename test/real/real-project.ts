import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { CollectionBackup, RestoreReport } from '../../src/model/report.ts';
import { backup } from '../../src/operations/backup.ts';
import { applyRestore, planRestore } from '../../src/operations/restore.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { openRepository } from '../../src/repository.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { REQUEST } from '../support/project.ts';
import { type Row, Wire } from './wire.ts';

/** A new project of the real server, and the tool on it with a store of its own. The tool finds out the dialect. */
export async function openRealProject() {
  const wire = await Wire.ofRealServer();
  const directory = await mkdtemp(join(tmpdir(), 'zerodb-backup-'));
  const platform = createPlatform();
  const target = await openZerodbSource(platform, { baseUrl: wire.url, project: wire.project });
  const store = join(directory, 'store');
  const repository = openRepository(platform, openDirectoryStore(platform, store), join(directory, 'state'));

  return {
    wire,
    dialect: target.identity.dialect,

    /** Backs up one table. */
    async backup(table: string): Promise<CollectionBackup> {
      const { backups } = await backup(repository, target, { ...REQUEST, collections: [table] });
      return backups[0]!;
    },

    async restore(backupId: string): Promise<RestoreReport> {
      const plan = await planRestore(repository, target, { backupId });
      try {
        return await applyRestore(plan);
      } finally {
        await plan.close();
      }
    },

    /** Rows that a backup holds, read as anybody would. */
    async rowsIn(backupId: string): Promise<Row[]> {
      const text = gunzipSync(await readFile(join(store, 'backups', `${backupId}.json.gz`))).toString('utf8');
      return (JSON.parse(text) as { documents: Row[] }).documents;
    },

    async [Symbol.asyncDispose](): Promise<void> {
      await platform.http.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export type RealProject = Awaited<ReturnType<typeof openRealProject>>;
