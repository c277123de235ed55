import { describe, expect, it } from 'vitest';
import { type SandboxOptions, startSandbox } from '../../../src/sandbox/sandbox.ts';
import { ZerodbClient } from '../../../src/zerodb/client.ts';
import { findDialect, PREFIXES, type ProbeMemory, type ProbeOptions } from '../../../src/zerodb/probe.ts';
import { answerJson, startHttpServer } from '../../support/http-server.ts';
import { testPlatform } from '../../support/test-platform.ts';

const API_KEY = { value: 'zdb_0123456789', name: 'ZERODB_API_KEY' };

class MapMemory implements ProbeMemory {
  readonly kept = new Map<string, string>();
  async read(key: string) {
    return this.kept.get(key) ?? null;
  }
  async write(key: string, value: string) {
    this.kept.set(key, value);
  }
}

function clientOf(baseUrl: string, apiKey = API_KEY) {
  return new ZerodbClient(testPlatform(), { baseUrl, apiKey });
}

async function openSandbox(options: SandboxOptions) {
  const sandbox = await startSandbox({ apiKey: API_KEY.value, project: 'p1', ...options });
  const paths: string[] = [];
  sandbox.beforeRequest(({ method, path }) => paths.push(`${method} ${path}`));
  return {
    sandbox,
    paths,
    find: (options: ProbeOptions = {}) => findDialect(clientOf(sandbox.url), options),
    [Symbol.asyncDispose]: () => sandbox.close(),
  };
}

const namesOf = (prefix: string) => prefix.replace('{project}', 'p1').split('/').slice(1);

