import type { BackupError } from '../../src/kernel/errors.ts';
import { Redaction } from '../../src/kernel/redaction.ts';
import { openRepository, type Repository } from '../../src/repository.ts';
import { SandboxCore } from '../../src/sandbox/core.ts';
import { Dice } from '../../src/sandbox/dice.ts';
import type { Target } from '../../src/sources/target.ts';
import { openZerodbSource } from '../../src/sources/zerodb.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { openProbeMemory } from '../../src/zerodb/probe-memory.ts';
import { type Attempt, Violation } from './attempt.ts';
import { Disk } from './disk.ts';
import { AIMS, AimedFault, type Faults, FIRST_CONTACT, NO_FAULTS, RandomFaults } from './faults.ts';
import { History } from './history.ts';
import { SERVER } from './network.ts';
import { Scheduler } from './scheduler.ts';
import { ServerTrouble } from './server-trouble.ts';
import type { WorldSettings } from './settings.ts';
import { Died, EPOCH, STATE, type Surroundings, ToolProcess } from './tool-process.ts';
import { WorldStore } from './world-store.ts';
import { Writer } from './writer.ts';

/** Must never be seen outside requests. */
const SECRET = 'zdb_canary_b1946ac92492d2347c6235b4d2611184';
const PASSWORD = 'canary-591785b794601e212b260e25925636fd';
const SECRETS = [SECRET, PASSWORD];
/** Shorter than many a run. */
const TOKEN_SECONDS = 20;

/** What an operation of the tool gets to work with. */
export interface Tool {
  readonly repository: Repository;
  /** Contacts the server. */
  readonly openTarget: () => Promise<Target>;
  readonly signal: AbortSignal;
}

/** One project, its stores, those who use them, and everything that goes wrong, from one seed. */
export class World {
  readonly settings: WorldSettings;
  readonly dice: Dice;
  readonly scheduler: Scheduler;
  readonly disk: Disk;
  readonly server: SandboxCore;
  readonly history: History;
  readonly stores: readonly WorldStore[];
  /** What the server does wrong at the moment. */
  readonly trouble: ServerTrouble;
  /** How often each kind of fault befell each port method. */
  readonly tally = new Map<string, number>();
  readonly #surroundings: Surroundings;
  readonly #writer: Writer;
  #actor = 'nobody';
  #processes = 0;
  readonly #ended: ToolProcess[] = [];
  /** Runs of the tool that are at work. */
  readonly #atWork = new Set<{ alone: boolean; lostPower: boolean }>();

