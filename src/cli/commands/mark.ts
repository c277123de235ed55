import type { Command } from 'commander';
import { text } from '../../config/kinds.ts';
import { backupIdArgument } from '../backup-id-argument.ts';
import { addFlag } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { summaryOf } from '../output/summary.ts';

interface MarkFlags {
  readonly reason?: string;
}

/** `pin`, `unpin` and `acknowledge`: what is noted beside a backup, in every store that has it. */
export function defineMarks(program: Command, run: Run): void {
  for (const [name, summary, description] of COMMANDS) {
    const command = program.command(`${name} <id>`).summary(summary).description(description);
    if (name !== 'unpin') addFlag(command, '--reason', text, 'why, for people');
    command.action((id: string, _options, self: Command) => {
      const flags = self.optsWithGlobals<MarkFlags & Record<string, unknown>>();
      return run(name, flags, (invocation) => mark(invocation, name, backupIdArgument(id), flags));
    });
  }
}

const COMMANDS = [
  [
    'pin',
    'keep a backup whatever the policy',
    'Keeps a backup, and what it is built on, until it is unpinned.',
  ],
  [
    'unpin',
    'leave a backup to the policy again',
    'Leaves a backup that was pinned to the retention policy again.',
  ],
  [
    'acknowledge',
    'say that an anomaly was looked at',
    'Ends the freeze that the anomaly of a backup put on the retention of its collection.',
  ],
] as const;

async function mark(
  { session, output, context }: Invocation,
  name: (typeof COMMANDS)[number][0],
  backupId: string,
  flags: MarkFlags,
) {
  const { markBackup } = await import('../../operations/mark.ts');
  const stores = await session.repositories();
  const report = await markBackup(stores, name, backupId, flags.reason ?? null, context);
  output.say([`${backupId}: ${report.outcome}`]);
  return summaryOf(report);
}
