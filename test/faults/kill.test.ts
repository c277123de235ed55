import { expect, test } from 'vitest';
import { list } from '../../src/operations/list.ts';
import { verify } from '../../src/operations/verify.ts';
import { type CommandOptions, type Ended, runCommandLine } from '../support/command-line.ts';
import { Project, SETTINGS } from '../support/project.ts';
import { expectNothingLeftBehind } from '../support/whole-store.ts';

/**
 * The real program as a process of its own, with a real directory and a real socket, struck by a signal at instants
 * that are spread evenly over its work (failure-catalogue.md P01, P03).
 */

const INSTANTS = Number(process.env.ZERODB_BACKUP_TEST_KILLS ?? 15);
/** Of which each dialect gets its half. */
const RESTORE_INSTANTS = Math.ceil(INSTANTS / 2);
const COLLECTIONS = ['users', 'events'];
const A = SETTINGS[0];
const B = SETTINGS[2];
const STOPS = {
  SIGTERM: { code: 143, word: 'terminated' },
  SIGINT: { code: 130, word: 'interrupted' },
} as const;
type Stop = keyof typeof STOPS;

function fill(project: Project, documents: number): void {
  for (const collection of COLLECTIONS) {
    for (let number = 0; number < documents; number++) {
      project.sandbox.insert(collection, `{"id":"${collection}-${number}","n":${number}.0}`);
    }
  }
}

/** The program, and how long it works after its first word when nobody disturbs it. */
class Program {
  readonly #env: Record<string, string>;
  readonly #argv: readonly string[];
  #durationMs = 0;

  constructor(project: Project, argv: readonly string[]) {
    this.#argv = [...argv, '--json'];
    this.#env = project.environment;
  }

  async run(): Promise<void> {
    const { code, stderr } = await this.#run();
    expect({ code, stderr }).toMatchObject({ code: 0 });
  }

  /** The signal comes after a share of that time. */
  strike(signal: NodeJS.Signals, share: number): Promise<Ended> {
    return this.#run({ signal, afterMs: share * this.#durationMs });
  }

  async #run(strike?: CommandOptions['strike']): Promise<Ended> {
    let begun = 0;
    const ended = await runCommandLine(this.#argv, {
      env: this.#env,
      ...(strike !== undefined && { strike }),
      onOutput: () => {
        if (begun === 0) begun = performance.now();
      },
    });
    // a machine that is busier or idler now shifts all that follow
    if (ended.code === 0) this.#durationMs = performance.now() - begun;
    return ended;
  }
}

interface Strikes {
  readonly signals: readonly NodeJS.Signals[];
  readonly instants: number;
  readonly prepare?: () => void;
}

/** Strikes at all instants, and expects that enough of them came before the end. */
async function strikeAll(
  program: Program,
  { signals, instants, prepare }: Strikes,
  check: (ended: Ended, signal: NodeJS.Signals, instant: number) => Promise<void>,
): Promise<void> {
  for (let warming = 0; warming < 2; warming++) {
    prepare?.();
    await program.run();
  }
  let hits = 0;
  for (let instant = 0; instant < instants; instant++) {
    prepare?.();
    const signal = signals[instant % signals.length]!;
    const ended = await program.strike(signal, (instant + 0.5) / instants);
    if (ended.code !== 0) hits++;
    await check(ended, signal, instant);
  }
  expect(hits).toBeGreaterThan(instants / 4);
}

/** Everything that is listed is whole. */
async function expectSound(project: Project): Promise<void> {
  const verified = await verify(project.repository, { backupIds: null, level: 'decode', maxAgeMs: null });
  expect(verified.errors).toEqual([]);
  expect(verified.backups).toHaveLength((await list(project.repository, {})).backups.length);
}

/** The program heeded the signal, unless it had done its work. */
function expectStopped(ended: Ended, signal: Stop): void {
  if (ended.code === 0) return;
  const last = JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!);
  if (ended.signal !== null) {
    // Node itself was ending, and no longer listened: all had been done and said
    expect(last).toMatchObject({ type: 'summary', exit_code: 0 });
    return;
  }
  const { code, word } = STOPS[signal];
  expect(ended.code).toBe(code);
  expect(ended.stderr).toContain(`ERROR: ${word}`);
  expect(last).toMatchObject({ type: 'summary', exit_code: code });
}

