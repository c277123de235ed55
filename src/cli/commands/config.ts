import type { Command } from 'commander';
import { keyOf, OPTION_NAMES, type OptionName, optionFacts, variableOf } from '../../config/options.ts';
import { defaultStateDirectory } from '../../config/places.ts';
import { printable } from '../../kernel/printable.ts';
import type { Invocation, Run } from '../invocation.ts';
import { table } from '../output/layout.ts';
import { summaryOf } from '../output/summary.ts';

export function defineConfig(program: Command, run: Run): void {
  program
    .command('config')
    .summary('print the effective configuration')
    .description('Prints every option with its value and where it came from. Secrets are masked.')
    .action((_options, self: Command) => run('config', self.optsWithGlobals(), config));
}

const MASK = '********';

async function config({ configuration, output, platform }: Invocation) {
  const { settings, origins, warnings } = configuration;
  const options = OPTION_NAMES.map((name) => {
    const origin = origins.get(name);
    return {
      name: keyOf(name),
      value: shownValue(name, settings[name]),
      from: origin === undefined ? 'default' : `${origin.kind} ${origin.name}`,
      variable: variableOf(name),
      otherwise: name === 'stateDir' ? defaultStateDirectory(platform.host) : optionFacts(name).otherwise,
    };
  });
  const columns = [
    { title: 'Option', width: 20 },
    { title: 'Value', width: 30 },
    { title: 'From', width: 20 },
    { title: 'Variable', width: 0 },
  ];
  const rows = options.map(({ name, value, from, variable, otherwise }) => [
    name,
    printable(value ?? (otherwise === undefined ? '-' : `(${otherwise})`)),
    printable(from),
    variable,
  ]);
  output.print(table(columns, rows));
  return summaryOf({
    operation: 'config',
    exit_code: 0,
    options,
    warnings: warnings.map((message) => ({ code: 'CONFIG_EXPOSED', message })),
    errors: [],
  });
}

function shownValue(name: OptionName, value: unknown): string | null {
  if (value === undefined) return null;
  const { kind, secret } = optionFacts(name);
  return secret === true ? MASK : kind.format(value);
}
