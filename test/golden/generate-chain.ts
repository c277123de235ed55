import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../../src/kernel/platform.ts';
import { backup } from '../../src/operations/backup.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { openRepository } from '../../src/repository.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';

/**
 * Makes a golden store with a full backup and an incremental one on it, and the state that they give:
 * `node test/golden/generate-chain.ts DIRECTORY`. As for the other golden stores: never made again.
 */
const directory = process.argv[2];
if (directory === undefined || existsSync(directory))
  throw new Error('name a directory that does not exist yet');
mkdirSync(directory, { recursive: true });
await using project = await Project.open(SETTINGS[0]);
const { sandbox } = project;
const days = (count: number): number => Date.UTC(2025, 0, 8 + count, 14, 30);
const at = async (now: number, incremental: boolean): Promise<void> => {
  const platform: Platform = { ...createPlatform(), clock: { ...project.platform.clock, now: () => now } };
  const store = openDirectoryStore(platform, join(directory, 'gzip'));
  const policy = { baseAgeMaxMs: 7 * 24 * 60 * 60 * 1000, sizeMax: 0.9 };
  const request = { ...REQUEST, collections: ['users'], incremental: incremental ? policy : null };
  const repository = openRepository(platform, store, project.repository.stateDirectory);
  const { exit_code, backups } = await backup(repository, project.target, request);
  if (exit_code !== 0 || backups[0]!.full_because !== undefined) throw new Error(JSON.stringify(backups));
  await platform.http.close();
};

const NUMBERED = 40;
for (let number = 0; number < NUMBERED; number++) {
  sandbox.insert('users', `{"id":"u${number}","n":${number}.0,"text":"${'é😀'.repeat(number)}"}`);
}
for (const id of ['"stays \\ud83d\\ude00"', '"goes \\ud83d\\ude00 \\"quoted\\""', '"goes é\\/"']) {
  sandbox.insert('users', `{"id":${id},"big":9007199254740993}`);
}
await at(days(0), false);

for (const number of [3, 4]) sandbox.update('users', `u${number}`, `{"id":"u${number}","n":1e2}`);
for (const { key, data } of [...sandbox.documents('users')]) {
  if (/"goes |"u(7|8)"/.test(data.toString())) sandbox.delete('users', key);
}
sandbox.insert('users', '{"id":"u7","again":true}');
sandbox.insert('users', '{"id":"new","n":-0}');
await at(days(1), true);
const state = project.payloads('users').map((text) => Buffer.from(text, 'latin1').toString('base64'));
writeFileSync(join(directory, 'state.json'), `${JSON.stringify(state, null, 1)}\n`);
