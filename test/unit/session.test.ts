import { describe, expect, it } from 'vitest';
import { type GivenOptions, loadConfiguration } from '../../src/config/configuration.ts';
import { Redaction } from '../../src/kernel/redaction.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { Session } from '../../src/session.ts';
import { answerJson, startHttpServer, type TestServer } from '../support/http-server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function openSession(given: GivenOptions, home: string, env: Record<string, string> = {}) {
  const platform = createPlatform();
  const redaction = new Redaction();
  const host = { ...platform.host, env, workingDirectory: home, homeDirectory: home };
  const here = { ...platform, host };
  const configuration = await loadConfiguration(
    { files: platform.files, host, redaction },
    given,
    'argument',
  );
  const notes: string[] = [];
  const session = new Session({
    platform: here,
    configuration,
    redaction,
    onNote: (text) => notes.push(text),
  });
  return { session, notes };
}

describe('the repository', () => {
  it('is in the Object Storage of the project unless somebody chooses, and that is said', async () => {
    using home = temporaryDirectory();
    const given = { source: 'https://api.example.com/Base', projectId: 'P/1' };
    const { session, notes } = await openSession(given, home.path);
    const { store, stateDirectory } = await session.repository();
    expect(store.label).toBe('zerodb:api.example.com/Base?project=P%2F1');
    expect(stateDirectory).toBe(`${home.path}/.local/state/zerodb-backup`);
    expect(notes).toEqual([
      'backups are kept in the Object Storage of the project on api.example.com/Base (choose another place with --store or ZERODB_BACKUP_STORE)',
    ]);
    const named = await openSession({ ...given, store: 'zerodb:' }, home.path);
    expect((await named.session.repository()).store.label).toBe(store.label);
    expect(named.notes).toEqual([]);
    const without = await openSession({ store: 'zerodb:' }, home.path);
    await expect(without.session.repository()).rejects.toThrow('no ZeroDB server is configured');
  });

  it('follows the XDG variables that are absolute, and what is configured', async () => {
    using home = temporaryDirectory();
    const env = { XDG_STATE_HOME: 'relative' };
    const { session } = await openSession({ store: '/data' }, home.path, env);
    const { store, stateDirectory } = await session.repository();
    expect(store.label).toBe('file:///data');
    expect(stateDirectory).toBe(`${home.path}/.local/state/zerodb-backup`);
    const chosen = await openSession({ store: 'here', stateDir: '~/scratch' }, home.path);
    expect((await chosen.session.repository()).store.label).toBe(`file://${home.path}/here`);
    expect((await chosen.session.repository()).stateDirectory).toBe(`${home.path}/scratch`);
    expect(chosen.notes).toEqual([]);
  });
});

describe('the source and its Object Storage', () => {
  it('are one server to us: what is found out, and its pace, are shared', async () => {
    using home = temporaryDirectory();
    await using sandbox = await startSandbox({ dialects: ['B'] });
    const given = { source: sandbox.url, projectId: sandbox.project, apiKey: sandbox.apiKey };
    const { session } = await openSession(given, home.path);
    await session.source();
    const asked = sandbox.requests;
    expect(await (await session.repository()).store.size('repository.json')).toBeNull();
    // whether there is an Object Storage, and the list in which there is nothing
    expect(sandbox.requests - asked).toBe(2);
    await session.close();
  });
});

describe('the target', () => {
  async function keysSentTo(server: TestServer, given: GivenOptions): Promise<Set<unknown>> {
    using home = temporaryDirectory();
    const { session } = await openSession(given, home.path);
    await session.target().catch(() => {}); // this server speaks no dialect
    await session.close();
    return new Set(
      server.requests.map(({ headers }) => headers['x-api-key'] ?? headers.authorization ?? 'none'),
    );
  }

  const refusing = () =>
    startHttpServer((_request, response) => answerJson(response, 401, { detail: 'Not authenticated' }));

  it('is the source where nothing else is configured', async () => {
    await using server = await refusing();
    const keys = await keysSentTo(server, { source: server.url, apiKey: 'source-key' });
    expect(keys).toEqual(new Set(['source-key', 'Bearer source-key']));
  });

  it("never gets the source's credentials where it is another server", async () => {
    await using server = await refusing();
    const source = { source: 'https://api.example.com', apiKey: 'source-key' };
    expect(await keysSentTo(server, { ...source, target: server.url })).toEqual(new Set(['none']));
    const own = { ...source, target: server.url, targetApiKey: 'target-key' };
    expect(await keysSentTo(server, own)).toContain('target-key');
  });

  it("gets the source's credentials where it is the same server and has none of its own", async () => {
    await using server = await refusing();
    const given = { source: server.url, apiKey: 'source-key', target: `${server.url}/?project=other` };
    expect(await keysSentTo(server, given)).toContain('source-key');
  });
});
