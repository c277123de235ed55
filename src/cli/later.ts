import type { Command } from 'commander';
import { BackupError } from '../kernel/errors.ts';

/** What the documentation promises for later versions: refused by name, so that nothing else is done in its place. */

const LATER_COMMANDS = ['copy', 'drill', 'keygen', 'rekey', 'schedule', 'serve', 'status'];

export function defineLaterCommands(program: Command): void {
  for (const name of LATER_COMMANDS) {
    program
      .command(name, { hidden: true })
      .description('not in this version yet')
      .allowUnknownOption()
      .allowExcessArguments()
      .action(() => refuse(name));
  }
}

function refuse(what: string): never {
  throw new BackupError('USAGE_INVALID', `${what} is not in this version yet`, {
    object: what,
    kept: 'Nothing was done.',
    cure: 'Run `zerodb-backup --help` to see what this version does.',
  });
}
