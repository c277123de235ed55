import type { Collection, SandboxDatabase } from './database.ts';
import { Dice } from './dice.ts';
import type { Documents } from './documents.ts';
import type { WriterAction, WriterPlan } from './writer-plan.ts';

/** After a long silence of the clients a writer does not make up for more than this. */
const ACTIONS_AT_ONCE_MAX = 1000;

export class Writer {
  readonly #plan: WriterPlan;
  readonly #database: SandboxDatabase;
  readonly #documents: Documents;
  readonly #dice: Dice;
  #written = 0;
  #lastActed: number;

  constructor(plan: WriterPlan, database: SandboxDatabase, documents: Documents, now: number) {
    this.#plan = plan;
    this.#database = database;
    this.#documents = documents;
    this.#dice = new Dice(plan.seed ?? 1);
    this.#lastActed = now;
  }

  /** Does what is due before a request at time `now`. */
  act(now: number): void {
    const {
      collection: name,
      perRequest = 0,
      perSecond = 0,
      actions = ['insert', 'update', 'delete'],
    } = this.#plan;
    const mean = perRequest + (perSecond * Math.max(0, now - this.#lastActed)) / 1000;
    this.#lastActed = now;
    const collection = this.#database.collection(name);
    if (collection === undefined) return;
    let due = Math.min(ACTIONS_AT_ONCE_MAX, Math.floor(mean));
    if (this.#dice.chance(mean - Math.floor(mean))) due++;
    for (; due > 0; due--) this.#do(this.#dice.pick(actions), collection);
  }

  #do(action: WriterAction, collection: Collection): void {
    const many = this.#plan.many ?? 200;
    if (action === 'insert') this.#insert(collection, 1);
    else if (action === 'insert-many') this.#insert(collection, many);
    else if (action === 'update') this.#update(collection);
    else if (action === 'delete') this.#delete(collection, this.#neighbours(collection, 1));
    else if (action === 'delete-many') this.#delete(collection, this.#neighbours(collection, many));
    else if (action === 'delete-edge') this.#deleteEdge(collection);
    else this.#reinsert(collection);
  }

  #insert(collection: Collection, count: number): void {
    for (let inserted = 0; inserted < count; inserted++) {
      const id = this.#dice.uuid();
      const payload = { id, name: `written meanwhile ${++this.#written}`, created_at: this.#documents.time };
      this.#documents.insert(collection, id, Buffer.from(JSON.stringify(payload)));
    }
  }

  #update(collection: Collection): void {
    for (const { key } of this.#neighbours(collection, 1)) {
      const document = this.#database.find(collection, key)!;
      if (document.data[0] !== 0x7b) return;
      const patch = Buffer.from(`{"written_meanwhile":${++this.#written}}`);
      this.#documents.write(collection, document, patch, 'merge');
    }
  }

  #delete(collection: Collection, victims: readonly { sequence: number; key: string }[]): void {
    for (const victim of victims) this.#database.delete(collection, victim);
  }

  #deleteEdge(collection: Collection): void {
    const page = this.#documents.lastPages.get(collection.name) ?? [];
    const count = 1 + this.#dice.below(3);
    const edge = this.#dice.chance(0.75) ? page.slice(-count) : page.slice(0, count);
    const victims = edge.flatMap((sequence) => {
      const key = this.#database.keyOf(sequence);
      return key === undefined ? [] : [{ sequence, key }];
    });
    this.#delete(collection, victims);
  }

  #reinsert(collection: Collection): void {
    for (const { key } of this.#neighbours(collection, 1)) {
      const document = this.#database.find(collection, key)!;
      this.#database.delete(collection, document);
      this.#documents.insert(collection, key, document.data);
    }
  }

  /** Some documents that stand side by side in the order of their keys. */
  #neighbours(collection: Collection, count: number): { sequence: number; key: string }[] {
    const { documentCount, number } = collection;
    const offset = this.#dice.below(Math.max(1, documentCount - count + 1));
    return this.#database.all(
      'select sequence, key from documents where collection = :number order by key limit :count offset :offset',
      { number, count, offset },
    ) as { sequence: number; key: string }[];
  }
}
