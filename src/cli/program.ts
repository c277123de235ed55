import { Command } from 'commander';
import { defineBackup } from './commands/backup.ts';
import { defineCleanup } from './commands/cleanup.ts';
import { defineConfig } from './commands/config.ts';
import { defineDemo } from './commands/demo.ts';
import { defineDoctor } from './commands/doctor.ts';
import { defineExport } from './commands/export.ts';
import { defineList } from './commands/list.ts';
import { defineMarks } from './commands/mark.ts';
import { defineRebuild } from './commands/rebuild.ts';
import { defineRestore } from './commands/restore.ts';
import { defineSandbox } from './commands/sandbox.ts';
import { defineShow } from './commands/show.ts';
import { defineResume, defineUndo } from './commands/undo.ts';
import { defineVerify } from './commands/verify.ts';
import { addCommonFlags } from './flags.ts';
import type { Run } from './invocation.ts';
import { defineLaterCommands } from './later.ts';

/** Every command of the command line. Parsing calls `run` for the one that was given. */
export function createProgram(version: string, run: Run): Command {
  const program = new Command('zerodb-backup')
    .description(
      'Backs up, verifies and restores the document collections of a ZeroDB project, byte for byte.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .optionsGroup('Common options:')
    .usage('<command> [options]');
  addCommonFlags(program);
  defineBackup(program, run);
  defineList(program, run);
  defineShow(program, run);
  defineVerify(program, run);
  defineRestore(program, run);
  defineUndo(program, run);
  defineResume(program, run);
  defineExport(program, run);
  defineRebuild(program, run);
  defineCleanup(program, run);
  defineMarks(program, run);
  defineDoctor(program, run);
  defineSandbox(program, run);
  defineDemo(program, run);
  defineConfig(program, run);
  defineLaterCommands(program);
  program.addHelpText(
    'after',
    `
The flags of the specification work as well: --backup, --list, --restore ID, --cleanup.
Every option can also stand in zerodb-backup.yaml or in a variable: see docs/configuration.md.
Exit codes: 0 done, 1 failed, 2 usage, 3 incomplete, 4 damaged or different, 5 no such backup, 6 locked,
7 store failed, 8 server failed, 9 refused for safety, 130 interrupted, 143 terminated: see docs/errors.md.`,
  );
  return program;
}