describe('the probe', () => {
  it.each(PREFIXES)('finds dialect B at %s', async (prefix) => {
    await using world = await openSandbox({
      dialects: ['B'],
      prefixes: [prefix.replace('{project}', '{pid}')],
    });
    expect(await world.find({ project: 'p1' })).toEqual({ dialect: 'B', prefix: namesOf(prefix) });
    expect(world.paths).toHaveLength(PREFIXES.indexOf(prefix) + 1);
  });

  it('asks for tables where the project itself cannot be looked at', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.url.startsWith('/api/v1/projects/p1/database/tables?'))
        answerJson(response, 200, { tables: [] });
      else answerJson(response, 404, { detail: 'Not Found' });
    });
    const found = await findDialect(clientOf(server.url), { project: 'p1' });
    expect(found).toEqual({ dialect: 'B', prefix: namesOf('/api/v1/projects/{project}/database') });
    expect(server.requests.at(-2)!.url).toMatch(/tables\?skip=0&offset=0&limit=1$/);
  });

  it.each(PREFIXES.slice(0, 2))('tells dialect D from B at %s, and writes nothing', async (prefix) => {
    await using server = await startHttpServer((request, response) => {
      const path = request.url.replace(/\?.*/, '').replace(prefix.replace('{project}', 'p1'), '');
      if (path === '/tables' && request.method === 'GET') answerJson(response, 200, []);
      else if (path === '/tables/users/rows') answerJson(response, 405, { message: 'Method Not Allowed' });
      else answerJson(response, 404, { message: 'Not Found' });
    });
    const memory = new MapMemory();
    const find = () => findDialect(clientOf(server.url), { project: 'p1', memory });
    expect(await find()).toEqual({ dialect: 'D', prefix: namesOf(prefix) });
    expect(server.requests.every(({ method }) => method === 'GET')).toBe(true);
    const before = server.requests.length;
    expect(await find()).toEqual({ dialect: 'D', prefix: namesOf(prefix) });
    expect(server.requests.length - before).toBe(1);
  });

  it('takes a dialect that is named, and asks only where it is', async () => {
    await using world = await openSandbox({ dialects: ['D'] });
    const found = { dialect: 'D', prefix: namesOf(PREFIXES[0]!) } as const;
    expect(await world.find({ project: 'p1', dialect: 'D' })).toEqual(found);
    expect(world.paths.filter((path) => !path.endsWith('/tables'))).toEqual([]);
    expect(await world.find({ project: 'p1' })).toEqual(found);
    await expect(world.find({ dialect: 'D' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await using other = await openSandbox({ dialects: ['B'] });
    expect(await other.find({ project: 'p1' })).toMatchObject({ dialect: 'B' });
  });

  it('finds dialect A without a project, whether or not it knows the collection', async () => {
    for (const unknownCollection of ['empty', 'missing'] as const) {
      await using world = await openSandbox({ dialects: ['A'], unknownCollection });
      expect(await world.find()).toEqual({ dialect: 'A' });
      expect(world.paths).toEqual(['POST /collections/users/query']);
    }
  });

  it('finds dialect A behind all of B where a project is configured', async () => {
    await using world = await openSandbox({ dialects: ['A'] });
    expect(await world.find({ project: 'p1' })).toEqual({ dialect: 'A' });
    expect(world.paths).toHaveLength(2 * PREFIXES.length + 1);
  });

  it('recognises dialect A by any collection that may be there', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.url === '/collections/rooms/query') answerJson(response, 200, { documents: [] });
      else answerJson(response, 404, { detail: 'Not Found' });
    });
    const client = clientOf(server.url);
    expect(await findDialect(client, { collections: ['rooms'] })).toEqual({ dialect: 'A' });
    await expect(findDialect(client, {})).rejects.toMatchObject({ code: 'SOURCE_DIALECT_UNKNOWN' });
  });

  it('takes a forbidden collection for dialect A all the same', async () => {
    await using world = await openSandbox({ dialects: ['A'], misbehaviour: { forbidden: ['users'] } });
    expect(await world.find()).toEqual({ dialect: 'A' });
  });

  it('prefers B where a project is configured and the server speaks both', async () => {
    await using world = await openSandbox({});
    expect(await world.find({ project: 'p1' })).toMatchObject({ dialect: 'B' });
    expect(await world.find({})).toEqual({ dialect: 'A' });
  });

  it('ends at the first path that does not accept the credentials', async () => {
    await using world = await openSandbox({});
    const client = clientOf(world.sandbox.url, { value: 'zdb_wrong-one', name: 'ZERODB_API_KEY' });
    for (const project of ['p1', undefined]) {
      world.paths.length = 0;
      await expect(findDialect(client, project === undefined ? {} : { project })).rejects.toMatchObject({
        code: 'SOURCE_UNAUTHORIZED',
        cure: expect.stringContaining('ZERODB_API_KEY'),
      });
      expect(new Set(world.paths).size).toBe(1);
    }
  });

  it('says when the project is not known', async () => {
    await using world = await openSandbox({ dialects: ['B'] });
    await expect(world.find({ project: 'p2' })).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
      message: expect.stringContaining('"p2"'),
      cure: expect.stringContaining('ZERODB_PROJECT_ID'),
    });
  });

  it.each([
    ['a web server', 404, 'text/html', '<html><body>Not Found</body></html>'],
    ['a page for everything', 200, 'text/html', '<!doctype html><div id="app">'],
    ['JSON for everything', 200, 'application/json', '"hello"'],
    ['another API', 404, 'application/json', '{"detail":"Not Found"}'],
    [
      'another API that names the path',
      404,
      'application/json',
      '{"detail":"no route /collections/users/query"}',
    ],
  ])('recognises no dialect in %s', async (_name, status, type, body) => {
    await using server = await startHttpServer((_request, response) => {
      response.writeHead(status, { 'content-type': type }).end(body);
    });
    for (const options of [{}, { project: 'p1' }, { project: 'p1', dialect: 'B' as const }]) {
      await expect(findDialect(clientOf(server.url), options)).rejects.toMatchObject({
        code: 'SOURCE_DIALECT_UNKNOWN',
        message: expect.stringContaining(server.url),
        cure: expect.stringMatching(/base URL/),
      });
    }
  });

  it('names the refusal that says most when it recognises none', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.url.includes('/tables')) answerJson(response, 422, { detail: 'no skip, please' });
      else answerJson(response, 404, { detail: 'Not Found' });
    });
    await expect(findDialect(clientOf(server.url), { project: 'p1' })).rejects.toMatchObject({
      code: 'SOURCE_DIALECT_UNKNOWN',
      message: expect.stringContaining('/tables answered 422: no skip, please'),
    });
  });

  it('gives up at once when nobody is there, and soon when the server fails', async () => {
    const gone = await startHttpServer(() => {});
    await gone[Symbol.asyncDispose]();
    await expect(findDialect(clientOf(gone.url), { project: 'p1' })).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
    });
    await using server = await startHttpServer((_request, response) => answerJson(response, 502, {}));
    await expect(findDialect(clientOf(server.url), { project: 'p1' })).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      temporary: true,
    });
    expect(server.requests.length).toBeLessThan(80);
  });

  it('goes on behind a path that fails: listing tables is known to', async () => {
    await using server = await startHttpServer((request, response) => {
      if (request.url === '/v1/projects/p1/database')
        answerJson(response, 500, { detail: 'super(): no arguments' });
      else if (request.url === '/api/v1/projects/p1/database') answerJson(response, 200, { enabled: true });
      else answerJson(response, 404, {});
    });
    const found = await findDialect(clientOf(server.url), { project: 'p1' });
    expect(found).toMatchObject({ prefix: namesOf('/api/v1/projects/{project}/database') });
  });
});

