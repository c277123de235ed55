import type { Command } from 'commander';
import { printable } from '../../kernel/printable.ts';
import { effectiveOptions } from '../effective-options.ts';
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

async function config({ configuration, output, platform }: Invocation) {
  const { warnings } = configuration;
  const options = effectiveOptions(configuration, platform.host);
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
