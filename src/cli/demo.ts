import { join } from 'node:path';
import { loadConfiguration } from '../config/configuration.ts';
import { BackupError } from '../kernel/errors.ts';
import { Redaction } from '../kernel/redaction.ts';
import { backup } from '../operations/backup.ts';
import { list } from '../operations/list.ts';
import { applyRestore, planRestore } from '../operations/restore.ts';
import { verify } from '../operations/verify.ts';
import { createTemporaryDirectory } from '../platform/temporary-directory.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import { seedSandbox } from '../sandbox/seed.ts';
import { Session } from '../session.ts';
import { type Contents, contentsOf, differencesFrom } from './contents.ts';
import type { Invocation } from './invocation.ts';
import { listByCollection } from './output/backup-list.ts';
import { padded } from './output/layout.ts';
import type { Output } from './output/output.ts';
import { formatCount, formatSize, plural } from './output/quantities.ts';
import { type Summary, summaryOf } from './output/summary.ts';

/** About 3,800 documents: enough to be believed, few enough to be over in seconds. */
const SEED_SCALE = 0.05;

interface Stage {
  readonly invocation: Invocation;
  readonly sandbox: Sandbox;
  readonly session: Session;
}

/** The work of the command `demo`. Every step goes through the same operations as the command that it names. */
export async function demo(invocation: Invocation): Promise<Summary> {
  const { platform, output } = invocation;
  const begun = platform.clock.monotonic();
  await using directory = await createTemporaryDirectory();
  await using sandbox = await startSandbox();
  const session = await openSession(invocation, sandbox, directory.path);
  const stage: Stage = { invocation, sandbox, session };

  seed(stage);
  const before = contentsOf(sandbox);
  await backUp(stage);
  await showList(stage);
  strike(stage, before);
  await verifyAll(stage);
  await restoreAll(stage);
  const differences = compare(stage, before);

  const seconds = ((platform.clock.monotonic() - begun) / 1000).toFixed(1);
  if (differences > 0) {
    throw new BackupError(
      'RESTORE_DIFFERENT',
      `${plural(differences, 'document')} differ after the restore`,
      {
        cure: 'This is a defect of zerodb-backup: please report it with this output.',
      },
    );
  }
  output.say([...closing(output), `The demo took ${seconds} seconds and leaves nothing behind.`]);
  return summaryOf({
    operation: 'demo',
    exit_code: 0,
    counts: {
      documents: [...before.values()].reduce((sum, documents) => sum + documents.size, 0),
      different: 0,
    },
    errors: [],
  });
}

/** As if the user had configured the sandbox, and nothing else. */
async function openSession({ platform }: Invocation, sandbox: Sandbox, directory: string): Promise<Session> {
  const redaction = new Redaction();
  const host = { ...platform.host, env: {}, workingDirectory: directory };
  const given = {
    source: sandbox.url,
    apiKey: sandbox.apiKey,
    dialect: 'A', // keeps the keys of documents, so that afterwards everything can be equal
    store: join(directory, 'backups'),
    stateDir: join(directory, 'state'),
  };
  const configuration = await loadConfiguration(
    { files: platform.files, host, redaction },
    given,
    'argument',
  );
  return new Session({ platform, configuration, redaction, onNote: () => {} });
}

function seed({ sandbox, invocation: { output } }: Stage): void {
  step(
    output,
    1,
    'A ZeroDB server with the 14 collections of the specification',
    'zerodb-backup sandbox --seed',
  );
  const counts = seedSandbox(sandbox, { scale: SEED_SCALE });
  const documents = Object.values(counts).reduce((sum, count) => sum + count, 0);
  output.say([`${plural(documents, 'document')} on ${sandbox.url}, all of them invented.`]);
}

async function backUp({ session, invocation }: Stage): Promise<void> {
  const { output, context } = invocation;
  step(output, 2, 'Back up everything', 'zerodb-backup backup');
  const request = await session.backupRequest({
    collections: null,
    incremental: false,
    dryRun: false,
    adoptStore: false,
  });
  const report = await backup(await session.repository(), await session.source(), request, context);
  for (const { collection, outcome, document_count, raw_size, file_size } of report.backups) {
    const sizes = `${formatSize(raw_size)} of JSON in ${formatSize(file_size)}`;
    output.say([
      mark(
        output,
        `${padded(collection, 20)}${padded(formatCount(document_count), 8)}${sizes}`,
        outcome === 'completed',
      ),
    ]);
  }
  failUnless(report.exit_code === 0, 'the backup', report.errors[0]?.message);
}