test(`kill -9 of a backup at ${INSTANTS} instants`, { timeout: 600_000 }, async () => {
  await using project = await Project.open(A);
  fill(project, 1500);
  const program = new Program(project, ['backup', '--collections', COLLECTIONS.join(',')]);
  await strikeAll(program, { signals: ['SIGKILL'], instants: INSTANTS }, async (ended, _, instant) => {
    expect([0, null]).toContain(ended.code);
    if (instant % 5 === 4) await expectSound(project);
  });
  await program.run();
  await expectSound(project);
});

test(`SIGTERM and SIGINT to a backup at ${INSTANTS} instants`, { timeout: 600_000 }, async () => {
  await using project = await Project.open(A);
  fill(project, 1500);
  const program = new Program(project, ['backup', '--collections', COLLECTIONS.join(',')]);
  await strikeAll(program, { signals: ['SIGTERM', 'SIGINT'], instants: INSTANTS }, async (ended, signal) => {
    expectStopped(ended, signal as Stop);
    await expectNothingLeftBehind(project);
  });
  await program.run();
  await expectSound(project);
});

/** A backup, and a target in which a restore of it has something to create, to replace and to leave alone. */
class Disaster {
  readonly #project: Project;
  readonly backupId: string;
  /** Payloads of the backup, and of the target before: of each document the one or the other must be there. */
  readonly #good: readonly string[];
  readonly #bad: readonly string[];

  private constructor(project: Project, backupId: string, good: readonly string[], bad: readonly string[]) {
    this.#project = project;
    this.backupId = backupId;
    this.#good = good;
    this.#bad = bad;
  }

  static async of(project: Project): Promise<Disaster> {
    const good = Array.from({ length: 600 }, (_, number) => `{"id":"d${number}","n":${number}.0}`);
    for (const data of good) project.sandbox.insert('users', data);
    const { backups } = await project.backup({ collections: ['users'] });
    const changed = good.slice(100, 400).map((data) => data.replace('"n"', '"changed"'));
    const bad = [...good.slice(0, 100), ...changed, '{"id":"extra","n":1}'];
    return new Disaster(project, backups[0]!.backup_id!, good, bad);
  }

  /** The disaster happens, again. */
  strike(): void {
    this.#project.sandbox.wipe();
    for (const data of this.#bad) this.#project.sandbox.insert('users', data);
  }

  /** The target holds nothing but what it held and what the backup holds, no document twice, and none is lost. */
  expectNothingWorse(): void {
    const held = this.#project.payloads('users');
    const known = new Set([...this.#good, ...this.#bad]);
    expect(held.filter((data) => !known.has(data))).toEqual([]);
    const ids = held.map((data) => JSON.parse(data).id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(this.#bad.filter((data) => !ids.includes(JSON.parse(data).id))).toEqual([]);
  }

  async expectRerunConverges(): Promise<void> {
    const { report } = await this.#project.restore({ backupId: this.backupId });
    expect(report).toMatchObject({ exit_code: 0, errors: [] });
    expect(this.#project.payloads('users')).toEqual([...this.#good, this.#bad.at(-1)!].sort());
  }
}

test.each([
  { signals: ['SIGKILL'], setting: A },
  { signals: ['SIGKILL'], setting: B },
  { signals: ['SIGTERM', 'SIGINT'], setting: A },
  { signals: ['SIGTERM', 'SIGINT'], setting: B },
] as const)(
  `$signals.0 to a restore at ${RESTORE_INSTANTS} instants, dialect $setting.dialect`,
  { timeout: 600_000 },
  async ({ signals, setting }) => {
    await using project = await Project.open(setting);
    const disaster = await Disaster.of(project);
    const program = new Program(project, ['restore', disaster.backupId]);
    const strikes = { signals, instants: RESTORE_INSTANTS, prepare: () => disaster.strike() };
    await strikeAll(program, strikes, async (ended, signal) => {
      if (signal === 'SIGKILL') expect([0, null]).toContain(ended.code);
      else expectStopped(ended, signal as Stop);
      disaster.expectNothingWorse();
      await disaster.expectRerunConverges();
    });
    disaster.strike();
    await program.run();
  },
);
