import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bareEnvironment, type Ended, runCommandLine } from '../support/command-line.ts';
import { startHttpServer, type TestServer } from '../support/http-server.ts';
import { type RawServer, startRawServer } from '../support/raw-server.ts';
import { filesBelow, type ServedProject, serveProject } from '../support/served-project.ts';

/** What a new user gets wrong: the message names the thing and says what to do; nothing is written anywhere. */

let project: ServedProject;
let page: TestServer;
let silent: RawServer;

beforeAll(async () => {
  project = await serveProject();
  page = await startHttpServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html><body>Please log in</body></html>');
  });
  silent = await startRawServer(() => {});
  writeFileSync(join(project.home, 'a-file'), '');
  mkdirSync(join(project.home, 'foreign'));
  writeFileSync(join(project.home, 'foreign', 'holiday.jpg'), '');
  writeFileSync(join(project.home, 'typo.yaml'), 'stoer: /tmp\n');
});

afterAll(async () => {
  await page[Symbol.asyncDispose]();
  await silent[Symbol.asyncDispose]();
  await project[Symbol.asyncDispose]();
});

interface Case {
  readonly argv: readonly string[];
  readonly env?: () => Record<string, string>;
  readonly code: number;
  readonly says: readonly (string | RegExp)[];
}

/** Also one that another process is about to put into its place. */
function isProbeMemory(path: string): boolean {
  return /\/state\/zerodb-backup\/probes\.json(\.[0-9a-f]+)?$/.test(path);
}

