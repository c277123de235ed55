import { type Command, Option } from 'commander';
import { duration } from '../../config/kinds.ts';
import { printable } from '../../kernel/printable.ts';
import type { VerifyLevel, VerifyReport } from '../../model/report.ts';
import { backupIdArgument } from '../backup-id-argument.ts';
import { addFlag } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { failureLines } from '../output/failure.ts';
import { banner } from '../output/layout.ts';
import type { Output } from '../output/output.ts';
import { formatSeconds, formatSize, plural } from '../output/quantities.ts';
import { summaryOf } from '../output/summary.ts';

interface VerifyFlags {
  readonly level: VerifyLevel;
  readonly maxAge?: number;
}

export function defineVerify(program: Command, run: Run): void {
  const command = program
    .command('verify [ids...]')
    .summary('compare stored bytes with what was backed up')
    .description('Reads backups, all of them unless some are named, and compares them with their manifests.');
  command.addOption(
    new Option('--level <level>', 'objects and sizes, every stored byte, or every document as well')
      .choices(['presence', 'checksum', 'decode'])
      .default('checksum'),
  );
  addFlag(command, '--max-age', duration, 'exit 3 if a collection has no good backup younger than this');
  command.action((ids: readonly string[], _options, self: Command) => {
    const flags = self.optsWithGlobals<VerifyFlags & Record<string, unknown>>();
    return run('verify', flags, (invocation) => verify(invocation, ids.map(backupIdArgument), flags));
  });
}

async function verify({ session, output, context }: Invocation, ids: readonly string[], flags: VerifyFlags) {
  const { verify: verifyBackups } = await import('../../operations/verify.ts');
  const report = await verifyBackups(
    await session.repositories(),
    { backupIds: ids.length === 0 ? null : ids, level: flags.level, maxAgeMs: flags.maxAge ?? null },
    context,
  );
  output.say(verifyLines(report, output));
  const told = new Set(report.backups.flatMap(({ errors }) => errors));
  for (const error of report.errors) if (!told.has(error)) output.complain(failureLines(error).join('\n'));
  return summaryOf(report);
}

/** Which of several stores. */
function inStore(store: string | undefined): string {
  return store === undefined ? '' : ` in ${printable(store)}`;
}

function verifyLines(report: VerifyReport, output: Output): string[] {
  const count = (outcome: string): number => report.backups.filter((one) => one.outcome === outcome).length;
  const bytes = report.backups.reduce((sum, one) => sum + one.bytes_read, 0);
  return [
    ...banner('VERIFY'),
    ...report.backups.flatMap(({ backup_id, outcome, bytes_read, errors, store }) =>
      outcome === 'good'
        ? [
            `${output.paint('green', '✓')} ${backup_id}${inStore(store)}: good, ${formatSize(bytes_read)} read`,
          ]
        : [
            `${output.paint('red', '✗')} ${backup_id}${inStore(store)}: ${outcome.toUpperCase()}`,
            ...errors.flatMap((error) => failureLines(error).map((line) => `    ${line}`)),
          ],
    ),
    ...report.stale_collections.map(
      (name) => `${output.paint('red', '✗')} ${printable(name)}: no good backup young enough`,
    ),
    ...banner('VERIFY SUMMARY'),
    `Level: ${report.level}`,
    `Good: ${count('good')}`,
    `Damaged: ${count('damaged')}`,
    ...(count('failed') > 0 ? [`Could Not Be Read: ${count('failed')}`] : []),
    ...(report.unfinished.length > 0
      ? [`Left By Interrupted Runs: ${plural(report.unfinished.length, 'archive')}, harmless`]
      : []),
    `Read: ${formatSize(bytes)}`,
    `Duration: ${formatSeconds(report.duration_ms)}`,
  ];
}
