import { describe, expect, it } from 'vitest';
import { ZerodbClient } from '../../../src/zerodb/client.ts';
import { createTable, listTables } from '../../../src/zerodb/tables.ts';
import { answerJson, startHttpServer, type TestServer } from '../../support/http-server.ts';
import { testPlatform } from '../../support/test-platform.ts';

const PREFIX = ['v1', 'projects', 'p1', 'database'];

function clientOf(server: TestServer): ZerodbClient {
  return new ZerodbClient(testPlatform(), { baseUrl: server.url });
}

function tableNames(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `table_${at}`);
}

interface Asked {
  readonly skip: number;
  readonly offset: number;
  readonly limit: number;
}

/** A server that lists tables the way `page` says. */
function listing(page: (asked: Asked) => unknown): Promise<TestServer> {
  return startHttpServer((request, response) => {
    const query = new URL(request.url, 'http://host').searchParams;
    const number = (name: string) => Number(query.get(name));
    answerJson(
      response,
      200,
      page({ skip: number('skip'), offset: number('offset'), limit: number('limit') }),
    );
  });
}

const entry = (name: string) => ({ table_id: `id of ${name}`, table_name: name });
const namesOf = async (server: TestServer) =>
  (await listTables(clientOf(server), PREFIX))!.map(({ name }) => name);