describe('what is configured', () => {
  it('is believed without a request', async () => {
    const client = clientOf('http://127.0.0.1:9');
    expect(await findDialect(client, { dialect: 'A' })).toEqual({ dialect: 'A' });
    expect(await findDialect(client, { prefix: '/x/{project}/db/', project: 'a/b' })).toEqual({
      dialect: 'B',
      prefix: ['x', 'a/b', 'db'],
    });
  });

  it('must include a project where the dialect needs one', async () => {
    const client = clientOf('http://127.0.0.1:9');
    for (const options of [{ dialect: 'B' as const }, { prefix: '/v1/{project}' }]) {
      await expect(findDialect(client, options)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        cure: expect.stringContaining('ZERODB_PROJECT_ID'),
      });
    }
  });
});

describe('what worked last time', () => {
  it('is tried first', async () => {
    await using world = await openSandbox({ dialects: ['B'], prefixes: ['/v1/zerodb/{pid}/database'] });
    const memory = new MapMemory();
    const first = await world.find({ project: 'p1', memory });
    world.paths.length = 0;
    expect(await world.find({ project: 'p1', memory })).toEqual(first);
    expect(world.paths).toEqual(['GET /v1/zerodb/p1/database']);
  });

  it('is found anew when it works no longer', async () => {
    const memory = new MapMemory();
    let prefix = '/v1/zerodb/p1/database';
    await using server = await startHttpServer((request, response) => {
      if (request.url === prefix) answerJson(response, 200, {});
      else answerJson(response, 404, { detail: 'Not Found' });
    });
    await findDialect(clientOf(server.url), { project: 'p1', memory });
    prefix = '/v1/projects/p1/database';
    const found = await findDialect(clientOf(server.url), { project: 'p1', memory });
    expect(found).toEqual({ dialect: 'B', prefix: ['v1', 'projects', 'p1', 'database'] });
    expect([...memory.kept.values()]).toEqual([JSON.stringify(found)]);
  });

  it('belongs to one server and one project, and is never believed blindly', async () => {
    await using world = await openSandbox({ dialects: ['B'] });
    const memory = new MapMemory();
    await world.find({ project: 'p1', memory });
    const [key] = memory.kept.keys();
    expect(key).toContain(world.sandbox.url);
    expect(key).toContain('p1');
    for (const nonsense of ['', '{', '{"dialect":"Z"}', '{"dialect":"B","prefix":["..","admin"]}']) {
      memory.kept.set(key!, nonsense);
      expect(await world.find({ project: 'p1', memory })).toMatchObject({ dialect: 'B' });
      expect(memory.kept.get(key!)).toContain('projects');
    }
    expect(world.paths.filter((path) => path.includes('admin'))).toEqual([]);
  });

  it('may be forgotten, or impossible to keep', async () => {
    await using world = await openSandbox({ dialects: ['B'] });
    const failing: ProbeMemory = {
      read: () => Promise.reject(new Error('unreadable')),
      write: () => Promise.reject(new Error('no space')),
    };
    expect(await world.find({ project: 'p1', memory: failing })).toMatchObject({ dialect: 'B' });
  });
});
