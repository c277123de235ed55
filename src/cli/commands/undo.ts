import type { Command } from 'commander';
import { onOff } from '../../config/kinds.ts';
import { BackupError } from '../../kernel/errors.ts';
import type { CarryOutFlags } from '../carry-out.ts';
import { addFlag, addFlagsOf } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';

type Flags = CarryOutFlags & Record<string, unknown>;

export function defineUndo(program: Command, run: Run): void {
  const command = program
    .command('undo <restore-id>')
    .summary('take a restore back')
    .description(
      'Brings back what a restore wrote over or deleted, and deletes what it created: just those documents that still\n' +
        'are as it left them. The others are named and left alone.',
    );
  define(command, run, 'undo');
}

export function defineResume(program: Command, run: Run): void {
  const command = program
    .command('resume <restore-id>')
    .summary('go on with a restore that was interrupted')
    .description(
      'Reads the target again and does what is left of a restore or an undo that did not come to its end. Nothing is\n' +
        'written twice.',
    );
  define(command, run, 'resume');
}

/** What both do: they name a restore, and what they write is shown and agreed to first. */
function define(command: Command, run: Run, name: 'undo' | 'resume'): void {
  addFlag(command, '--dry-run', onOff, 'read everything, show the plan, write nothing');
  addFlag(command, '--yes', onOff, 'do not ask');
  addFlagsOf(command);
  command.action((id: string, _options, self: Command) => {
    const flags = self.optsWithGlobals<Flags>();
    return run(name, flags, async (invocation) => {
      refuseUnconfirmed(invocation, flags);
      const dialogue = await import('../undo-dialogue.ts');
      return await dialogue[name](invocation, restoreIdArgument(id), flags);
    });
  });
}

function refuseUnconfirmed({ session, ask }: Invocation, flags: Flags): void {
  if (!session.hasTargetOfItsOwn || flags.dryRun === true || flags.yes === true || ask !== null) return;
  throw new BackupError('RESTORE_REFUSED', 'writing to another server was not confirmed', {
    kept: 'Nothing was written.',
    cure: 'Add --yes once --dry-run shows what you want.',
  });
}

function restoreIdArgument(text: string): string {
  if (text.trim() !== '') return text.trim();
  throw new BackupError('USAGE_INVALID', 'the restore id is empty', {
    kept: 'Nothing was done.',
    cure: 'A restore prints its id when it ends, and keeps it under restores/ in the store.',
  });
}