async function showList({ session, invocation }: Stage): Promise<void> {
  const { output, context } = invocation;
  step(output, 3, 'See what there is', 'zerodb-backup list');
  const { backups, total_backups, collections } = await list(await session.repository(), {}, context);
  output.say(listByCollection(backups, { backups: total_backups, collections }, false).slice(5, 14));
  output.say(['… and so on: every backup is one gzip file of JSON, one document a line.']);
}

/** What people and programs do to data: a dropped collection, deleted documents, a wrong update. */
function strike({ sandbox, invocation: { output } }: Stage, before: Contents): void {
  step(output, 4, 'A disaster', null);
  sandbox.transaction(() => {
    sandbox.wipe('payments');
    const users = [...before.get('users')!.keys()];
    for (const key of users.slice(0, Math.ceil(users.length / 3))) sandbox.delete('users', key);
    for (const [key, data] of before.get('profiles')!) {
      sandbox.update(
        'profiles',
        key,
        data.toString().replace(/"display_name":\s*"[^"]*"/, '"display_name":"oops"'),
      );
    }
  });
  const { missing, changed } = differencesFrom(sandbox, before);
  output.say([
    'All payments are deleted, a third of the users too, and a faulty script has renamed everybody:',
    `${plural(missing, 'document')} gone, ${formatCount(changed)} changed.`,
  ]);
}

async function verifyAll({ session, invocation }: Stage): Promise<void> {
  const { output, context } = invocation;
  step(output, 5, 'Are the backups good?', 'zerodb-backup verify --level decode');
  const report = await verify(
    await session.repository(),
    { backupIds: null, level: 'decode', maxAgeMs: null },
    context,
  );
  const good = report.backups.filter(({ outcome }) => outcome === 'good').length;
  output.say([
    mark(
      output,
      `${good} of ${report.backups.length} backups are good: every byte and every document was read.`,
      report.exit_code === 0,
    ),
  ]);
  failUnless(report.exit_code === 0, 'verifying', report.errors[0]?.message);
}

async function restoreAll({ session, invocation }: Stage): Promise<void> {
  const { output, context } = invocation;
  step(output, 6, 'Restore everything', 'zerodb-backup restore --all');
  const repository = await session.repository();
  const target = await session.target();
  const { backups } = await list(repository, {}, context);
  for (const { manifest } of backups.toReversed()) {
    const plan = await planRestore(repository, target, { backupId: manifest.backup_id }, context);
    try {
      const { created, replaced } = plan.report.counts;
      const report = await applyRestore(plan, context);
      failUnless(report.exit_code === 0, `restoring ${manifest.collection}`, report.errors[0]?.message);
      if (created + replaced === 0) continue;
      const what = `created ${formatCount(created)}, replaced ${formatCount(replaced)}; read back and compared`;
      output.say([mark(output, `${padded(manifest.collection, 20)}${what}`, true)]);
    } finally {
      await plan.close();
    }
  }
  output.say(['The other collections were found to be as they should be, and left alone.']);
}

function compare({ sandbox, invocation: { output } }: Stage, before: Contents): number {
  step(output, 7, 'Is everything back?', null);
  const { same, missing, changed, added } = differencesFrom(sandbox, before);
  const differences = missing + changed + added;
  output.say([
    mark(output, `${formatCount(same)} documents are the same as before, byte for byte.`, differences === 0),
    ...(differences === 0 ? [] : [`${missing} missing, ${changed} different, ${added} too many`]),
  ]);
  return differences;
}

function step(output: Output, number: number, title: string, command: string | null): void {
  output.say([
    '',
    output.paint('bold', `${number}. ${title}`),
    ...(command === null ? [] : [output.paint('dim', `$ ${command}`)]),
    '',
  ]);
}

function mark(output: Output, text: string, good: boolean): string {
  return good ? `  ${output.paint('green', '✓')} ${text}` : `  ${output.paint('red', '✗')} ${text}`;
}

function failUnless(good: boolean, what: string, reason: string | undefined): void {
  if (good) return;
  throw new BackupError('INTERNAL', `${what} failed${reason === undefined ? '' : `: ${reason}`}`, {
    cure: 'Please report this output: the demo works on data of its own and should always succeed.',
  });
}

function closing(output: Output): string[] {
  return [
    '',
    output.paint('bold', 'What next'),
    '',
    '  export ZERODB_API_BASE_URL=https://…    the server that you want to back up',
    '  export ZERODB_API_KEY=…                 never on the command line',
    '  zerodb-backup backup --dry-run          reads everything, writes nothing',
    '  zerodb-backup backup                    and then `zerodb-backup list`',
    '',
    'To try it without a server of your own: `zerodb-backup sandbox --seed`.',
  ];
}
