import { exportBackup } from '../../../src/operations/export.ts';
import { Violation } from '../attempt.ts';
import type { Operation } from './operation.ts';
import { assertSound, readSomeBackup } from './reading.ts';

/** What is handed out are the documents of the backup, in both formats. */
export const exportOperation: Operation = {
  name: 'export',
  weight: 3,
  usesTool: true,
  concurrent: true,
  async run(world, faults) {
    const format = world.dice.pick(['json', 'ndjson'] as const);
    const pieces: Buffer[] = [];
    const write = async (bytes: Uint8Array): Promise<void> => void pieces.push(Buffer.from(bytes));
    const reading = await readSomeBackup(world, faults, ({ repository, signal }, backupId) =>
      exportBackup(repository, backupId, { format, write }, { signal }),
    );
    if (reading === null) return [];
    const { id, attempt } = reading;
    if (attempt.report === null) return [attempt];
    assertSound(world, id);
    const lines = Buffer.concat(pieces).toString('latin1').split('\n').slice(0, -1);
    const documents = format === 'ndjson' ? lines : lines.slice(1, -1);
    const payloads = world.observer.backups.get(id)?.payloads ?? [];
    const differs = payloads.findIndex((payload, index) => documents[index]?.includes(payload) !== true);
    if (documents.length !== payloads.length || differs >= 0) {
      throw new Violation(`export hands out ${documents.length} documents of ${payloads.length}`);
    }
    return [attempt];
  },
};
