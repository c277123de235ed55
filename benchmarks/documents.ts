import { createHash } from 'node:crypto';

/**
 * Documents to be served, all at once in memory and the same on every machine: users of an application, with about the
 * redundancy of real ones (gzip -6 makes a third of them). A collection may be longer than what is kept ready: then
 * they come again and again, each time with other ids.
 */
export interface DocumentSettings {
  /** Documents in the collection. */
  readonly count: number;
  /** Documents kept ready. */
  readonly ready: number;
  /** Mean length. */
  readonly bytes: number;
  readonly shape: 'flat' | 'id_data';
}

/** Every id begins with the document's position in eight hex digits, so ids are in the order of positions. */
const POSITION_DIGITS = 8;
export const ID_LENGTH = 36;

export class Documents {
  readonly settings: DocumentSettings;
  /** The ready documents, separated by commas. */
  readonly text: Buffer;
  /** Where they start in `text`, and at last where one more would. */
  readonly #starts: Float64Array;
  readonly #idOffsets: readonly number[];

  constructor(settings: DocumentSettings) {
    this.settings = settings;
    const { ready, bytes, shape } = settings;
    const writer = new DocumentWriter(bytes);
    let text = Buffer.allocUnsafeSlow(Math.ceil(ready * bytes * 1.2) + (1 << 20));
    this.#starts = new Float64Array(ready + 1);
    let at = 0;
    for (let index = 0; index < ready; index++) {
      const user = writer.next(index);
      const document = JSON.stringify(shape === 'flat' ? user : { id: user.id, data: user });
      if (at + 3 * document.length + 1 > text.length) text = Buffer.concat([text], 2 * text.length);
      at += text.write(document, at);
      text[at++] = 0x2c;
      this.#starts[index + 1] = at;
    }
    this.text = text.subarray(0, at - 1);
    this.#idOffsets = shape === 'flat' ? [7] : [7, 7 + ID_LENGTH + '","data":{"id":"'.length];
  }

