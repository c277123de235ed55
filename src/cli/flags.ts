import { type Command, Option } from 'commander';
import type { Kind } from '../config/kinds.ts';
import { flagOf, OPTION_NAMES, type OptionName, optionFacts, takesFlag } from '../config/options.ts';
import { BackupError } from '../kernel/errors.ts';

/** Flags of the option table for everything. */
export function addCommonFlags(program: Command): void {
  addConfiguredFlags(program, (name) => optionFacts(name).commands === undefined);
}

/** Flags of the option table for one command. */
export function addFlagsOf(command: Command): void {
  addConfiguredFlags(
    command,
    (name) => optionFacts(name).commands !== undefined && takesFlag(command.name(), name),
  );
}

function addConfiguredFlags(command: Command, wanted: (name: OptionName) => boolean): void {
  for (const name of OPTION_NAMES) {
    const { kind, help, secret, default: value, otherwise } = optionFacts(name);
    if (secret === true || !wanted(name)) continue;
    const usual = value === undefined || value === false ? otherwise : kind.format(value);
    const text = usual === undefined ? help : `${help} (default: ${usual})`;
    const option = new Option(flagText(flagOf(name), kind), text);
    if (kind.repeats) option.argParser(addedUp);
    command.addOption(option);
  }
}

/** A flag of one command alone. */
export function addFlag<Value>(command: Command, flag: string, kind: Kind<Value>, help: string): void {
  const name = flag.split(', ').at(-1)!;
  const option = new Option(flagText(flag, kind), help);
  if (kind.placeholder !== null) {
    option.argParser((text: string, before: Value | undefined) => {
      const value = parseArgument(name, kind, text);
      return kind.repeats && before !== undefined ? ([before, value].flat() as Value) : value;
    });
  }
  command.addOption(option);
}

function addedUp(text: string, before: string | undefined): string {
  return before === undefined ? text : `${before},${text}`;
}

/** Throws USAGE_INVALID. */
export function parseArgument<Value>(name: string, kind: Kind<Value>, text: string): Value {
  try {
    return kind.parse(text);
  } catch (cause) {
    throw new BackupError('USAGE_INVALID', `${name} ${(cause as Error).message}`, {
      object: name,
      cure: `Give it as <${kind.placeholder}>.`,
    });
  }
}

function flagText(flag: string, kind: Kind<unknown>): string {
  return kind.placeholder === null ? flag : `${flag} <${kind.placeholder}>`;
}
