import { BackupError } from '../kernel/errors.ts';

/**
 * The specification's flags (`--backup --collections users`, `--restore ID --dry-run`), translated to subcommands.
 * This form never asks, and its log also goes to the specification's log file.
 */

const MODES = ['--backup', '--restore', '--list', '--cleanup'];

/** Flags of the specification that belong to some modes only; any other flag is left to the subcommand. */
const MODES_OF_FLAG: Readonly<Record<string, readonly string[]>> = {
  '--incremental': ['--backup'],
  '--collections': ['--backup'],
  '--dry-run': ['--backup', '--restore', '--cleanup'],
  '--merge': ['--restore'],
  '--validate-only': ['--restore'],
  '--collection': ['--list'],
  '--backup-type': ['--list'],
  '--limit': ['--list'],
  '--days': ['--cleanup'],
};

/** Arguments in subcommand form; null if these are not in flag form. Throws USAGE_INVALID. */
export function translateFlagForm(argv: readonly string[]): readonly string[] | null {
  const modes = argv.filter((argument) => MODES.includes(nameOf(argument)));
  if (modes.length === 0 || !argv[0]!.startsWith('-')) return null;
  const mode = nameOf(modes[0]!);
  if (modes.length > 1) {
    throw usage(`${modes.map(nameOf).join(' and ')} cannot be combined`, 'Give one of them at a time.');
  }
  for (const argument of argv) {
    const allowed = MODES_OF_FLAG[nameOf(argument)];
    if (allowed === undefined || allowed.includes(mode)) continue;
    throw usage(
      `${nameOf(argument)} does not go with ${mode}: it belongs to ${allowed.join(', ')}`,
      `Leave it out, or give it together with ${allowed.join(' or ')}.`,
    );
  }
  const at = argv.indexOf(modes[0]!);
  const before = argv.slice(0, at);
  const after = argv.slice(at + 1);
  if (mode !== '--restore') {
    if (modes[0] !== mode) throw usage(`${mode} takes no value`, `Write ${mode} alone.`);
    return [mode.slice(2), ...before, ...after];
  }
  const attached = modes[0] === mode ? null : modes[0]!.slice(mode.length + 1);
  const id = attached ?? after.shift();
  if (id === undefined || id.trim() === '' || id.startsWith('-')) {
    throw usage(
      '--restore was given no backup id',
      'Name one: `zerodb-backup --list` shows them. An empty shell variable also ends up here.',
    );
  }
  return ['restore', id, ...before, ...after];
}

function nameOf(argument: string): string {
  const equals = argument.indexOf('=');
  return equals < 0 ? argument : argument.slice(0, equals);
}

function usage(message: string, cure: string): BackupError {
  return new BackupError('USAGE_INVALID', message, { cure });
}