const CASES: Readonly<Record<string, Case>> = {
  'no configuration': {
    argv: ['backup'],
    env: () => ({ ZERODB_API_BASE_URL: '', ZERODB_API_KEY: '', ZERODB_BACKUP_STORE: '' }),
    code: 2,
    says: ['neither a ZeroDB server nor a store is configured', 'ZERODB_API_BASE_URL', 'zerodb-backup demo'],
  },
  'no server': {
    argv: ['backup'],
    env: () => ({ ZERODB_API_BASE_URL: '' }),
    code: 2,
    says: ['no ZeroDB server is configured', 'ZERODB_API_BASE_URL', '--source'],
  },
  'no key': {
    argv: ['backup'],
    env: () => ({ ZERODB_API_KEY: '' }),
    code: 8,
    says: ['SOURCE_UNAUTHORIZED', 'ZERODB_API_KEY'],
  },
  'a wrong key': {
    argv: ['backup'],
    env: () => ({ ZERODB_API_KEY: 'zdb_not_the_key' }),
    code: 8,
    says: ['SOURCE_UNAUTHORIZED', 'Invalid API key', 'ZERODB_API_KEY'],
  },
  'half a login': {
    argv: ['backup'],
    env: () => ({ ZERODB_API_KEY: '', ZERODB_EMAIL: 'someone@example.com' }),
    code: 2,
    says: ['a login needs ZERODB_PASSWORD as well'],
  },
  'something that is no address': {
    argv: ['backup', '--source', 'api.example.com'],
    code: 2,
    says: ['--source is not the address of a server: api.example.com', 'https://'],
  },
  'a password in the address': {
    argv: ['backup', '--source', 'https://me:geheim@api.example.com'],
    code: 2,
    says: ['--source holds a user name or password for api.example.com', 'ZERODB_API_KEY'],
  },
  'a secret in the query': {
    argv: ['backup', '--source', 'https://api.example.com/?api_key=geheim'],
    code: 2,
    says: ['--source has a parameter api_key'],
  },
  'a key on the command line': {
    argv: ['backup', '--api-key=geheim'],
    code: 2,
    says: ['--api-key cannot stand on the command line', 'ZERODB_API_KEY_FILE'],
  },
  'a password on the command line': {
    argv: ['--list', '--password', 'geheim'],
    code: 2,
    says: ['--password cannot stand on the command line'],
  },
  'a wrong project': {
    argv: ['backup', '--dialect', 'B'],
    env: () => ({ ZERODB_PROJECT_ID: '00000000-0000-4000-8000-000000000000' }),
    code: 8,
    says: ['project', '00000000-0000-4000-8000-000000000000'],
  },
  'a web page where JSON should be': {
    argv: ['backup'],
    env: () => ({ ZERODB_API_BASE_URL: page.url }),
    code: 8,
    says: ['HTML page', 'base URL'],
  },
  'a web page, and the dialect is known': {
    argv: ['backup', '--collections', 'users', '--dialect', 'A'],
    env: () => ({ ZERODB_API_BASE_URL: page.url, ZERODB_PROJECT_ID: '' }),
    code: 8,
    says: ['HTML page', 'base URL'],
  },
  'an unknown collection': {
    argv: ['backup', '--collections', 'usres'],
    code: 3,
    says: ['usres', 'SOURCE_COLLECTION_UNKNOWN', 'check the name'],
  },
  'an empty list of collections': {
    argv: ['backup', '--collections', ''],
    code: 2,
    says: ['--collections is empty'],
  },
  'an empty list of collections, in the flag form': {
    argv: ['--backup', '--collections', ''],
    code: 2,
    says: ['--collections is empty'],
  },
  'an empty entry in a list': {
    argv: ['backup', '--exclude', 'users,'],
    code: 2,
    says: ['--exclude has an empty entry'],
  },
  'an empty id': { argv: ['restore', ''], code: 2, says: ['the backup id is empty', 'shell variable'] },
  'no id': { argv: ['restore'], code: 2, says: ['no backup id was given'] },
  'an empty id, in the flag form': {
    argv: ['--restore', ''],
    code: 2,
    says: ['--restore was given no backup id'],
  },
  'two words for an id': { argv: ['--restore', 'users', 'full'], code: 2, says: ['too many arguments'] },
  'an id that is none': {
    argv: ['restore', '../../etc/passwd'],
    code: 5,
    says: ['there is no backup ../../etc/passwd', 'zerodb-backup list'],
  },
  'an id that does not exist': {
    argv: ['restore', 'users_full_20250109_143000', '--dry-run'],
    code: 5,
    says: ['there is no backup users_full_20250109_143000'],
  },
  'an empty collection to list': {
    argv: ['list', '--collection', ''],
    code: 2,
    says: ['--collection is empty'],
  },
  'a limit of nothing': { argv: ['list', '--limit', '0'], code: 2, says: ['--limit is "0"'] },
  'a type that is none': {
    argv: ['list', '--backup-type', 'half'],
    code: 2,
    says: ['half', 'full, incremental'],
  },
  'a store that does not exist': {
    argv: ['list'],
    code: 7,
    says: ['the store', 'does not exist', '--store'],
  },
  'a store below a file': {
    argv: ['backup', '--store', 'a-file/store'],
    code: 7,
    says: ['a-file/store'],
  },
  'a store that holds something else': {
    argv: ['backup', '--store', 'foreign'],
    code: 9,
    says: ['STORE_FOREIGN', 'foreign', '--adopt-store'],
  },
  'a kind of store of later versions': {
    argv: ['backup', '--store', 's3://bucket/prefix'],
    code: 2,
    says: ['s3', 'later version'],
  },
  'a kind of store that nobody knows': { argv: ['list', '--store', 'ftp://host/'], code: 2, says: ['ftp'] },
  'a store that is configured twice': {
    argv: ['backup', '--store', 'one', '--store', './one'],
    code: 2,
    says: ['configured twice', 'one'],
  },
  'a command that does not exist': {
    argv: ['lsit'],
    code: 2,
    says: ["unknown command 'lsit'", 'Did you mean list?'],
  },
  'a flag that does not exist': {
    argv: ['backup', '--colections', 'users'],
    code: 2,
    says: ["unknown option '--colections'", '--collections', 'zerodb-backup backup --help'],
  },
  'a flag of another mode': {
    argv: ['--list', '--incremental'],
    code: 2,
    says: ['--incremental does not go with --list: it belongs to --backup'],
  },
  'two modes': { argv: ['--backup', '--list'], code: 2, says: ['--backup and --list cannot be combined'] },
  'no command': { argv: [], code: 2, says: ['Usage: zerodb-backup', '--backup, --list'] },
  'a cleanup of a store that does not exist': {
    argv: ['--cleanup', '--days', '30'],
    code: 7,
    says: ['does not exist'],
  },
  'a cleanup that overrides nothing': {
    argv: ['cleanup', '--override-policy'],
    code: 2,
    says: ['--override-policy', '--days'],
  },
  'a backup that is to be removed without --yes': {
    argv: ['cleanup', '--id', 'users_full_20250101_000000'],
    code: 2,
    says: ['not confirmed', '--yes'],
  },
  'a rule that keeps nothing': {
    argv: ['cleanup', '--keep-daily', '0'],
    code: 2,
    says: ['--keep-daily', '0'],
  },
  'a time that is none': {
    argv: ['restore', '--all', '--at', '2025-02-30'],
    code: 2,
    says: ['--at is "2025-02-30"', '2025-01-09T14:30:00Z'],
  },
  'a time for one backup': {
    argv: ['restore', 'users_full_20250101_000000', '--at', '2025-02-03'],
    code: 2,
    says: ['--at'],
  },
  'a time without collections': {
    argv: ['restore', '--at', '2025-02-03'],
    code: 2,
    says: ['--at does not say which collections'],
  },
  'a time, and the newest': {
    argv: ['restore', '--all', '--latest', '--at', '2025-02-03'],
    code: 2,
    says: ['--at does not go with --latest'],
  },
  'a drill': {
    argv: ['drill', '--collections', 'users'],
    code: 2,
    says: ['drill is not in this version yet'],
  },
  'a configuration file that does not exist': {
    argv: ['backup', '--config', 'nowhere.yaml'],
    code: 2,
    says: ['nowhere.yaml does not exist'],
  },
  'a key that nobody knows in the file': {
    argv: ['backup', '--config', 'typo.yaml'],
    code: 2,
    says: ['unknown key "stoer"', 'Did you mean "store"?'],
  },
  'a variable that nobody knows': {
    argv: ['backup'],
    env: () => ({ ZERODB_BACKUP_STATEDIR: 'x' }),
    code: 2,
    says: ['ZERODB_BACKUP_STATEDIR', 'ZERODB_BACKUP_STATE_DIR'],
  },
  'a log file that cannot be': {
    argv: ['backup', '--log-file', 'no/where.log'],
    code: 2,
    says: ['no/where.log cannot be written'],
  },
  'an output file that exists': {
    argv: ['export', 'users_full_20250109_143000', '-o', 'a-file'],
    code: 2,
    says: ['a-file already exists'],
  },
  'documents and JSON lines on one stream': {
    argv: ['export', 'users_full_20250109_143000', '--json'],
    code: 2,
    says: ['cannot share standard output', '--output'],
  },
  'another server without --yes': {
    argv: ['restore', 'users_full_20250109_143000', '--target', 'https://staging.example.com'],
    code: 9,
    says: ['another server was not confirmed', '--yes'],
  },
};