  constructor(settings: WorldSettings) {
    this.settings = settings;
    this.dice = new Dice(settings.seed, 0xd1ce);
    const scheduler = new Scheduler(new Dice(settings.seed, 0x5c4ed));
    this.scheduler = scheduler;
    this.disk = new Disk(() => EPOCH + scheduler.now);
    const clock = {
      now: () => EPOCH + scheduler.now,
      monotonic: () => scheduler.now,
      sleep: async () => {},
    };
    const chance = new Dice(settings.seed, 0x5e4e4);
    const random = {
      bytes: (count: number) => Uint8Array.from({ length: count }, () => chance.below(256)),
    };
    const { dialect, shape, rowOrder, listsTables, pageClamp, shuffleTies } = settings;
    const { putMerges, reformats, logsIn } = settings;
    this.server = new SandboxCore(
      {
        dialects: [dialect],
        shape,
        rowOrder,
        listsTables,
        apiKey: SECRET,
        project: 'p1',
        misbehaviour: { pageClamp, shuffleTies, putMerges, reformats },
        ...(logsIn && {
          login: { email: 'ann@example.org', password: PASSWORD, tokenSeconds: TOKEN_SECONDS },
        }),
      },
      { clock, random },
    );
    this.history = new History(
      this.server,
      () => scheduler.steps,
      () => this.#actor,
    );
    this.stores = Array.from({ length: settings.stores }, (_, at) => new WorldStore(this, `/srv/store${at}`));
    this.trouble = new ServerTrouble(this);
    this.#surroundings = {
      scheduler,
      disk: this.disk,
      network: {
        server: this.server,
        latencyMs: settings.latencyMs,
        actsFor: (name, act) => this.actsAs(name, act),
      },
      tally: (method, kind) => {
        const name = `${method} ${kind}`;
        this.tally.set(name, (this.tally.get(name) ?? 0) + 1);
      },
    };
    this.#writer = new Writer(this);
  }

  /** Whoever is named here is on record for what `act` changes on the server. */
  readonly actsAs = <Result>(name: string, act: () => Result): Result => {
    this.#actor = name;
    try {
      return act();
    } finally {
      this.#actor = 'nobody';
    }
  };

  /** The faults of this world, for one run of the tool. */
  drawFaults(aims: keyof typeof AIMS = 'read'): Faults {
    const { faults, faultyRounds, probes, putMerges } = this.settings;
    const usual: readonly string[] = AIMS[aims === 'restore' && putMerges ? 'recreate' : aims];
    const isFirst = probes && usual.includes('http.GET') && this.disk.filesBelow(STATE).next().done === true;
    const methods = isFirst ? [...usual, ...FIRST_CONTACT] : usual;
    const dice = new Dice(this.dice.word());
    if (!this.dice.chance(faultyRounds)) return NO_FAULTS;
    return dice.chance(0.3) ? new RandomFaults(dice, faults) : new AimedFault(dice, faults, methods);
  }

  /** Runs the tool once, as a process of its own. Must be called within `live`. */
  async attempt<Report>(
    store: WorldStore,
    faults: Faults,
    operation: (tool: Tool) => Promise<Report>,
  ): Promise<Attempt<Report>> {
    const { clockErrorMax, powerCuts } = this.settings;
    const process = new ToolProcess(this.#surroundings, {
      name: `process ${++this.#processes}`,
      seed: this.dice.word(),
      faults,
      clockError: clockErrorMax === 0 ? 0 : this.dice.below(2 * clockErrorMax) - clockErrorMax,
      storePath: store.path,
    });
    const from = this.scheduler.steps;
    const began = process.platform.clock.now();
    const work = { alone: this.#atWork.size === 0, lostPower: false };
    for (const other of this.#atWork) other.alone = false;
    this.#atWork.add(work);
    let report: Report | null = null;
    let error: BackupError | null = null;
    try {
      report = await operation(this.#tool(process, store));
    } catch (thrown) {
      if (!process.dead) error = assertedBackupError(thrown, process);
    }
    process.ended = true;
    this.#ended.push(process);
    if (process.dead) {
      report = null;
      if (this.dice.chance(powerCuts)) {
        this.scheduler.trace.add('    the power is cut');
        this.disk.powerCut(this.dice);
        for (const other of this.#atWork) other.lostPower = true;
      }
    }
    this.#atWork.delete(work);
    const { suffered, dead: died } = process;
    const attempt = {
      report,
      error,
      died,
      process,
      store,
      from,
      to: this.scheduler.steps,
      began,
      ended: process.platform.clock.now(),
      suffered,
      ...work,
    };
    store.note(attempt);
    this.#assertSecretKept(attempt);
    return attempt;
  }

  /** Lets time go on until the task is done, with everybody who is in this world. */
  async live<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#writer.start();
    try {
      return await this.scheduler.run(task());
    } finally {
      this.#writer.stop();
    }
  }

  /** From now on nobody else writes, and nothing is in the way of further backups. */
  settleDown(): void {
    this.#writer.retire();
    this.trouble.end();
    for (const store of this.stores) store.mendMarker();
  }

  /** A server whose answers may not prove that a collection was read whole. */
  get isHopeless(): boolean {
    const { dialect, shuffleTies, pageClamp } = this.settings;
    return dialect === 'B' && (shuffleTies || pageClamp === 1);
  }

  /** The codes with which a run that reads a collection may fail, or find it not proved. */
  scanCodes(collection: string, { alone }: Attempt<unknown>): readonly string[] {
    const isDisturbed = this.isHopeless || !alone || this.#writer.isBusy;
    return [...(isDisturbed ? ['SOURCE_UNPROVEN'] : []), ...this.trouble.codes(collection)];
  }

  pickStore(): WorldStore {
    return this.dice.pick(this.stores);
  }

  /** One that holds backups, where there is one. */
  pickStoreWithBackup(): WorldStore {
    const holding = this.stores.filter(({ observer }) => observer.visible.length > 0);
    return holding.length === 0 ? this.pickStore() : this.dice.pick(holding);
  }

  /** Throws if a run of the tool went on after it had said how it ended. */
  assertAllEnded(): void {
    for (const { name, late } of this.#ended) {
      if (late !== null) throw new Violation(`${name} had ended, and went on: ${late}`);
    }
  }

  /** Throws if a run of the tool that only reads has changed something on the server. */
  assertServerUntouched({ process }: Attempt<unknown>): void {
    const [change] = this.history.changesBy(process.name);
    if (change !== undefined) throw new Violation(`a run that only reads changed ${JSON.stringify(change)}`);
  }

  async close(): Promise<void> {
    await this.server.close();
  }

  #tool(process: ToolProcess, { path }: WorldStore): Tool {
    const { platform, signal } = process;
    const { probes, collections, dialect, logsIn, sizes } = this.settings;
    const credentials = logsIn
      ? { login: { email: 'ann@example.org', password: PASSWORD, name: 'ZERODB_EMAIL and ZERODB_PASSWORD' } }
      : { apiKey: { value: SECRET, name: 'ZERODB_API_KEY' } };
    const openTarget = () =>
      openZerodbSource(
        platform,
        {
          baseUrl: SERVER,
          ...credentials,
          project: 'p1',
          ...(probes ? { memory: openProbeMemory(platform, STATE), collections } : { dialect }),
          redaction: new Redaction(),
        },
        signal,
      );
    const store = openDirectoryStore(platform, path);
    return { openTarget, signal, repository: openRepository(platform, store, STATE, sizes) };
  }

  #assertSecretKept({ report, error, process }: Attempt<unknown>): void {
    const said = JSON.stringify([report, error?.message, error?.cure, error?.kept, process.logged]);
    for (const secret of SECRETS) {
      if (said.includes(secret)) throw new Violation('a secret was printed');
    }
  }

  /** Looks for the secret in every file there is. */
  assertNoSecretStored(): void {
    for (const [path, { content }] of this.disk.filesBelow('')) {
      for (const secret of SECRETS) {
        if (content.includes(secret)) throw new Violation(`a secret is in ${path}`);
      }
    }
  }
}

/** What the tool throws is a BackupError that says what it is; anything else is a defect of it. */
function assertedBackupError(thrown: unknown, process: ToolProcess): BackupError {
  const error = thrown as BackupError;
  if (thrown instanceof Died) throw new Violation('a process that lives met its own death');
  if (error.name !== 'BackupError') {
    throw new Violation(`${process.name} threw ${error.stack ?? String(thrown)}`, { cause: thrown });
  }
  if (error.code === 'INTERNAL') {
    throw new Violation(
      `${process.name} met a defect: ${(error.cause as Error | undefined)?.stack ?? error.message}`,
    );
  }
  return error;
}
