import { type Command, Option } from 'commander';
import { count, directory, type Kind, rate } from '../../config/kinds.ts';
import { absolutePath } from '../../config/places.ts';
import { BackupError } from '../../kernel/errors.ts';
import { addFlag, parseArgument } from '../flags.ts';
import type { Invocation, Run } from '../invocation.ts';
import { formatCount, plural } from '../output/quantities.ts';
import { summaryOf } from '../output/summary.ts';

interface SandboxFlags {
  readonly port?: number;
  readonly data?: string;
  readonly seed?: number | true;
  readonly shape: 'id_data' | 'flat';
}

const PORT_DEFAULT = 8089;
const SEED_SCALE_DEFAULT = 0.05;
const port: Kind<number> = { ...count(0, 65_535), placeholder: 'port' };

export function defineSandbox(program: Command, run: Run): void {
  const command = program
    .command('sandbox')
    .summary('run an embedded ZeroDB server')
    .description(
      'Runs a ZeroDB server for trying things out, on this machine alone, until it is interrupted.',
    );
  addFlag(command, '--port', port, `port to listen on, 0 for any free one (default: ${PORT_DEFAULT})`);
  addFlag(command, '--data', directory, 'keep documents there (default: in memory)');
  command.addOption(
    new Option(
      '--seed [scale]',
      `fill the 14 collections with invented data: 1 gives about 75,000 documents (default: ${SEED_SCALE_DEFAULT})`,
    ).argParser((raw: string) => parseArgument('--seed', rate, raw)),
  );
  command.addOption(
    new Option('--shape <shape>', 'how dialect A wraps documents')
      .choices(['id_data', 'flat'])
      .default('id_data'),
  );
  command.action((_options, self: Command) => {
    const flags = self.optsWithGlobals<SandboxFlags & Record<string, unknown>>();
    return run('sandbox', flags, (invocation) => serve(invocation, flags));
  });
}

async function serve({ configuration, platform, output, context }: Invocation, flags: SandboxFlags) {
  const { startSandbox } = await import('../../sandbox/sandbox.ts');
  const { seedSandbox } = await import('../../sandbox/seed.ts');
  const begun = platform.clock.monotonic();
  const { apiKey, projectId, dialect } = configuration.settings;
  const sandbox = await startSandbox({
    port: flags.port ?? PORT_DEFAULT,
    shape: flags.shape,
    ...(flags.data !== undefined && { directory: absolutePath(platform.host, flags.data) }),
    ...(dialect !== undefined && { dialects: [dialect] }),
    ...(apiKey !== undefined && { apiKey }),
    ...(projectId !== undefined && { project: projectId }),
  }).catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    const inUse = code === 'EADDRINUSE';
    throw new BackupError(
      'USAGE_INVALID',
      inUse ? `port ${flags.port ?? PORT_DEFAULT} is in use` : `the sandbox cannot start: ${message}`,
      {
        cure: inUse ? 'Choose another --port, or --port 0 for any free one.' : 'Check --port and --data.',
        cause,
      },
    );
  });
  try {
    if (flags.seed !== undefined && sandbox.collections.length === 0) {
      seedSandbox(sandbox, { scale: flags.seed === true ? SEED_SCALE_DEFAULT : flags.seed });
    }
    const { url, project } = sandbox;
    const documents = sandbox.collections.reduce((sum, name) => sum + sandbox.documentCount(name), 0);
    output.record({ type: 'sandbox:listening', url, project, api_key: sandbox.apiKey, documents });
    output.print([
      `ZeroDB sandbox on ${url}, with ${plural(documents, 'document')} in ${plural(sandbox.collections.length, 'collection')}.`,
      'In another terminal:',
      '',
      `  export ZERODB_API_BASE_URL=${url}`,
      `  export ZERODB_PROJECT_ID=${project}`,
      `  export ZERODB_API_KEY=${sandbox.apiKey}`,
      '  zerodb-backup backup',
      '',
      'Stop it with Ctrl-C.',
    ]);
    await new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      else context.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    output.say([`Stopped after ${formatCount(sandbox.requests)} requests.`]);
  } finally {
    await sandbox.close();
  }
  const duration_ms = Math.round(platform.clock.monotonic() - begun);
  return summaryOf({ operation: 'sandbox', exit_code: 0, duration_ms, errors: [] });
}
