import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { exportBackup } from '../../src/operations/export.ts';
import { applyRestore, planRestore } from '../../src/operations/restore.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { Project, SETTINGS } from '../support/project.ts';

const BODY_BYTES_MAX = 10_000_000;
/** The catalogue says 100 MB, which works as well and takes a minute. */
const DOCUMENT_BYTES = 12_000_000;

/** A server in front of another one that refuses long bodies, without reading them, as such servers do. */
async function limitingFront(behind: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) {
      response.writeHead(413, { 'content-type': 'text/html', connection: 'close' });
      response.end('<html><h1>413 Request Entity Too Large</h1></html>');
      return;
    }
    const { method, headers, url } = request;
    const onward = httpRequest(`${behind}${url}`, { method: method!, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test.each([SETTINGS[0], SETTINGS[2]])(
  'D12: a document larger than the target takes is named, the others are restored, and an export has it: $dialect',
  async (setting) => {
    await using project = await Project.open(setting);
    await using front = await limitingFront(project.sandbox.url);
    const large = `{"id":"large","text":"${'z'.repeat(DOCUMENT_BYTES)}"}`;
    const small = Array.from({ length: 50 }, (_, number) => `{"id":"small-${number}"}`);
    for (const data of [...small.slice(0, 25), large, ...small.slice(25)])
      project.sandbox.insert('users', data);
    const { backups, errors } = await project.backup({ collections: ['users'] });
    expect(errors).toEqual([]);
    const backupId = backups[0]!.backup_id!;
    project.sandbox.wipe();

    const target = await openZerodbSource(project.platform, {
      baseUrl: front.url,
      apiKey: { value: project.sandbox.apiKey, name: 'ZERODB_API_KEY' },
      project: project.sandbox.project,
      dialect: setting.dialect,
    });
    const plan = await planRestore(project.repository, target, { backupId });
    const report = await applyRestore(plan);
    await plan.close();
    expect(report).toMatchObject({ exit_code: 3, counts: { created: 50, refused: 1, different: 0 } });
    expect(report.errors).toMatchObject([
      {
        code: 'SOURCE_REFUSED',
        object: expect.stringContaining('large'),
        cure: expect.stringContaining('larger than the server accepts'),
      },
      { code: 'RESTORE_PARTIAL', cure: expect.stringContaining('export the backup') },
    ]);
    expect(project.payloads('users')).toEqual(small.toSorted());

    let exported = 0;
    await exportBackup(project.repository, backupId, {
      format: 'ndjson',
      write: async (bytes) => {
        exported += bytes.length;
      },
    });
    expect(exported).toBeGreaterThan(DOCUMENT_BYTES);
  },
);
