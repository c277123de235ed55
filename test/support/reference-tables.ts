import {
  flagOf,
  keyOf,
  OPTION_NAMES,
  type OptionName,
  optionFacts,
  variableOf,
} from '../../src/config/options.ts';
import { ERROR_CODES, type ErrorCode } from '../../src/kernel/errors.ts';

/** Tables of the documentation, made from what the program knows. */

export function errorTable(): string[] {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { exit, meaning }]) => `| \`${code satisfies string as ErrorCode}\` | ${exit} | ${meaning} |`,
  );
  return ['| code | exit code | meaning |', '|---|---|---|', ...rows];
}

export function optionTable(): string[] {
  return [
    '| key in the file | variable | flag | value | default | meaning |',
    '|---|---|---|---|---|---|',
    ...OPTION_NAMES.map(optionRow),
  ];
}

function optionRow(name: OptionName): string {
  const { kind, help, secret, commands, default: value, otherwise } = optionFacts(name);
  const usual = value === undefined ? (otherwise ?? '–') : `\`${kind.format(value)}\``;
  const cells = [
    name === 'config' ? '–' : code(keyOf(name)),
    secret === true
      ? `${code(variableOf(name))} or ${code(`${variableOf(name)}_FILE`)}`
      : code(variableOf(name)),
    secret === true ? 'never' : flagCell(name, commands),
    kind.placeholder === null ? '`true`, `false`' : code(kind.placeholder),
    usual,
    help,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function flagCell(name: OptionName, commands: readonly string[] | undefined): string {
  if (commands === undefined) return code(flagOf(name));
  return commands.length === 0 ? '–' : `${code(flagOf(name))} of ${commands.map(code).join(', ')}`;
}

function code(text: string): string {
  return `\`${text}\``;
}
