import type { Command } from 'commander';
import { file } from '../../config/kinds.ts';
import { absolutePath } from '../../config/places.ts';
import { printable } from '../../kernel/printable.ts';
import type { DoctorCheck, DoctorReport } from '../../model/report.ts';
import { formatInstant } from '../../model/time.ts';
import { effectiveOptions } from '../effective-options.ts';
import { addFlag } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { toNewFile } from '../new-file.ts';
import { failureLines } from '../output/failure.ts';
import { banner } from '../output/layout.ts';
import type { Output } from '../output/output.ts';
import { summaryOf } from '../output/summary.ts';

interface DoctorFlags {
  readonly bundle?: string;
}

export function defineDoctor(program: Command, run: Run): void {
  const command = program
    .command('doctor')
    .summary('examine everything that a backup depends on')
    .description(
      'Looks at the server, its clock, the credentials, every store (by writing, reading, listing and removing a small\n' +
        'object), the space that is left and the state directory, and says what to do about what is wrong.',
    );
  addFlag(
    command,
    '--bundle',
    file,
    'write what was found, and the configuration without secrets, to this new file',
  );
  command.action((_options, self: Command) => {
    const flags = self.optsWithGlobals<DoctorFlags & Record<string, unknown>>();
    return run('doctor', flags, (invocation) => doctor(invocation, flags));
  });
}

async function doctor(invocation: Invocation, flags: DoctorFlags) {
  const { platform, session, configuration, output, context } = invocation;
  const { doctor: examine } = await import('../../operations/doctor/doctor.ts');
  const report = await examine(
    {
      platform,
      serverUrl: session.sourceName === null ? null : configuration.settings.source!,
      openSource: () => session.source(),
      openStores: () => session.repositories(),
      collections: configuration.settings.collections ?? [],
    },
    context,
  );
  output.say(doctorLines(report, output));
  if (flags.bundle !== undefined) await saveBundle(invocation, flags.bundle, report);
  return summaryOf(report);
}

function doctorLines({ checks }: DoctorReport, output: Output): string[] {
  const count = (outcome: DoctorCheck['outcome']): number =>
    checks.filter((check) => check.outcome === outcome).length;
  return [
    ...banner('DOCTOR'),
    ...checks.flatMap((check) => checkLines(check, output)),
    '',
    `${count('good')} good, ${count('warning')} to think about, ${count('bad')} wrong`,
  ];
}

function checkLines({ name, outcome, message, cure, error }: DoctorCheck, output: Output): string[] {
  const title = printable(name);
  switch (outcome) {
    case 'good':
      return [`${output.paint('green', '✓')} ${title}: ${printable(message)}`];
    case 'warning':
      return [
        `${output.paint('yellow', '!')} ${title}: ${printable(message)}`,
        ...(cure === undefined ? [] : [`    Do: ${printable(cure)}`]),
      ];
    case 'bad':
      return [
        `${output.paint('red', '✗')} ${title}`,
        ...(error === undefined ? [] : failureLines(error).map((line) => `    ${line}`)),
      ];
  }
}

/** For whoever helps: nothing of it is secret, and nothing of it is a document. */
async function saveBundle(
  { platform, configuration, output }: Invocation,
  path: string,
  report: DoctorReport,
): Promise<void> {
  const { host, clock } = platform;
  const bundle = {
    made_at: formatInstant(clock.now()),
    tool_version: host.toolVersion,
    system: host.system,
    variables: Object.keys(host.env)
      .filter((name) => /^(ZERODB_|XDG_|HTTPS?_PROXY|NO_PROXY|NODE_)/i.test(name))
      .sort(),
    configuration: effectiveOptions(configuration, host),
    report,
  };
  const absolute = absolutePath(host, path);
  await toNewFile(platform, absolute, '--bundle', (write) =>
    write(Buffer.from(`${output.redacted(bundle, 2)}\n`)),
  );
  output.say([`Everything above, and the configuration without secrets: ${absolute}`]);
}
