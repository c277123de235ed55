import { describe, expect, it } from 'vitest';
import { translateFlagForm } from '../../../src/cli/flag-form.ts';

describe('the flags of the specification', () => {
  it.each([
    ['--backup', 'backup'],
    ['--backup --incremental', 'backup --incremental'],
    ['--backup --dry-run', 'backup --dry-run'],
    ['--backup --collections users,profiles,events', 'backup --collections users,profiles,events'],
    ['--collections users --backup', 'backup --collections users'],
    ['--list', 'list'],
    [
      '--list --collection users --backup-type full --limit 20',
      'list --collection users --backup-type full --limit 20',
    ],
    ['--list --verbose', 'list --verbose'],
    ['--restore users_full_20250109_143000', 'restore users_full_20250109_143000'],
    ['--restore=users_full_20250109_143000 --merge', 'restore users_full_20250109_143000 --merge'],
    ['--dry-run --restore ID --json', 'restore ID --dry-run --json'],
    ['--cleanup --days 30 --dry-run', 'cleanup --days 30 --dry-run'],
  ])('%s means %s', (flags, command) => {
    expect(translateFlagForm(flags.split(' '))).toEqual(command.split(' '));
  });

  it.each(['backup --collections users', 'list', '--version', '--help', 'help --list', ''])(
    'are not meant by %j',
    (argv) => {
      expect(translateFlagForm(argv === '' ? [] : argv.split(' '))).toBeNull();
    },
  );

  it.each([
    [['--backup', '--list'], '--backup and --list cannot be combined'],
    [['--list', '--incremental'], '--incremental does not go with --list: it belongs to --backup'],
    [['--backup', '--collection', 'users'], '--collection does not go with --backup'],
    [['--restore', 'ID', '--collections=users'], '--collections does not go with --restore'],
    [['--backup', '--days', '3'], '--days does not go with --backup'],
    [['--list', '--dry-run'], '--dry-run does not go with --list'],
    [['--backup=users'], '--backup takes no value'],
    [['--restore'], '--restore was given no backup id'],
    [['--restore', ''], '--restore was given no backup id'],
    [['--restore='], '--restore was given no backup id'],
    [['--restore', '--validate-only'], '--restore was given no backup id'],
  ])('refuse %j', (argv, message) => {
    expect(() => translateFlagForm(argv)).toThrow(message);
  });
});
