import { Dice } from '../dice.ts';
import { DISCIPLINES, FIRST_NAMES, LAST_NAMES, PLACES, WORDS } from './words.ts';

/** The collections of zerodb-protocol §14 and how many documents each has at scale 1. */
export const SEED_COUNTS = {
  users: 1_000,
  applications: 500,
  approvals: 500,
  subscriptions: 800,
  payments: 5_000,
  profiles: 1_000,
  events: 200,
  rsvps: 2_000,
  training_sessions: 100,
  session_attendance: 1_000,
  search_queries: 10_000,
  content_index: 1_000,
  media_assets: 2_000,
  audit_logs: 50_000,
} as const;

export type SeedCollection = keyof typeof SEED_COUNTS;

const COLLECTIONS = Object.keys(SEED_COUNTS) as SeedCollection[];

/** One data set: the same seed and scale give the same documents, each without the others having been made. */
export interface SeedSet {
  readonly seed: number;
  readonly scale: number;
}

export function seedCount(set: SeedSet, collection: SeedCollection): number {
  return Math.max(3, Math.round(SEED_COUNTS[collection] * set.scale));
}

/** Documents are spread evenly over these two years, in order. */
const FIRST_MS = Date.UTC(2023, 0, 9);
const LAST_MS = Date.UTC(2025, 0, 9);

const STREAMS = { document: 0, id: 100, person: 200 };

/** One document in the making: chance of its own, and references to documents that exist. */
export class Draft {
  readonly dice: Dice;
  readonly id: string;
  readonly index: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly #set: SeedSet;

  constructor(set: SeedSet, collection: SeedCollection, index: number) {
    this.#set = set;
    this.index = index;
    this.dice = new Dice(set.seed, STREAMS.document + COLLECTIONS.indexOf(collection), index);
    this.id = this.idOf(collection, index);
    const place = (index + 0.9 * this.dice.fraction()) / seedCount(set, collection);
    this.createdMs = FIRST_MS + place * (LAST_MS - FIRST_MS);
    this.updatedMs = this.dice.chance(0.4)
      ? this.createdMs
      : this.createdMs + this.dice.fraction() * (LAST_MS - this.createdMs);
  }

  get createdAt(): string {
    return pythonTime(this.createdMs);
  }
  get updatedAt(): string {
    return pythonTime(this.updatedMs);
  }

  /** Id of the document at `index`. */
  idOf(collection: SeedCollection, index: number): string {
    return new Dice(this.#set.seed, STREAMS.id + COLLECTIONS.indexOf(collection), index).uuid();
  }

  /** Id of some document of a collection. */
  reference(collection: SeedCollection): string {
    return this.idOf(collection, this.dice.below(seedCount(this.#set, collection)));
  }

  references(collection: SeedCollection, most: number): string[] {
    return Array.from({ length: this.dice.below(most + 1) }, () => this.reference(collection));
  }

  maybe<Value>(probability: number, make: () => Value): Value | null {
    return this.dice.chance(probability) ? make() : null;
  }

  /** A time between the creation of this document and the end of the data set. */
  later(): string {
    return pythonTime(this.createdMs + this.dice.fraction() * (LAST_MS - this.createdMs));
  }

  /** Midnight of a day around the creation, so without a fraction. */
  day(daysBefore: number, daysAfter: number): string {
    const day = Math.floor(this.createdMs / 86_400_000) - daysBefore;
    return pythonTime((day + this.dice.below(daysBefore + daysAfter)) * 86_400_000);
  }

  /** Name and address of the user at `index`: the same wherever it is asked for. */
  person(index: number) {
    const wrapped = index % seedCount(this.#set, 'users');
    const dice = new Dice(this.#set.seed, STREAMS.person, wrapped);
    const first = dice.pick(FIRST_NAMES);
    const last = dice.pick(LAST_NAMES);
    const phone = `+1-555-${String(dice.below(10_000)).padStart(4, '0')}`;
    return { first, last, phone, email: `member.${wrapped}@example.org`, place: dice.pick(PLACES) };
  }

  disciplines(): string[] {
    return [...new Set([this.dice.pick(DISCIPLINES), this.dice.pick(DISCIPLINES)])];
  }

  /** Sentences of at least `least` and not much more than `most` characters. */
  prose(least: number, most: number): string {
    const length = least + this.dice.below(most - least + 1);
    let text = '';
    while (text.length < length) {
      const words = Array.from({ length: 5 + this.dice.below(9) }, () => this.dice.pick(WORDS)).join(' ');
      text += `${text === '' ? '' : this.dice.chance(0.1) ? '\n\n' : ' '}${words[0]!.toUpperCase()}${words.slice(1)}.`;
    }
    return text;
  }

  title(): string {
    return Array.from({ length: 3 + this.dice.below(4) }, () => this.dice.pick(WORDS)).join(' ');
  }

  hex(length: number): string {
    let text = '';
    while (text.length < length) text += this.dice.word().toString(16).padStart(8, '0');
    return text.slice(0, length);
  }

  address(): string {
    return [10, this.dice.below(256), this.dice.below(256), 1 + this.dice.below(254)].join('.');
  }

  amount(most: number): unknown {
    return pythonFloat(this.dice.chance(0.5) ? this.dice.below(most) : this.dice.below(100 * most) / 100);
  }

  /** A vector as an embedding model gives it. */
  embedding(dimensions = 1536): unknown[] {
    return Array.from({ length: dimensions }, () =>
      pythonFloat(Math.round((this.dice.fraction() + this.dice.fraction() - 1) * 6e8) / 1e10),
    );
  }
}

/** As Python prints a naive UTC time: microseconds, or no fraction where they are zero. */
function pythonTime(milliseconds: number): string {
  const microseconds = Math.round(milliseconds * 1000);
  const text = new Date(Math.floor(microseconds / 1000)).toISOString();
  const fraction = `${text.slice(20, 23)}${String(microseconds % 1000).padStart(3, '0')}`;
  return fraction === '000000' ? text.slice(0, 19) : `${text.slice(0, 19)}.${fraction}`;
}

/** As Python prints a float: `25.0`, not `25`, and `4.2e-05`, not `0.000042`. */
export function pythonFloat(value: number): unknown {
  if (Number.isInteger(value)) return rawJson(`${value}.0`);
  return Math.abs(value) >= 1e-4 ? value : rawJson(value.toExponential().replace(/e-(\d)$/, 'e-0$1'));
}

/** A number that `JSON.stringify` prints as this text. */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
