import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { expect, test } from 'vitest';
import type { Manifest } from '../../src/model/manifest.ts';
import { backup } from '../../src/operations/backup.ts';
import { applyRestore, planRestore } from '../../src/operations/restore.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import type { Fault } from '../../src/sandbox/misbehaviour.ts';
import { createFastClock } from '../support/fast-clock.ts';
import { DIALECT_D, Project, REQUEST, SETTINGS, type Setting } from '../support/project.ts';

/** Runs of each dialect; more: `ZERODB_BACKUP_TEST_UNWELL=100`. */
const RUNS = Number(process.env.ZERODB_BACKUP_TEST_UNWELL ?? 1);
const DOCUMENTS = 20_000;
const RESTORED = 200;

/** Each with its chance; a request meets the first that comes. Together every fifth request fails. */
const FAULTS: readonly Fault[] = [
  { kind: 'error', status: 503, rate: 0.04 },
  { kind: 'error', status: 502, body: 'html', rate: 0.02 },
  { kind: 'error', status: 500, afterEffect: true, rate: 0.02 },
  { kind: 'error', status: 200, body: 'html', rate: 0.01 },
  { kind: 'error', status: 504, body: 'empty', afterEffect: true, rate: 0.01 },
  { kind: 'lost', rate: 0.02 },
  { kind: 'lost', afterEffect: true, rate: 0.02 },
  { kind: 'too-many', rate: 0.02 },
  { kind: 'cut', framing: 'length', rate: 0.015 },
  { kind: 'cut', framing: 'chunked', rate: 0.015 },
  { kind: 'cut', framing: 'close', rate: 0.01 },
  { kind: 'cut', framing: 'gzip', rate: 0.01 },
  { kind: 'stall', where: 'body', ms: 20, rate: 0.01 },
];

const DIALECTS: readonly Setting[] = [SETTINGS[0], SETTINGS[2], DIALECT_D];

async function filled(setting: Setting, count: number): Promise<Project> {
  const project = await Project.open(setting);
  for (let at = 0; at < count; at++) {
    project.sandbox.insert(
      'users',
      `{"id":"u${String(at).padStart(5, '0')}","n":${at}.0,"x":${Math.sin(at)}}`,
    );
  }
  return project;
}

/** The tool as a new process has it, impatient in real time. */
async function toolOf(project: Project) {
  return await project.openTool({ ...createPlatform(), clock: createFastClock(200) });
}

async function digestOf(project: Project, backupId: string): Promise<string> {
  const text = await readFile(`${project.storePath}/manifests/${backupId}.json`, 'utf8');
  return (JSON.parse(text) as Manifest).documents_digest;
}

test.each(DIALECTS)(
  `20,000 documents of a server that fails every fifth request, dialect $dialect: ${RUNS} backups`,
  { timeout: 60_000 + 30_000 * RUNS },
  async (setting) => {
    await using project = await filled(setting, DOCUMENTS);
    const calm = await project.backup({ collections: ['users'] });
    const expected = await digestOf(project, calm.backups[0]!.backup_id!);
    let completed = 0;
    const others: string[] = [];
    const tools = [];
    for (let run = 0; run < RUNS; run++) tools.push(await toolOf(project));
    project.sandbox.misbehave({ faults: FAULTS });
    for (const tool of tools) {
      const report = await backup(tool.repository, tool.target, { ...REQUEST, collections: ['users'] });
      const [made] = report.backups;
      if (report.exit_code === 0) {
        expect(made).toMatchObject({ outcome: 'completed', document_count: DOCUMENTS });
        expect(await digestOf(project, made!.backup_id!)).toBe(expected);
        completed++;
      } else {
        expect(made!.outcome).not.toBe('completed');
        others.push(made!.error?.message ?? made!.missing.join('; '));
      }
    }
    expect(completed, others.join('\n')).toBeGreaterThanOrEqual(0.95 * RUNS);
  },
);

test.each(DIALECTS)(
  `restores to a server that fails every fifth request, dialect $dialect: ${RUNS} times, nothing twice`,
  { timeout: 60_000 + 30_000 * RUNS },
  async (setting) => {
    await using project = await filled(setting, RESTORED);
    const { backups } = await project.backup({ collections: ['users'] });
    const expected = project.payloads('users');
    const exits: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      project.sandbox.wipe('users');
      const tool = await toolOf(project);
      project.sandbox.misbehave({ faults: FAULTS });
      try {
        const plan = await planRestore(tool.repository, tool.target, { backupId: backups[0]!.backup_id! });
        try {
          exits.push((await applyRestore(plan)).exit_code);
        } finally {
          await plan.close();
        }
      } catch {
        exits.push(-1);
      }
      project.sandbox.misbehave({ faults: [] });
      const ids = project.payloads('users').map((text) => text.slice(0, 14));
      expect(new Set(ids).size).toBe(ids.length);
      if (exits.at(-1) === 0) expect(project.payloads('users')).toEqual(expected);
    }
    // the others said that they failed
    expect(exits.filter((exit) => exit === 0).length, exits.join()).toBeGreaterThanOrEqual(0.9 * RUNS);
  },
);