describe('a clear message, the documented exit code, nothing written', () => {
  it.concurrent.each(Object.entries(CASES))('%s', async (_name, { argv, env, code, says }) => {
    const before = filesBelow(project.home);
    const writes = project.sandbox.writes;
    const ended = await attempt(argv, env?.());
    const all = ended.stdout + ended.stderr;
    expect(ended, all).toMatchObject({ code, signal: null });
    for (const text of says) expect(all).toMatch(text);
    if (argv.length > 0) expect(ended.stderr).toMatch(/\bERROR\b.+ \([A-Z_]+\)$/m);
    expect(all).not.toMatch(/geheim|not_the_key|at .+\.ts:\d+/);
    expect(project.sandbox.writes).toBe(writes);
    // how the server is spoken to may have been noted in the state directory; nothing else
    const created = [...filesBelow(project.home).keys()].filter((path) => !before.has(path));
    expect(created.filter((path) => !isProbeMemory(path))).toEqual([]);
  });

  it('with --json as well: the last line is a summary', async () => {
    for (const argv of [
      ['backup', '--collections', '', '--json'],
      ['backup', '--json', '--colections'],
      ['show', 'nope', '--json'],
    ]) {
      const { stdout, code } = await attempt(argv);
      const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
      expect(summary).toMatchObject({
        type: 'summary',
        exit_code: code,
        errors: [{ code: expect.any(String) }],
      });
    }
  });
});

describe('a server that is not there', () => {
  it.concurrent.each<[string, () => string, RegExp, RegExp]>([
    [
      'a port on which nothing listens',
      () => 'http://127.0.0.1:1',
      /nothing listens there/,
      /server is running/,
    ],
    [
      'a host that does not exist',
      () => 'https://api.exmaple.invalid',
      /api\.exmaple\.invalid/,
      /how the host is/,
    ],
    [
      'https:// to plain HTTP',
      () => page.url.replace('http:', 'https:'),
      /does not speak TLS/,
      /write http:\/\//,
    ],
    ['a port that is silent', () => silent.url, /sent no answer in time/, /firewall/],
  ])('%s: said within seconds, with what to check', async (_name, url, words, cure) => {
    const before = [...filesBelow(project.home).keys()];
    const startedAt = Date.now();
    const { code, stdout, stderr } = await attempt(['backup', '--timeout', '1s'], {
      ZERODB_API_BASE_URL: url(),
    });
    expect(code, stderr).toBe(8);
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(cure);
    expect(stderr).toContain('ZERODB_API_BASE_URL');
    expect(stderr).not.toMatch(/SSL routines|at .+\.ts:\d+/);
    expect(stdout).toBe('');
    expect(Date.now() - startedAt).toBeLessThan(15_000);
    const created = [...filesBelow(project.home).keys()].filter((path) => !before.includes(path));
    expect(created.filter((path) => !isProbeMemory(path))).toEqual([]);
  });
});

function attempt(argv: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return runCommandLine(argv, {
    cwd: project.home,
    env: { ...bareEnvironment(project.home), ...project.env, ...env },
  });
}
