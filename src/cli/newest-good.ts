import { timeOfState } from '../catalog/points-in-time.ts';
import { BackupError } from '../kernel/errors.ts';
import type { ListedBackup } from '../model/report.ts';
import { formatInstant } from '../model/time.ts';
import { chooseStates } from '../operations/chosen-states.ts';
import { list } from '../operations/list.ts';
import type { Invocation } from './invocation.ts';
import { formatAge } from './output/quantities.ts';
import type { RestoreFlags } from './restore-flags.ts';

/**
 * The newest good backup of every collection asked for, by the time that was asked for; one that has none is a failure
 * of its own.
 */
export async function newestGood(
  { session, context, output }: Invocation,
  flags: RestoreFlags,
  fail: (thrown: unknown, object: string) => void,
): Promise<string[]> {
  const stores = await session.repositories();
  const { backups, errors } = await list(stores, {}, context);
  // a manifest that cannot be read may have been that of a newer backup
  for (const { code, message, ...facts } of errors)
    fail(new BackupError(code, message, facts), facts.object ?? '');
  const { at = null, collections = null } = flags;
  const { states, doubts, failures } = chooseStates(stores, backups, collections, at);
  for (const text of doubts) output.complain(`Warning: ${text}`);
  for (const failure of failures) fail(failure, '');
  if (at !== null) output.say(statesAt(states, at));
  return states.map(({ manifest }) => manifest.backup_id);
}

function statesAt(states: readonly ListedBackup[], at: number): string[] {
  return [
    '',
    `States at ${formatInstant(at)} (UTC):`,
    ...states.map((state) => `  ${state.manifest.backup_id}  ${formatAge(at - timeOfState(state))} before`),
  ];
}
