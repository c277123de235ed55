import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Project, SETTINGS } from '../../support/project.ts';

const DOCUMENTS = 250;

async function openProject(setting: (typeof SETTINGS)[number]): Promise<Project> {
  const project = await Project.open(setting);
  for (let id = 0; id < DOCUMENTS; id++) project.sandbox.insert('users', `{"id":"d${id}","n":${id}}`);
  return project;
}

test.concurrent.each(SETTINGS)(
  'one unreadable document of 250 is named within seconds: $dialect $shape',
  async (setting) => {
    await using project = await openProject(setting);
    const { key } = [...project.sandbox.documents('users')][137]!;
    project.sandbox.misbehave({ unreadable: { users: [key] } });
    const startedAt = Date.now();
    const { exit_code, backups } = await project.backup({ collections: ['users'] });
    expect(Date.now() - startedAt).toBeLessThan(20_000);
    expect(exit_code).toBe(3);
    expect(backups).toMatchObject([{ outcome: 'incomplete', document_count: DOCUMENTS - 1 }]);
    expect(backups[0]!.missing[0]).toMatch(/^the document at position \d+ .*answered 500/);
  },
);

test.concurrent.each(SETTINGS)(
  'a server that is unwell for a while is waited for: $dialect $shape',
  async (setting) => {
    await using project = await openProject(setting);
    let requests = 0;
    let unwell: Promise<void> | null = null;
    project.sandbox.beforeRequest(({ path }) => {
      if (!path.includes('users') || ++requests < 3) return;
      unwell ??= sleep(4000).then(() => project.sandbox.misbehave({ faults: [] }));
      if (requests === 3) project.sandbox.misbehave({ faults: [{ kind: 'error', status: 500 }] });
    });
    const { exit_code, backups } = await project.backup({ collections: ['users'] });
    expect(unwell).not.toBeNull();
    expect(exit_code).toBe(0);
    expect(backups).toMatchObject([{ outcome: 'completed', document_count: DOCUMENTS, missing: [] }]);
  },
);
