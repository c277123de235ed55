import { Dice } from '../../src/sandbox/dice.ts';
import type { ScheduleDocuments, SimulatedDocument } from './schedule-documents.ts';
import type { LastAnswer } from './schedule-server.ts';
import type { ScheduleSettings, WriterOperation } from './schedule-settings.ts';

/** Somebody else who writes to the collection between the requests of a scan. */
export class ScheduleWriter {
  lastAnswer: LastAnswer = { order: [], offset: 0, count: 0 };
  /** How often each operation was done. */
  readonly done = new Map<WriterOperation, number>();
  readonly #settings: ScheduleSettings;
  readonly #documents: ScheduleDocuments;
  readonly #dice: Dice;

  constructor(settings: ScheduleSettings, documents: ScheduleDocuments) {
    this.#settings = settings;
    this.#documents = documents;
    this.#dice = new Dice(settings.seed, 0x317e);
  }

  /** What is due before a request; `drop` if the collection is gone. */
  act(): 'drop' | null {
    const { writesPerRequest, operations } = this.#settings;
    let due = Math.floor(writesPerRequest);
    if (this.#dice.chance(writesPerRequest - due)) due++;
    for (; due > 0; due--) {
      const operation = this.#dice.pick(operations);
      if (operation === 'drop' && !this.#dice.chance(0.1)) continue;
      this.done.set(operation, (this.done.get(operation) ?? 0) + 1);
      this.#do(operation);
      if (operation === 'drop') return 'drop';
    }
    return null;
  }

  #do(operation: WriterOperation): void {
    const documents = this.#documents;
    const dice = this.#dice;
    const { alive } = documents;
    const nowMicros = documents.now * 1000 + dice.below(1000);
    const { order, offset, count } = this.lastAnswer;
    if (operation === 'drop') {
      documents.clear();
    } else if (operation === 'insert' || operation === 'insert many') {
      const most = operation === 'insert' ? 1 : 1 + dice.below(2 * this.#settings.limitMax);
      if (alive.length + most > this.#settings.documentsMax) return;
      for (let inserted = 0; inserted < most; inserted++) documents.insert(nowMicros);
    } else if (alive.length === 0) {
      // nothing left to change
    } else if (operation === 'update' || operation === 'update time') {
      const time = operation === 'update' ? null : nowMicros - dice.pick([0, 1e6, 1e9, 1e13]);
      documents.update(dice.pick(alive), time);
    } else if (operation === 'reinsert') {
      const document = dice.pick(alive);
      documents.delete(document);
      documents.insert(nowMicros, document.key);
    } else if (operation === 'delete') {
      documents.delete(dice.pick(alive));
    } else if (operation === 'delete many') {
      this.#deleteRange(
        dice.chance(0.5) ? order : alive,
        dice.below(alive.length),
        1 + dice.below(alive.length / 2),
      );
    } else if (operation === 'delete edge') {
      const some = dice.pick([1, 1, 2, 3, count]);
      this.#deleteRange(order, dice.pick([offset, offset + count - some, offset + count]), some);
    } else {
      const some = dice.pick([1, 1, 2, 3, this.#settings.limitMax, offset]);
      this.#deleteRange(order, offset - some, some);
    }
  }

  #deleteRange(order: readonly SimulatedDocument[], start: number, count: number): void {
    for (const document of order.slice(Math.max(0, start), Math.max(0, start + count))) {
      this.#documents.delete(document);
    }
  }
}
