import { backup } from '../../src/operations/backup.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { openRepository } from '../../src/repository.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { REQUEST } from './project.ts';

/** A process to be killed: backs up two collections, after it has said that it is about to begin. */
const [url, storePath, statePath, project] = process.argv.slice(2) as [string, string, string, string];
const platform = createPlatform();
const source = await openZerodbSource(platform, {
  baseUrl: url,
  apiKey: { value: process.env.ZERODB_API_KEY!, name: 'ZERODB_API_KEY' },
  project,
  dialect: 'A',
});
const repository = openRepository(platform, openDirectoryStore(platform, storePath), statePath);
process.stdout.write('ready\n');
const report = await backup(repository, source, { ...REQUEST, collections: ['users', 'events'] });
process.exitCode = report.exit_code;
await platform.http.close();
