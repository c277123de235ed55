import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Ended, runCommandLine } from '../support/command-line.ts';
import { startHttpServer } from '../support/http-server.ts';
import { filesBelow, type ServedProject, serveProject } from '../support/served-project.ts';

/** Found nowhere but where the test itself puts them. */
const KEY = 'zdb_canary_0f2f9a7c5e"&/+';
const PASSWORD = 'canary-Passwort-71b3 ä';
const LOGIN = { email: 'someone@example.com', password: PASSWORD, tokenSeconds: 3600 };

let project: ServedProject;
const said: string[] = [];

beforeEach(async () => {
  project = await serveProject({ apiKey: KEY, login: LOGIN });
  said.length = 0;
});

afterEach(() => project[Symbol.asyncDispose]());

async function command(argv: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const ended = await runCommandLine(argv, { env: { ...project.env, ...env }, cwd: project.home });
  said.push(ended.stdout, ended.stderr);
  return ended;
}

/** As they are, and as URLs and JSON write them. */
function forms(secret: string): string[] {
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
}

function expectSilence(): void {
  const places = [...said, ...filesBelow(project.home).values()];
  expect(places.join('').length).toBeGreaterThan(1000);
  for (const secret of [...forms(KEY), ...forms(PASSWORD)]) {
    expect(places.filter((text) => text.includes(secret))).toEqual([]);
  }
  expect(places.join('\n')).not.toMatch(/\beyJ[\w-]+\.[\w-]+\./); // tokens
}

it('a key is in no output, log, manifest or archive, at any level', async () => {
  for (const level of ['debug', 'info', 'warn', 'error']) {
    await command(['backup', '--verbose', '--log-level', level, '--log-file', `${level}.log`]);
  }
  const { stdout } = await command(['list', '--collection', 'users', '--verbose']);
  const id = stdout.split(' ')[0]!;
  await command(['show', id]);
  await command(['verify', '--verbose', '--json']);
  await command(['restore', id, '--verbose', '--json', '--log-level', 'debug']);
  await command(['config']);
  await command(['config', '--json']);
  expect(said.at(-2)).toContain('"name":"api_key","value":"********","from":"variable ZERODB_API_KEY"');
  expectSilence();
});

it('nor is a password, or the token that it buys', async () => {
  const env = { ZERODB_API_KEY: '', ZERODB_EMAIL: LOGIN.email, ZERODB_PASSWORD: PASSWORD };
  expect(await command(['backup', '--verbose', '--log-file', 'debug.log'], env)).toMatchObject({ code: 0 });
  await command(['config', '--verbose'], env);
  await command(['backup', '--verbose'], { ...env, ZERODB_EMAIL: 'somebody-else@example.com' });
  expectSilence();
});

it('nor does an error repeat them, not even where the server does', async () => {
  const parrot = await startHttpServer((request, response) => {
    const { authorization, 'x-api-key': key } = request.headers;
    // in running text, where nothing around a secret tells that it is one
    const sent = [key, authorization?.replace('Bearer ', ''), request.url, passwordIn(request.body)];
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ detail: `no access with ${sent.join(' or ')}, go away` }));
  });
  const env = { ZERODB_API_BASE_URL: parrot.url };
  for (const argv of [
    ['backup'],
    ['backup', '--json'],
    ['backup', '--verbose', '--dialect', 'A'],
    ['--backup'],
  ]) {
    expect(await command(argv, env)).toMatchObject({ code: 8 });
  }
  await command(['backup', '--verbose'], {
    ...env,
    ZERODB_API_KEY: '',
    ZERODB_EMAIL: LOGIN.email,
    ZERODB_PASSWORD: PASSWORD,
  });
  await parrot[Symbol.asyncDispose]();
  expect(said.join('')).toContain('no access with');
  expectSilence();
});

it('nor are they repeated where they were put in the wrong place', async () => {
  await command(['backup', `--api-key=${KEY}`], { ZERODB_API_KEY: '' });
  await command(['backup', '--password', PASSWORD], { ZERODB_API_KEY: '' });
  await command(['backup', '--source', `http://me:${encodeURIComponent(PASSWORD)}@127.0.0.1/`]);
  await command(['backup', '--source', `http://127.0.0.1/?key=${encodeURIComponent(KEY)}`]);
  await command(['config', '--source', `http://me:${encodeURIComponent(PASSWORD)}@127.0.0.1/`]);
  await command(['backup', '--store', `file://me:${encodeURIComponent(PASSWORD)}@host/`]);
  const config = join(project.home, 'broken.yaml');
  writeFileSync(config, `password: "${PASSWORD}\napi_key: [${KEY}\n`);
  await command(['backup', '--config', 'broken.yaml']);
  writeFileSync(config, ''); // what the test wrote does not count
  expect(said.join('')).toMatch(/broken\.yaml is not YAML/);
  expectSilence();
});

function passwordIn(body: Buffer): string {
  const text = body.toString();
  if (!text.includes('password')) return '';
  return text.startsWith('{') ? JSON.parse(text).password : (new URLSearchParams(text).get('password') ?? '');
}
