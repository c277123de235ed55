import { expect, test } from 'vitest';
import { readCatalog } from '../../src/catalog/catalog.ts';
import type { Platform } from '../../src/kernel/platform.ts';
import type { Random } from '../../src/kernel/random.ts';
import { SPECIFIED_RULES } from '../../src/model/retention-policy.ts';
import { backup } from '../../src/operations/backup.ts';
import { cleanup } from '../../src/operations/cleanup/cleanup.ts';
import { exportBackup } from '../../src/operations/export.ts';
import { openRepository } from '../../src/repository.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';
import { seededRandom } from '../support/seeded-random.ts';

/**
 * Random histories of a collection: inserts, deletions, insertions under the same id again, updates, some of which leave
 * `updated_at` alone; full and incremental backups, cleanups, days that pass. At every moment each backup that there is
 * gives exactly the state of its time. HISTORIES=10000 runs as many as the issue asks for.
 */

const HISTORIES = Number(process.env.HISTORIES ?? 6);
const DAY = 24 * 60 * 60 * 1000;
const STEPS = 14;
const DOCUMENTS = 60;

class Chance {
  readonly #random: Random;
  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }
  below(limit: number): number {
    return limit === 0 ? 0 : Buffer.from(this.#random.bytes(4)).readUInt32LE() % limit;
  }
}

class History {
  readonly project: Project;
  readonly #random: Chance;
  readonly #states = new Map<string, readonly string[]>();
  #now = Date.UTC(2025, 5, 1, 3);
  #next = 0;
  readonly counts = { full: 0, incremental: 0, removed: 0, changes: 0, read: 0 };

  constructor(project: Project, random: Chance) {
    this.project = project;
    this.#random = random;
  }

  get #repository() {
    const { platform, storePath, repository } = this.project;
    const there: Platform = { ...platform, clock: { ...platform.clock, now: () => this.#now } };
    return openRepository(there, openDirectoryStore(there, storePath), repository.stateDirectory);
  }

  insert(id = `u${this.#next++}`): void {
    const { sandbox } = this.project;
    const updated = `2025-01-0${1 + this.#random.below(9)}T00:00:00`;
    sandbox.insert('users', `{"id":"${id}","n":${this.#random.below(1000)}.0,"updated_at":"${updated}"}`);
  }

  /** Some of what people and programs do between two backups. */
  change(): void {
    const { sandbox } = this.project;
    const documents = [...sandbox.documents('users')];
    for (let times = this.#random.below(8); times > 0; times--) {
      this.counts.changes++;
      const document = documents[this.#random.below(documents.length)];
      const kind = this.#random.below(4);
      if (document === undefined || kind === 0) this.insert();
      else if (kind === 1) sandbox.delete('users', document.key);
      else if (kind === 2) {
        const text = document.data.toString().replace(/"n":[^,]*/, `"n":${this.#random.below(1000)}.0`);
        sandbox.update('users', document.key, text);
      } else {
        // gone, and there again under the id that it had
        const { id } = JSON.parse(document.data.toString()) as { id: string };
        if (sandbox.delete('users', document.key)) this.insert(id);
      }
    }
    this.#now += this.#random.below(4) * DAY + 60_000;
  }

  async backUp(): Promise<void> {
    const incremental = this.#random.below(3) > 0 ? { baseAgeMaxMs: 7 * DAY, sizeMax: 0.9 } : null;
    const request = { ...REQUEST, collections: ['users'], incremental };
    const report = await backup(this.#repository, this.project.target, request);
    expect(report.exit_code).toBe(0);
    const [made] = report.backups;
    this.counts[made!.backup_type!]++;
    this.#states.set(made!.backup_id!, this.project.payloads('users'));
  }

  async cleanUp(): Promise<void> {
    const rules = this.#random.below(2) === 0 ? SPECIFIED_RULES : ([{ kind: 'last', count: 2 }] as const);
    const { backups, errors } = await cleanup(this.#repository, { rules, confirmed: true, dryRun: false });
    expect(errors).toEqual([]);
    this.counts.removed += backups.filter(({ outcome }) => outcome === 'removed').length;
  }

  /** Every backup that there is gives the state of its time; one of them is restored for real. */
  async check(): Promise<void> {
    const ids = (await readCatalog(this.#repository)).backups.map(({ backup_id }) => backup_id);
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) {
      this.counts.read++;
      const documents: string[] = [];
      await exportBackup(this.#repository, id, {
        format: 'ndjson',
        write: async (bytes) => {
          documents.push(...Buffer.from(bytes).toString().split('\n').filter(Boolean));
        },
      });
      expect(documents.map(payloadOf).sort()).toEqual(this.#states.get(id)!.map(payloadOf).sort());
    }
    const id = ids[this.#random.below(ids.length)]!;
    const { report } = await this.project.restore({ backupId: id, mode: 'exact' });
    expect(report.counts.different).toBe(0);
    expect(this.project.payloads('users')).toEqual(this.#states.get(id));
  }
}

/** Without what a server wraps around it. */
function payloadOf(text: string): string {
  return /\{"id":"u\d+","n":[^}]*\}/.exec(text)?.[0] ?? text;
}

test(`${HISTORIES} histories: every backup that is kept gives the state of its time`, async () => {
  const total = { full: 0, incremental: 0, removed: 0, changes: 0, read: 0 };
  for (let seed = 0; seed < HISTORIES; seed++) {
    const random = new Chance(seed);
    await using project = await Project.open(SETTINGS[seed % SETTINGS.length]!);
    const history = new History(project, random);
    for (let at = 0; at < DOCUMENTS; at++) history.insert();
    await history.backUp();
    for (let step = 0; step < STEPS; step++) {
      history.change();
      await history.backUp();
      if (random.below(4) === 0) await history.cleanUp();
    }
    await history.check();
    for (const [name, count] of Object.entries(history.counts)) total[name as keyof typeof total] += count;
  }
  expect(total.incremental).toBeGreaterThan(total.full / 2);
  expect(total.removed).toBeGreaterThan(0);
  if (process.env.HISTORIES !== undefined) console.log(total);
}, 1_000_000_000);
