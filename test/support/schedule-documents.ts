import { Dice } from '../../src/sandbox/dice.ts';
import { compareUtf8 } from '../../src/sandbox/selection.ts';
import type { PageQuery, SortField } from '../../src/sources/source.ts';
import type { ScheduleSettings } from './schedule-settings.ts';

export interface SimulatedDocument {
  readonly key: string | number | null;
  /** Order of insertion. */
  readonly serial: number;
  /** Microseconds since 1970; null for a document that shows none. */
  time: number | null;
  /** Its bytes as the server sends them. */
  text: string;
  /** Number of requests served when it got these bytes. */
  unchangedSince: number;
  unreadable: boolean;
  readonly large: boolean;
}

const START = Date.UTC(2026, 2, 14, 9, 26, 53);
const ASTRAL = ['a', 'Z', '~', 'é', '\u2028', '\ud7ff', '\uffee', '\u{1f600}', '\u{10ffff}'];

/** The documents of one collection, the orders in which they come, and what the oracle must know of their past. */
export class ScheduleDocuments {
  /** Milliseconds since 1970. */
  now = START;
  /** Requests served so far. */
  request = 0;
  /** Documents in the places where they physically lie; null where one was deleted. */
  readonly places: (SimulatedDocument | null)[] = [];
  /** All texts that existed at any moment since the first request. */
  readonly everSeen = new Set<string>();

  /** The largest number of documents at any moment. */
  mostAlive = 0;

  readonly #settings: ScheduleSettings;
  readonly #dice: Dice;
  #servedBefore = 0;
  #serial = 0;
  #version = 0;
  /** Keys that exist and, where the server gives them, all that ever did. */
  readonly #taken = new Set<string>();
  #alive: SimulatedDocument[] | null = null;
  #count = 0;
  readonly #holes: number[] = [];

  constructor(settings: ScheduleSettings) {
    this.#settings = settings;
    this.#dice = new Dice(settings.seed, 0xd0c);
    const { documents, age, callSize } = settings;
    const calls = Math.ceil(documents / callSize);
    for (let made = 0, call = 0; made < documents; call++) {
      const time = (START - age) * 1000 + Math.floor((age * 1000 * call) / (calls + 1));
      for (let inCall = 0; inCall < callSize && made < documents; inCall++, made++) this.insert(time);
    }
    const unreadable = settings.unreadable ? this.alive[this.#dice.below(documents)] : undefined;
    if (unreadable !== undefined) unreadable.unreadable = true;
  }

  get alive(): readonly SimulatedDocument[] {
    this.#alive ??= this.places.filter((document) => document !== null);
    return this.#alive;
  }

  /** Forgets the past: what comes now is judged as if the next request were the first. */
  openWindow(): void {
    this.#servedBefore = this.request;
    this.everSeen.clear();
    for (const { text } of this.alive) this.everSeen.add(text);
  }

  /** The documents that existed unchanged from the first request to the last. */
  get steady(): readonly SimulatedDocument[] {
    return this.alive.filter(({ unchangedSince }) => unchangedSince <= this.#servedBefore);
  }

  /** One document; all of one call share `serverTime` unless the application chooses times. */
  insert(serverTime: number, key: string | number | null = this.#newKey()): void {
    const { timesFrom, twins } = this.#settings;
    const time = this.#shown(timesFrom === 'application' ? this.#applicationTime(serverTime) : serverTime);
    const twin = key === null && twins ? this.alive.find((other) => other.key === null) : undefined;
    const document: SimulatedDocument = {
      key,
      serial: this.#serial++,
      time: twin === undefined ? time : twin.time,
      text: '',
      unchangedSince: this.request,
      unreadable: false,
      large: this.#dice.chance(this.#settings.largeShare),
    };
    document.text = twin?.text ?? this.#textOf(document);
    this.everSeen.add(document.text);
    this.#taken.add(JSON.stringify(key));
    this.#put(document);
    this.mostAlive = Math.max(this.mostAlive, this.#count);
  }

  update(document: SimulatedDocument, newTime: number | null): void {
    if (newTime !== null && document.time !== null) document.time = this.#shown(newTime);
    document.text = this.#textOf(document);
    document.unchangedSince = this.request;
    this.everSeen.add(document.text);
    if (this.#settings.ownOrder !== 'physical') return;
    this.#take(document);
    this.#put(document);
  }

  delete(document: SimulatedDocument): void {
    if (!this.places.includes(document)) return;
    this.#take(document);
    if (this.#settings.dialect === 'A') this.#taken.delete(JSON.stringify(document.key));
  }

  clear(): void {
    this.places.length = 0;
    this.#holes.length = 0;
    this.#count = 0;
    this.#alive = null;
  }

  /** All documents in the order asked for, or (null) in the server's own. */
  inOrder(sort: PageQuery['sort'] | null, window: string, dice: Dice): readonly SimulatedDocument[] {
    const { dialect, ownOrder } = this.#settings;
    const { alive } = this;
    if (sort?.field === 'key')
      return this.#sorted(alive, 'key', sort.direction, ({ key }) => key, window, dice);
    if (sort?.field === 'created_at') {
      return this.#sorted(
        alive,
        'created_at',
        sort.direction,
        (document) => this.#sortTime(document),
        window,
        dice,
      );
    }
    if (ownOrder === 'physical') return alive;
    if (ownOrder === 'none') return shuffled(alive, dice);
    if (ownOrder === 'by key') return alive.toSorted((a, b) => (String(a.key) < String(b.key) ? -1 : 1));
    const direction = ownOrder === 'newest' ? 'desc' : 'asc';
    const value = (document: SimulatedDocument) => (dialect === 'A' ? document.serial : document.time);
    return this.#sorted(alive, 'created_at', direction, value, window, dice);
  }

  /** Two keys as the server sorts and filters them: numbers before text. */
  compareKeys(a: string | number, b: string | number): number {
    if (typeof a === 'number' || typeof b === 'number') {
      return typeof a === typeof b ? Number(a) - Number(b) : typeof a === 'number' ? -1 : 1;
    }
    const { collation } = this.#settings;
    if (collation === 'bytes') return compareUtf8(a, b);
    const [left, right] = collation === 'utf16' ? [a, b] : [a.toLowerCase(), b.toLowerCase()];
    return left < right ? -1 : left > right ? 1 : a < b ? -1 : a > b ? 1 : 0;
  }

  /** The time as the server sorts it: as text where the application wrote it. */
  #sortTime({ time }: SimulatedDocument): string | number | null {
    return time === null || this.#settings.timesFrom === 'server' ? time : this.#timeText(time);
  }

  #sorted(
    documents: readonly SimulatedDocument[],
    field: SortField,
    direction: 'asc' | 'desc',
    value: (document: SimulatedDocument) => string | number | null,
    window: string,
    dice: Dice,
  ): readonly SimulatedDocument[] {
    const { lacking, ties } = this.#settings;
    const sign = direction === 'asc' ? 1 : -1;
    const greatest = lacking === 'greatest' || (lacking === 'last' && field === 'key');
    const nullSign = greatest ? sign : lacking === 'last' ? 1 : -sign;
    const start = ties === 'stable' ? documents : shuffled(documents, dice);
    const windowed = ties === 'by window' ? tieHashes(documents, window) : null;
    return start.toSorted((a, b) => {
      const [left, right] = [value(a), value(b)];
      if (left === null || right === null) {
        if (left !== right) return left === null ? nullSign : -nullSign;
      } else {
        const order = this.compareKeys(left, right);
        if (order !== 0) return sign * order;
      }
      if (windowed !== null) return windowed.get(a)! - windowed.get(b)!;
      return ties === 'stable' ? sign * (a.serial - b.serial) : 0;
    });
  }

  #put(document: SimulatedDocument): void {
    if (this.#holes.length > 0 && this.#dice.chance(0.5)) {
      const [hole] = this.#holes.splice(this.#dice.below(this.#holes.length), 1);
      this.places[hole!] = document;
    } else {
      this.places.push(document);
    }
    this.#count++;
    this.#alive = null;
  }

  #take(document: SimulatedDocument): void {
    const at = this.places.indexOf(document);
    if (at < 0) throw new Error('no such document');
    this.places[at] = null;
    this.#holes.push(at);
    this.#count--;
    this.#alive = null;
  }