describe('the list of tables', () => {
  it.each([0, 1, 99, 100, 101, 250])('holds all %d of them, wherever the offset goes', async (count) => {
    const names = tableNames(count);
    for (const start of ['skip', 'offset'] as const) {
      await using server = await listing((asked) => ({
        tables: names.slice(asked[start], asked[start] + asked.limit).map(entry),
      }));
      expect(await namesOf(server)).toEqual(names);
    }
  });

  it('is read on where the server gives fewer than it was asked for, and whatever total it claims', async () => {
    const names = tableNames(30);
    for (const total of [7, 30, 1000]) {
      await using server = await listing(({ skip }) => ({
        tables: names.slice(skip, skip + 7).map(entry),
        total,
      }));
      expect(await namesOf(server)).toEqual(names);
    }
  });

  it('is whole where the server knows no pages', async () => {
    const names = tableNames(14);
    await using server = await listing(() => names.map(entry));
    expect(await namesOf(server)).toEqual(names);
  });

  it('is asked for at once where only the offset is ignored', async () => {
    const names = tableNames(300);
    await using server = await listing(({ limit }) => names.slice(0, limit).map(entry));
    expect(await namesOf(server)).toEqual(names);
  });

  it('is an error where more may be hidden', async () => {
    const names = tableNames(3000);
    await using full = await listing(({ limit }) => names.slice(0, limit).map(entry));
    await expect(namesOf(full)).rejects.toMatchObject({ code: 'SOURCE_OFFSET_IGNORED' });
    await using clamped = await listing(() => ({ tables: names.slice(0, 50).map(entry), total: 3000 }));
    await expect(namesOf(clamped)).rejects.toMatchObject({ code: 'SOURCE_OFFSET_IGNORED' });
  });

  it('is read again when tables come and go meanwhile', async () => {
    let names = tableNames(150);
    await using server = await listing(({ skip, limit }) => {
      const page = names.slice(skip, skip + limit).map(entry);
      names = names.filter((name) => name !== 'table_3'); // moves table_100 out of sight of the first pass
      return page;
    });
    expect(await namesOf(server)).toEqual(names);
  });

  it('is given up when it never stands still', async () => {
    let made = 0;
    await using server = await listing(({ skip, limit }) => {
      const names = [`new_${made++}`, ...tableNames(150)];
      return names.slice(skip, skip + limit).map(entry);
    });
    await expect(namesOf(server)).rejects.toMatchObject({ code: 'SOURCE_FAILED', temporary: true });
  });

  it.each([404, 405])('is null where the server has no such route (%d), and only there', async (status) => {
    let body: object = { detail: 'Not Found', error_code: 'PATH_NOT_FOUND' };
    await using server = await startHttpServer((_request, response) => answerJson(response, status, body));
    expect(await listTables(clientOf(server), PREFIX)).toBeNull();
    body = { detail: 'Project not found', error_code: 'PROJECT_NOT_FOUND' };
    await expect(listTables(clientOf(server), PREFIX)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });

  it.each([401, 403, 500])('is an error, not null, after a %d', async (status) => {
    await using server = await startHttpServer((_request, response) => answerJson(response, status, {}));
    await expect(listTables(clientOf(server), PREFIX)).rejects.toMatchObject({ name: 'BackupError' });
  });

  it('keeps each definition as it came', async () => {
    const one = '{"name" : "one","schema":{"b":1.0,"a":"TEXT"},"row_count":12345678901234567890}';
    const two = '{"table_name":"t\\u0077o","name":"not this","description":"é"}';
    await using server = await startHttpServer((request, response) => {
      response.end(request.url.includes('skip=0') ? `{"items":[ ${one},${two} ],"total":2}` : '{"items":[]}');
    });
    expect(await listTables(clientOf(server), PREFIX)).toEqual([
      { name: 'one', definition: one },
      { name: 'two', definition: two },
    ]);
  });

  it.each([
    '[{"table_id":"x"}]',
    '[{"name":null}]',
    '[{"name":""}]',
    '[{"name":7}]',
    '["users"]',
    '[{"name":"a\\x"}]',
  ])('is malformed where an entry has no name: %s', async (body) => {
    await using server = await startHttpServer((_request, response) => void response.end(body));
    await expect(namesOf(server)).rejects.toMatchObject({ code: 'SOURCE_MALFORMED' });
  });

  it.each(['{"detail":"fine"}', '{"tables":null}', '{}', '7', '{"tables":[}'])(
    'is never empty because an answer holds no list: %s',
    async (body) => {
      await using server = await startHttpServer((_request, response) => void response.end(body));
      await expect(namesOf(server)).rejects.toMatchObject({ code: 'SOURCE_MALFORMED' });
    },
  );
});

describe('a table', () => {
  const schema = '{"id":"UUID PRIMARY KEY","n":1.0}';
  const definition = `{"table_id":"x","table_name":"things","schema":${schema},"description":"a \\u0062"}`;
  const create = (server: TestServer, text: string | null = definition) =>
    createTable(clientOf(server), PREFIX, { name: 'things', definition: text });
  const bodies = (server: TestServer) => server.requests.map(({ body }) => body.toString());

  it('is created from its definition, byte for byte', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 201, {}));
    await create(server);
    expect(server.requests[0]).toMatchObject({ method: 'POST', url: '/v1/projects/p1/database/tables' });
    expect(bodies(server)).toEqual([
      `{"name":"things","table_name":"things","schema":${schema},"description":"a \\u0062"}`,
    ]);
  });

  it('is asked for with fewer names where the server does not like that many', async () => {
    for (const status of [422, 400]) {
      await using server = await startHttpServer((request, response) => {
        const isLast = request.body.includes('"schema_definition"');
        answerJson(response, isLast ? 200 : status, { detail: 'extra fields not permitted' });
      });
      await create(server);
      expect(bodies(server).slice(1)).toEqual([
        `{"name":"things","schema":${schema},"description":"a \\u0062"}`,
        `{"table_name":"things","schema":${schema}}`,
        `{"table_name":"things","schema_definition":${schema}}`,
      ]);
    }
  });

  it.each([
    [409, { detail: 'conflict' }],
    [400, { detail: "Table 'things' already exists" }],
    [400, { detail: 'no', error_code: 'TABLE_ALREADY_EXISTS' }],
  ])('may be there already: %d %j', async (status, body) => {
    await using server = await startHttpServer((_request, response) => answerJson(response, status, body));
    await create(server);
    expect(server.requests).toHaveLength(1);
  });

  it('is created with the defaults where nothing is known of it', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 201, {}));
    await create(server, null);
    await create(server, '{"name":"things","schema_definition":{"a":1},"description":null}');
    expect(bodies(server)).toEqual([
      '{"name":"things","table_name":"things","schema":{}}',
      '{"name":"things","table_name":"things","schema":{"a":1}}',
    ]);
  });

  it('is not created from a definition that is not JSON', async () => {
    await using server = await startHttpServer((_request, response) => answerJson(response, 201, {}));
    for (const text of ['{', '{"schema":', '[}', ',']) {
      await expect(create(server, text), text).rejects.toMatchObject({
        code: 'MANIFEST_DAMAGED',
        object: 'things',
      });
    }
    expect(server.requests).toHaveLength(0);
  });

  it('that cannot be created is named', async () => {
    await using server = await startHttpServer((_request, response) => {
      answerJson(response, 403, { detail: 'table limit of the plan reached' });
    });
    await expect(create(server)).rejects.toMatchObject({
      code: 'SOURCE_FORBIDDEN',
      object: 'things',
      message: expect.stringContaining('table limit'),
    });
  });
});