  /** Where the ready document at this index stands in `text`. */
  span(index: number): { start: number; end: number } {
    return { start: this.#starts[index]!, end: this.#starts[index + 1]! - 1 };
  }

  /** Bytes of JSON of the whole collection, without separators. */
  get totalBytes(): number {
    const { count, ready } = this.settings;
    const bytesBefore = (index: number) => this.#starts[index]! - index;
    return Math.floor(count / ready) * bytesBefore(ready) + bytesBefore(count % ready);
  }

  /** Documents at positions [from, to), separated by commas, in pieces. The first round costs nothing. */
  pieces(from: number, to: number): Buffer[] {
    const { ready } = this.settings;
    const pieces: Buffer[] = [];
    for (let position = from; position < to; ) {
      const first = position % ready;
      const last = Math.min(first + to - position, ready);
      const piece = this.text.subarray(this.#starts[first], this.#starts[last]! - 1);
      if (pieces.length > 0) pieces.push(COMMA);
      pieces.push(position < ready ? piece : this.#renumbered(piece, position, first, last));
      position += last - first;
    }
    return pieces;
  }

  #renumbered(piece: Buffer, position: number, first: number, last: number): Buffer {
    const copy = Buffer.from(piece);
    for (let index = first; index < last; index++) {
      const digits = positionDigits(position + index - first);
      const start = this.#starts[index]! - this.#starts[first]!;
      for (const offset of this.#idOffsets) copy.write(digits, start + offset, 'latin1');
    }
    return copy;
  }
}

const COMMA = Buffer.from(',');

/** Position of the document that an id names. */
export function positionOf(id: string): number {
  return Number.parseInt(id.slice(0, POSITION_DIGITS), 16);
}

function positionDigits(position: number): string {
  return position.toString(16).padStart(POSITION_DIGITS, '0');
}

const FIRST_NAMES =
  'Ana Bo Chloé Dmitri Elif Fatima Grace Hiro Ines José Kwame Łukasz Mei Ngozi Olga Priya Quinn Rosa Søren Tariq Uma Yuki Zoë';
const LAST_NAMES =
  'Abara Brown Chen Dvořák Evans Ferrari García Hansen Ivanova Jones Khan Lopez Müller Nakamura Okafor Patel Rossi Silva Tanaka Weber';
const DOMAINS = 'example.com example.org example.net mail.example.com post.example.org';
const LOCALES = 'en-GB en-US de-DE fr-FR ja-JP';
const CITIES = 'Lagos Leipzig Lima Lisbon London Lviv Lyon Kobe Kyiv Krakow';
const VOCABULARY_WORDS = 6000;
/** Shorter documents have fewer members. */
const SMALL_BYTES_MAX = 800;
const CREATED_FIRST = Date.parse('2024-01-01T00:00:00Z');

class DocumentWriter {
  readonly #chance = seeded(20250109);
  readonly #vocabulary: string[];
  readonly #isSmall: boolean;
  /** Mean length of the prose: what the other members leave of the length asked for. */
  readonly #prose: number;

  constructor(bytes: number) {
    this.#vocabulary = Array.from({ length: VOCABULARY_WORDS }, () => this.#newWord());
    this.#isSmall = bytes < SMALL_BYTES_MAX;
    this.#prose = bytes - (this.#isSmall ? 307 : 636);
  }

  next(position: number): { id: string } & Record<string, unknown> {
    const random = createHash('sha256').update(String(position)).digest('hex');
    const id = `${positionDigits(position)}-${random.slice(0, 4)}-4${random.slice(4, 7)}-8${random.slice(7, 10)}-${random.slice(10, 22)}`;
    const first = this.#pick(FIRST_NAMES);
    const last = this.#pick(LAST_NAMES);
    const created = new Date(CREATED_FIRST + position * 1000 + this.#below(1000)).toISOString();
    const user = {
      id,
      email: `${first}.${last}${this.#below(9999)}@${this.#pick(DOMAINS)}`.toLowerCase(),
      name: `${first} ${last}`,
      role: this.#below(10) === 0 ? 'admin' : 'member',
      created_at: created,
      updated_at: new Date(Date.parse(created) + this.#below(1e10)).toISOString(),
      email_verified: this.#below(10) > 0,
      password_hash: `$2b$12$${Buffer.from(random, 'hex').toString('base64').slice(0, 43)}`,
      bio: this.#text(this.#prose / 2 + this.#below(this.#prose)),
    };
    if (this.#isSmall) return user;
    return {
      ...user,
      last_login_ip: `203.0.113.${this.#below(256)}`,
      plan: this.#below(4) === 0 ? 'pro' : 'free',
      address: {
        street: `${this.#below(999)} ${this.#pick(LAST_NAMES)} Street`,
        city: this.#pick(CITIES),
        postcode: String(10_000 + this.#below(90_000)),
        location: { lat: this.#below(18e7) / 1e6 - 90, lng: this.#below(36e7) / 1e6 - 180 },
      },
      preferences: {
        theme: this.#below(3) === 0 ? 'dark' : 'light',
        locale: this.#pick(LOCALES),
        notifications: { email: this.#below(2) === 0, push: this.#below(2) === 0 },
      },
      tags: Array.from({ length: this.#below(5) }, () => this.#word()),
      balance: this.#below(1e6) / 100,
      login_count: this.#below(2000),
    };
  }

  #below(limit: number): number {
    return Math.floor(this.#chance() * limit);
  }

  #pick(list: string): string {
    const choices = list.split(' ');
    return choices[this.#below(choices.length)]!;
  }

  #text(length: number): string {
    let text = this.#word();
    while (text.length < length) text += ` ${this.#word()}`;
    return text;
  }

  /** Some words come much more often than others, as they do in prose. */
  #word(): string {
    return this.#vocabulary[Math.floor(this.#vocabulary.length * this.#chance() ** 4)]!;
  }

  #newWord(): string {
    const syllable = () => 'bcdfghlmnprstvw'[this.#below(15)]! + 'aeiou'[this.#below(5)]!;
    return Array.from({ length: 1 + this.#below(4) }, syllable).join('') + 'nrst'[this.#below(4)]!;
  }
}

/** The same numbers in [0, 1) on every machine: a counter, mixed (as in splitmix32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
