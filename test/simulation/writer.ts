import { Dice } from '../../src/sandbox/dice.ts';
import type { Actor } from './scheduler.ts';
import type { World } from './world.ts';

/** Members that are easily changed on their way. */
const ODDITIES = [
  '"n":1.0',
  '"n":12345678901234567890',
  '"e":1e400',
  '"s":"\\u00e9\\/"',
  '"o":{"b":1,"a":[ ]}',
  '"x":"\u00c3\u00a9"',
  '"d":1,"d":2',
  '"nl":\n1',
];

/** Writes of one round; enough to get in the way of everything. */
const WRITES_MAX = 60;

/** Somebody else who uses the project: inserts, changes and deletes documents while the tool is at work. */
export class Writer implements Actor {
  readonly name = 'somebody else';
  frozenUntil = 0;
  readonly #world: World;
  readonly #dice: Dice;
  #working = false;
  #retired = false;
  #written = 0;

  constructor(world: World) {
    this.#world = world;
    this.#dice = new Dice(world.settings.seed, 0x317e);
    const { collections, documents } = world.settings;
    world.actsAs(this.name, () => {
      for (const collection of collections) {
        for (let number = 0; number < documents; number++) this.#insert(collection);
      }
    });
  }

  start(): void {
    const { writeEveryMs } = this.#world.settings;
    if (writeEveryMs === 0 || this.#retired) return;
    this.#working = true;
    const work = async (): Promise<void> => {
      for (let writes = 0; this.#working && writes < WRITES_MAX; writes++) {
        await this.#world.scheduler.sleep(this, 2 * writeEveryMs * this.#dice.fraction());
        if (this.#working) this.#world.actsAs(this.name, () => this.#write());
      }
    };
    work().catch(() => {}); // ended
  }

  /** Whether it writes while the tool is at work. */
  get isBusy(): boolean {
    return this.#world.settings.writeEveryMs > 0 && !this.#retired;
  }

  /** Writes no more, ever. */
  retire(): void {
    this.#retired = true;
  }

  stop(): void {
    this.#working = false;
    this.#world.scheduler.end(this, new Error('ended'));
  }

  #write(): void {
    const { server, settings } = this.#world;
    const collection = this.#dice.pick(settings.collections);
    const keys = [...server.documents(collection)].map(({ key }) => key);
    const action = this.#dice.pick(['insert', 'insert', 'update', 'update', 'delete', 'reinsert'] as const);
    const key = keys[this.#dice.below(Math.max(1, keys.length))];
    if (action === 'insert' || key === undefined) {
      if (keys.length < 2 * settings.documents + 5) this.#insert(collection);
      return;
    }
    const id = idOf(server.payload(collection, key)!);
    if (action === 'update') {
      server.update(collection, key, this.#payload(id));
    } else {
      server.delete(collection, key);
      if (action === 'reinsert') this.#insert(collection, id);
    }
  }

  #insert(collection: string, id: string | null = this.#newId()): void {
    const { server, settings } = this.#world;
    const key = settings.dialect === 'A' && id !== null ? id : server.newKey();
    server.insert(collection, this.#payload(id), { key });
  }

  /** In dialect B a document may have no id of its own. */
  #newId(): string | null {
    const number = ++this.#written;
    if (this.#world.settings.dialect === 'B' && this.#dice.chance(0.1)) return null;
    return this.#dice.pick([`id-${number}`, `${number}`, `ü/${number}`, this.#dice.uuid()]);
  }

  /** No two of a world are equal. */
  #payload(id: string | null): Buffer {
    const own = id === null ? '' : `"id":${JSON.stringify(id)},`;
    return Buffer.from(`{${own}"version":"v${++this.#written}",${this.#dice.pick(ODDITIES)}}`);
  }
}

function idOf(payload: Buffer): string | null {
  return /[{,]"id":("[^"]*")/.exec(payload.toString())?.[1]?.slice(1, -1) ?? null;
}
