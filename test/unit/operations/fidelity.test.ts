import { expect, test } from 'vitest';
import { exportBackup } from '../../../src/operations/export.ts';
import { HOSTILE_IDS, HOSTILE_PAYLOADS } from '../../support/hostile-documents.ts';
import { Project, SETTINGS } from '../../support/project.ts';
import { realDocuments } from '../../support/real-documents.ts';

const REAL = realDocuments();

test.each(SETTINGS)(
  'documents that nobody here wrote come back byte for byte ($dialect, $shape)',
  async (setting) => {
    await using project = await Project.open(setting);
    for (const [collection, documents] of REAL) {
      for (const [number, document] of documents.entries()) {
        project.sandbox.insert(collection, setting.shape === 'flat' ? withId(document, number) : document);
      }
    }
    const collections = [...REAL.keys()];
    const before = new Map(collections.map((collection) => [collection, project.payloads(collection)]));
    const made = await project.backup({
      collections,
      compression: setting.shape === 'flat' ? 'zstd' : 'gzip',
    });
    expect(made.errors).toEqual([]);
    expect(made.backups.map(({ document_count }) => document_count)).toEqual(
      [...REAL.values()].map(({ length }) => length),
    );

    project.sandbox.wipe();
    for (const { collection, backup_id } of made.backups) {
      const { report } = await project.restore({ backupId: backup_id! });
      expect(report.errors, collection).toEqual([]);
      expect(report.read_back?.same_bytes).toBe(before.get(collection)!.length);
      expect(project.payloads(collection)).toEqual(before.get(collection));
    }
  },
);

test.each([SETTINGS[0], SETTINGS[2]])('the zoo of hostile payloads ($dialect)', async (setting) => {
  await using project = await Project.open(setting);
  for (const [name, payload] of Object.entries(HOSTILE_PAYLOADS)) {
    project.sandbox.insert('zoo', Buffer.from(payload), { key: name });
  }
  const made = await project.backup({ collections: ['zoo'] });
  expect(made.errors).toEqual([]);
  const backupId = made.backups[0]!.backup_id!;
  const lines: Buffer[] = [];
  await exportBackup(project.repository, backupId, {
    format: 'ndjson',
    write: async (bytes) => void lines.push(Buffer.from(bytes)),
  });
  const exported = Buffer.concat(lines).toString('latin1');
  for (const payload of Object.values(HOSTILE_PAYLOADS))
    expect(exported).toContain(Buffer.from(payload).toString('latin1'));

  project.sandbox.wipe();
  const { report } = await project.restore({ backupId });
  // over HTTP this server, like the real ones, takes only objects of valid JSON: what it refuses is named, not lost
  const refused = Object.keys(HOSTILE_PAYLOADS).filter((name) =>
    /^D07|^D10 (?!empty object)|carriage return$/.test(name),
  );
  expect(report.counts).toMatchObject({ refused: refused.length, different: 0 });
  expect(report.exit_code).toBe(3);
  const accepted = Object.entries(HOSTILE_PAYLOADS).filter(([name]) => !refused.includes(name));
  expect(project.payloads('zoo')).toEqual(
    accepted.map(([, payload]) => Buffer.from(payload).toString('latin1')).sort(),
  );
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test('hostile ids keep their documents apart (A)', async () => {
  await using project = await Project.open(SETTINGS[0]);
  for (const [number, id] of HOSTILE_IDS.entries()) {
    project.sandbox.insert('odd', Buffer.from(`{"number":${number}}`), { key: id });
  }
  const before = [...project.sandbox.documents('odd')].map(({ key, data }) => `${key} ${data}`).sort();
  const made = await project.backup({ collections: ['odd'] });
  expect(made).toMatchObject({ exit_code: 0, backups: [{ document_count: HOSTILE_IDS.length }] });

  project.sandbox.wipe();
  const { report } = await project.restore({ backupId: made.backups[0]!.backup_id! });
  expect(report.errors).toEqual([]);
  expect([...project.sandbox.documents('odd')].map(({ key, data }) => `${key} ${data}`).sort()).toEqual(
    before,
  );

  // replacing goes by the id in a path: what cannot stand there is reported and left alone, never sent elsewhere
  for (const id of HOSTILE_IDS) project.sandbox.update('odd', id, '{"number":-1}');
  const again = await project.restore({ backupId: made.backups[0]!.backup_id! });
  const { replaced, unaddressable } = again.report.counts;
  expect(replaced + unaddressable).toBe(HOSTILE_IDS.length);
  expect(unaddressable).toBeGreaterThanOrEqual(2);
  expect(again.report.exit_code).toBe(3);
  const wrong = [...project.sandbox.documents('odd')].filter(
    ({ data }) => data.toString() === '{"number":-1}',
  );
  expect(wrong.length).toBe(unaddressable);
});

test('hostile collection names never become paths', async () => {
  await using project = await Project.open(SETTINGS[0]);
  const names = [
    'a/b',
    '../up',
    'Users',
    'users',
    'ünï',
    'x'.repeat(200),
    'a_full_20250101_000000',
    '%2e%2e',
    'sp ace',
  ];
  for (const [number, name] of names.entries()) project.sandbox.insert(name, `{"id":"d","number":${number}}`);
  const made = await project.backup({ collections: names });
  expect(made.errors).toEqual([]);
  expect(new Set(made.backups.map(({ backup_id }) => backup_id)).size).toBe(names.length);
  for (const path of (await project.storeTree()).keys()) expect(path).toMatch(/^(\/[a-z0-9_.%~-]+)+$/);
  const digest = project.sandbox.digest();
  project.sandbox.wipe();
  for (const { backup_id } of made.backups) await project.restore({ backupId: backup_id! });
  expect(project.sandbox.digest()).toBe(digest);
});

test('the names . and .. of collections are refused, not folded into other paths', async () => {
  await using project = await Project.open(SETTINGS[0]);
  project.sandbox.insert('users', '{"id":"d"}');
  const made = await project.backup({ collections: ['..', '.', 'users'] });
  expect(made.backups.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'completed']);
  expect(made.exit_code).toBe(3);
});

/** In the shape `flat` a server shows the payload alone, so that it must hold its id. */
function withId(document: Buffer, number: number): Buffer {
  return Buffer.concat([Buffer.from(`{"id":"d${number}",`), document.subarray(1)]);
}
