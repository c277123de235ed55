import { BackupError } from '../../src/kernel/errors.ts';
import { DocumentScanner } from '../../src/kernel/json/document-scanner.ts';
import { MEMBERS } from '../../src/model/document.ts';
import { Dice } from '../../src/sandbox/dice.ts';
import type { CollectionPages, Page, PageQuery, PageTraits } from '../../src/sources/source.ts';
import { ScheduleDocuments, type SimulatedDocument } from './schedule-documents.ts';
import type { ScheduleSettings } from './schedule-settings.ts';
import { ScheduleWriter } from './schedule-writer.ts';

/** What the last answer was cut from, for writers that aim at its edges. */
export interface LastAnswer {
  readonly order: readonly SimulatedDocument[];
  readonly offset: number;
  readonly count: number;
}

export class TooManyRequests extends Error {}

const LARGE_ANSWER = 3;
const MILLISECONDS_PER_REQUEST_MAX = 400;

/**
 * One collection on a simulated server: no network, no real time, everything from the settings and their seed. It
 * keeps the contract of CollectionPages and otherwise misbehaves as the settings say; a writer acts before every
 * request but the first.
 */
export class ScheduleServer implements CollectionPages {
  readonly collection = 'scheduled';
  readonly traits: PageTraits;
  readonly documents: ScheduleDocuments;
  readonly writer: ScheduleWriter;
  requests = 0;
  /** More requests than any sensible reader needs; the one behind it fails. */
  requestsMax = Number.POSITIVE_INFINITY;
  readonly #settings: ScheduleSettings;
  readonly #dice: Dice;
  #dropped = false;

  constructor(settings: ScheduleSettings) {
    this.#settings = settings;
    const isA = settings.dialect === 'A';
    this.traits = {
      serverGivenKeys: !isA,
      sortFields: isA ? ['key', 'created_at'] : [],
      createdAtIn: 'payload' as const,
      keyset: isA,
      limitMax: settings.limitMax,
      shapes: isA ? ['id_data', 'flat'] : ['row'],
    };
    this.documents = new ScheduleDocuments(settings);
    this.writer = new ScheduleWriter(settings, this.documents);
    this.#dice = new Dice(settings.seed, 0x5e);
  }

  /** A clock that runs with the server's requests. */
  readonly clock = {
    now: () => this.documents.now,
    monotonic: () => this.documents.now,
    sleep: async () => {},
  };

  async page(query: PageQuery): Promise<Page> {
    if (query.limit < 1 || query.limit > this.traits.limitMax || query.offset < 0) {
      throw new Error(`a query that breaks the contract: ${JSON.stringify(query)}`);
    }
    if (this.requests >= this.requestsMax) throw new TooManyRequests();
    this.documents.now += this.#dice.below(MILLISECONDS_PER_REQUEST_MAX);
    if (this.requests++ > 0 && this.writer.act() === 'drop') this.#dropped = true;
    this.documents.request = this.requests;
    if (this.#dropped && this.#settings.dropped === 'missing') {
      throw new BackupError('SOURCE_NOT_FOUND', 'there is no such collection');
    }
    const order = this.#select(query);
    const offset = this.#settings.offsetIgnored ? 0 : query.offset;
    const found = order.slice(offset, offset + this.#lengthOf(query.limit));
    this.writer.lastAnswer = { order, offset, count: found.length };
    if (found.length > LARGE_ANSWER && found.some((document) => document.large)) {
      throw new BackupError('SOURCE_TOO_LARGE', 'the answer is too large');
    }
    if (found.some((document) => document.unreadable)) {
      throw new BackupError('SOURCE_FAILED', 'the server answered 500');
    }
    return pageOf(found);
  }

  #lengthOf(limit: number): number {
    const { clamp, raggedShare } = this.#settings;
    const most = clamp > 0 ? Math.min(clamp, limit) : limit;
    return this.#dice.chance(raggedShare) ? 1 + this.#dice.below(most) : most;
  }

  #select({ after, sort, limit, offset }: PageQuery): readonly SimulatedDocument[] {
    const { filters, sorts, refusesSort } = this.#settings;
    const window = `${limit} ${offset}`;
    const honoured = sort !== undefined && sorts.includes(sort.field) ? sort : null;
    if (honoured === null && sort !== undefined && refusesSort) {
      throw new BackupError('SOURCE_REFUSED', `cannot sort by ${sort.field}`);
    }
    const order = this.documents.inOrder(honoured, window, this.#dice);
    if (after === undefined) return order;
    const manner = filters[after.operator];
    if (manner === 'refused') throw new BackupError('SOURCE_REFUSED', `unknown operator ${after.operator}`);
    if (manner === 'literal') return [];
    if (manner === 'ignored') return order;
    const bound = JSON.parse(Buffer.from(after.key).toString('utf8')) as string | number;
    return order.filter((document) => {
      if (typeof document.key !== typeof bound) return false;
      const comparison = this.documents.compareKeys(document.key!, bound);
      return after.operator === '$gt' ? comparison > 0 : comparison >= 0;
    });
  }
}

function pageOf(documents: readonly SimulatedDocument[]): Page {
  const bytes = Buffer.from(documents.map(({ text }) => text).join(','));
  const scanner = new DocumentScanner(MEMBERS, null);
  scanner.advance(bytes, bytes.length);
  scanner.finish();
  return { bytes, spans: scanner.spans };
}
