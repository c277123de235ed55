import type { Command } from 'commander';
import { file, list, moment, onOff, text } from '../../config/kinds.ts';
import { BackupError } from '../../kernel/errors.ts';
import { backupIdArgument } from '../backup-id-argument.ts';
import { addFlag, addFlagsOf } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import type { RestoreFlags } from '../restore-flags.ts';

export function defineRestore(program: Command, run: Run): void {
  const command = program
    .command('restore [id]')
    .summary('restore a backup, or check what that would do')
    .description(
      'Restores one backup, or the newest good one of several collections: verifies it, reads the target, shows the\n' +
        'plan, writes, reads back and compares. Documents that the backup does not hold are left alone.',
    );
  addFlag(command, '--validate-only', onOff, 'only prove that the backup is whole');
  addFlag(command, '--dry-run', onOff, 'read everything, show the plan, write nothing');
  addFlag(command, '--to', text, 'restore into another collection');
  addFlag(command, '--all', onOff, 'every collection that has a backup');
  addFlag(command, '--collections', list('a,b'), 'these collections');
  addFlag(
    command,
    '--latest',
    onOff,
    'with --all or --collections: the newest good backup of each, as always',
  );
  addFlag(
    command,
    '--at',
    moment,
    'with --all or --collections: the newest state of each by this time (UTC unless it has a zone)',
  );
  addFlag(command, '--merge', onOff, "put the backup's members into the documents, keep their other members");
  addFlag(command, '--exact', onOff, 'also delete what the backup does not hold');
  addFlag(command, '--ids', list('a,b'), 'only the documents with these ids');
  addFlag(command, '--plan', file, 'save the plan to this new file and write nothing');
  addFlag(command, '--apply', file, 'carry out just the plan that was saved in this file');
  addFlag(command, '--allow-partial', onOff, 'restore what is good of a damaged backup');
  addFlag(command, '--without-undo', onOff, 'keep nothing of what is written over');
  addFlag(command, '--yes', onOff, 'do not ask');
  addFlagsOf(command);
  command.action((id: string | undefined, _options, self: Command) => {
    const flags = self.optsWithGlobals<RestoreFlags & Record<string, unknown>>();
    return run('restore', flags, async (invocation) => {
      refuseContradictions(id, flags, invocation);
      const { restore } = await import('../restore-dialogue.ts');
      return await restore(invocation, id === undefined ? null : backupIdArgument(id), flags);
    });
  });
}

function refuseContradictions(
  id: string | undefined,
  flags: RestoreFlags,
  { session, ask }: Invocation,
): void {
  const several = flags.all === true || flags.collections !== undefined;
  refuseModes(id, several, flags);
  if (flags.apply !== undefined) return;
  if (flags.at !== undefined && flags.latest === true)
    throw usage('--at does not go with --latest', 'Give one or the other.');
  const which = flags.latest === true ? '--latest' : flags.at === undefined ? null : '--at';
  if (id === undefined && !several) {
    throw usage(
      which === null ? 'no backup id was given' : `${which} does not say which collections`,
      'Name a backup (`zerodb-backup list` shows them), or give --all or --collections.',
    );
  }
  if (id !== undefined && (several || which !== null)) {
    throw usage(
      'a backup id does not go with --all, --collections, --latest or --at',
      'Give one or the other.',
    );
  }
  if (flags.all === true && flags.collections !== undefined) {
    throw usage('--all does not go with --collections', 'Give one or the other.');
  }
  if (several && flags.to !== undefined) {
    throw usage('--to takes one backup', 'Restore the collections one by one to rename them.');
  }
  refuseUnconfirmed(flags, session, ask);
}

/** Without anybody to ask, what may go wrong badly must be confirmed beforehand. */
function refuseUnconfirmed(
  flags: RestoreFlags,
  session: Invocation['session'],
  ask: Invocation['ask'],
): void {
  const writes = flags.validateOnly !== true && flags.dryRun !== true && flags.plan === undefined;
  if (!writes || flags.yes === true || ask !== null) return;
  const what = session.hasTargetOfItsOwn
    ? 'a restore into another server'
    : flags.exact === true
      ? 'a restore that deletes what the backup does not hold'
      : null;
  if (what === null) return;
  throw new BackupError('RESTORE_REFUSED', `${what} was not confirmed`, {
    kept: 'Nothing was written.',
    cure: 'Add --yes once --dry-run shows what you want.',
  });
}

function refuseModes(id: string | undefined, several: boolean, flags: RestoreFlags): void {
  if (flags.merge === true && flags.exact === true)
    throw usage('--merge does not go with --exact', 'Give one or the other.');
  if (flags.ids?.length === 0) throw usage('--ids is empty', 'Name the documents: --ids a,b.');
  const alone = (['ids', 'plan', 'apply'] as const).find((name) => flags[name] !== undefined && several);
  if (alone !== undefined) throw usage(`--${alone} takes one backup`, 'Restore the collections one by one.');
  if (flags.apply === undefined) return;
  const own = (
    ['at', 'merge', 'exact', 'ids', 'to', 'plan', 'allowPartial', 'dryRun', 'validateOnly'] as const
  ).find((name) => flags[name] !== undefined);
  if (id !== undefined || own !== undefined)
    throw usage('--apply takes everything from the saved plan', 'Leave out the backup id and other options.');
}

function usage(message: string, cure: string): BackupError {
  return new BackupError('USAGE_INVALID', message, { kept: 'Nothing was done.', cure });
}
