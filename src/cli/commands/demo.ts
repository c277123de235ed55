import type { Command } from 'commander';
import type { Run } from '../invocation.ts';

export function defineDemo(program: Command, run: Run): void {
  program
    .command('demo')
    .summary('see the whole story: backup, disaster, restore')
    .description(
      'Starts an embedded ZeroDB server, backs it up, destroys data, restores it and compares every byte.\n' +
        'Works in a temporary directory and leaves nothing behind.',
    )
    .action((_options, self: Command) =>
      run('demo', self.optsWithGlobals(), async (invocation) => {
        const { demo } = await import('../demo.ts');
        return await demo(invocation);
      }),
    );
}
