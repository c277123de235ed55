import { exportBackup } from '../../../src/operations/export.ts';
import { Violation } from '../attempt.ts';
import { assertExplained, damageFirst } from '../codes.ts';
import type { Faults } from '../faults.ts';
import { membersOf } from '../members.ts';
import type { World } from '../world.ts';
import type { Operation } from './operation.ts';
import { assertSound, crossings, readSomeBackup, unsoundness } from './reading.ts';

/** What is handed out are the documents of the backup, in both formats. */
export const exportOperation: Operation = {
  name: 'export',
  aims: 'read',
  weight: 3,
  usesTool: true,
  concurrent: true,
  run: (world, faults) => runExport(world, faults, world.dice.pick(['json', 'ndjson'] as const)),
};

export async function runExport(world: World, faults: Faults, format: 'json' | 'ndjson') {
  const pieces: Buffer[] = [];
  const write = async (bytes: Uint8Array): Promise<void> => void pieces.push(Buffer.from(bytes));
  const reading = await readSomeBackup(world, faults, ({ repository, signal }, backupId) =>
    exportBackup(repository, backupId, { format, write }, { signal }),
  );
  if (reading === null) return [];
  const { id, attempt } = reading;
  assertExplained(attempt, [...unsoundness(attempt.store, id), ...crossings(attempt)], damageFirst);
  if (attempt.report === null) return [attempt];
  assertSound(attempt, id);
  const lines = Buffer.concat(pieces).toString('latin1').split('\n').slice(0, -1);
  const handed = (format === 'ndjson' ? lines : lines.slice(1, -1)).map((line) => line.replace(/,$/, ''));
  const { manifest, payloads } = attempt.store.observer.backups.get(id)!;
  const member = { id_data: 'data', row: 'row_data', flat: null, flat_id: null }[manifest.document_shape];
  const differs = payloads.findIndex((payload, at) => {
    const document = handed[at] ?? '';
    return (member === null ? document : membersOf(document).get(member)) !== payload;
  });
  if (handed.length !== payloads.length || differs >= 0) {
    throw new Violation(`export hands out ${handed.length} documents of ${payloads.length}`);
  }
  return [attempt];
}