  #newKey(): string | number | null {
    if (this.#dice.chance(this.#settings.keylessShare)) return null;
    for (;;) {
      const key = this.#randomKey();
      if (!this.#taken.has(JSON.stringify(key))) return key;
    }
  }

  #randomKey(): string | number {
    const dice = this.#dice;
    const word = (letters: readonly string[], most: number) =>
      Array.from({ length: 1 + dice.below(most) }, () => dice.pick(letters)).join('');
    const number = dice.below(2000);
    switch (this.#settings.keys) {
      case 'uuid':
        return dice.uuid();
      case 'short':
        return word([...'abcABC019_-'], 4);
      case 'number':
        return number;
      case 'rising':
        return this.#serial;
      case 'mixed':
        return dice.chance(0.5) ? number : String(number);
      case 'astral':
        return word(ASTRAL, 5);
    }
  }

  #applicationTime(serverTime: number): number {
    const spread = this.#dice.pick([0, 1, 10, 1000]) * 1_000_000;
    return serverTime - Math.floor(this.#dice.fraction() * spread);
  }

  #shown(time: number): number | null {
    if (this.#dice.chance(this.#settings.timelessShare)) return null;
    return this.#settings.timeFormat === 'seconds' ? time - (time % 1_000_000) : time;
  }

  #timeText(time: number): string {
    const micros = String(time % 1_000_000).padStart(6, '0');
    const seconds = new Date(Math.floor(time / 1_000_000) * 1000).toISOString().slice(0, 19);
    if (this.#settings.timeFormat === 'micros') return `${seconds}.${micros}+00:00`;
    const fraction = micros.replace(/0+$/, '');
    return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`;
  }

  #textOf({ key, time }: SimulatedDocument): string {
    const version = this.#version++;
    const id = key === null ? '' : `"id":${JSON.stringify(key)},`;
    const created = time === null ? '' : `,"created_at":"${this.#timeText(time)}"`;
    switch (this.#settings.shape) {
      case 'flat':
        return `{${id}"v":${version}${created}}`;
      case 'id_data':
        return `{${id}"data":{"v":${version}}${created}}`;
      case 'row':
        return `{"row_${id.slice(1)}"row_data":{"v":${version}}${created}}`;
    }
  }
}

function shuffled<Item>(items: readonly Item[], dice: Dice): readonly Item[] {
  const order = items.map((_, index) => index);
  dice.shuffle(order, 0, order.length);
  return order.map((index) => items[index]!);
}

/** A rank for each document that depends on the window asked for and on nothing else. */
function tieHashes(documents: readonly SimulatedDocument[], window: string): Map<SimulatedDocument, number> {
  let salt = 0;
  for (const character of window) salt = (Math.imul(salt, 31) + character.charCodeAt(0)) | 0;
  return new Map(documents.map((document) => [document, new Dice(document.serial, salt).word()]));
}
