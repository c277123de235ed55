import { Dice } from '../../src/sandbox/dice.ts';

/** How a server treats a filter on the key. `literal`: it compares the operator's object, and nothing is equal to it. */
export type FilterManner = 'honoured' | 'ignored' | 'literal' | 'refused';

/** How documents come that the order asked for leaves equal. `by window`: as limit and offset have it, for ever. */
export type TieManner = 'stable' | 'shuffled' | 'by window';

/**
 * Order of documents that nobody asked to be sorted. `physical`: an updated document moves to the end, an inserted
 * one takes the place of a deleted one; `by key`: stable, but no order that a document shows; `none`: another one at
 * every request.
 */
export type OwnOrder = 'newest' | 'oldest' | 'physical' | 'by key' | 'none';

export type WriterOperation =
  | 'insert'
  | 'insert many'
  | 'update'
  | 'update time'
  | 'delete'
  | 'delete many'
  | 'delete edge'
  | 'delete before offset'
  | 'reinsert'
  | 'drop';

/** Everything that a schedule is made of; all of it follows from dialect and seed. */
export interface ScheduleSettings {
  readonly dialect: 'A' | 'B';
  readonly seed: number;
  readonly documents: number;
  readonly limitMax: number;
  /** Longest answer, whatever was asked for; 0: as asked. */
  readonly clamp: number;
  /** Share of answers that are shorter for no reason. */
  readonly raggedShare: number;
  readonly shape: 'id_data' | 'flat' | 'row';
  readonly keys: 'uuid' | 'short' | 'number' | 'rising' | 'mixed' | 'astral';
  /** Share of documents without a key. */
  readonly keylessShare: number;
  /** Documents without a key come in twins that do not differ by a byte. */
  readonly twins: boolean;
  /** Most documents that share one time of creation. */
  readonly callSize: number;
  /** Share of documents without a time of creation. */
  readonly timelessShare: number;
  readonly timeFormat: 'micros' | 'trimmed' | 'seconds';
  /** How old documents are when the scan starts, in milliseconds. */
  readonly age: number;
  /** The application chooses times of creation as it likes, or the server stamps them. */
  readonly timesFrom: 'application' | 'server';
  readonly ownOrder: OwnOrder;
  /** Fields by which the server sorts if asked; the others it leaves in its own order. */
  readonly sorts: readonly ('key' | 'created_at')[];
  readonly collation: 'bytes' | 'utf16' | 'caseless';
  /** Where documents stand that lack the time sorted by; those that lack a key are never last both ways. */
  readonly lacking: 'least' | 'greatest' | 'last';
  readonly ties: TieManner;
  readonly filters: { readonly $gt: FilterManner; readonly $gte: FilterManner };
  /** Asked to sort by a field that it does not sort by, the server refuses instead of giving its own order. */
  readonly refusesSort: boolean;
  readonly offsetIgnored: boolean;
  /** Share of documents that are large: an answer that holds one and more than two others is too large. */
  readonly largeShare: number;
  readonly unreadable: boolean;
  /** What a dropped collection is for the server. */
  readonly dropped: 'missing' | 'empty';
  readonly rate: 'none' | 'light' | 'medium' | 'heavy';
  /** Mean number of writes before a request. */
  readonly writesPerRequest: number;
  readonly operations: readonly WriterOperation[];
  /** No more is inserted once the collection holds so many documents. */
  readonly documentsMax: number;
}

/** A server that does as it is asked, and nobody else who writes. */
export function calmSettings(
  dialect: 'A' | 'B',
  deviations: Partial<ScheduleSettings> = {},
): ScheduleSettings {
  return {
    dialect,
    seed: 1,
    documents: 20,
    limitMax: 5,
    clamp: 0,
    raggedShare: 0,
    shape: dialect === 'A' ? 'id_data' : 'row',
    keys: 'uuid',
    keylessShare: 0,
    twins: false,
    callSize: 1,
    timelessShare: 0,
    timeFormat: 'micros',
    age: 3_600_000,
    timesFrom: 'server',
    ownOrder: 'newest',
    sorts: dialect === 'A' ? ['key', 'created_at'] : [],
    collation: 'bytes',
    lacking: 'least',
    ties: 'stable',
    filters: { $gt: 'honoured', $gte: 'honoured' },
    refusesSort: false,
    largeShare: 0,
    offsetIgnored: false,
    unreadable: false,
    dropped: 'missing',
    rate: 'none',
    writesPerRequest: 0,
    operations: [],
    documentsMax: Number.POSITIVE_INFINITY,
    ...deviations,
  };
}

/** The schedule of a seed: each oddity is there with probability 1/2, or less where it would drown all others. */
export function drawSettings(dialect: 'A' | 'B', seed: number): ScheduleSettings {
  const dice = new Dice(seed, dialect === 'A' ? 0xa : 0xb);
  const coin = () => dice.chance(0.5);
  const limitMax = dice.pick([3, 4, 5, 7, 10, 16, 40]);
  const size = dice.pick(['few', 'multiple', 'some', 'some', 'many'] as const);
  const clamp = dice.chance(0.3) ? 1 + dice.below(limitMax) : 0;
  const pageSize = clamp > 0 ? Math.min(clamp, limitMax) : limitMax;
  const documents = {
    few: dice.below(5),
    multiple: pageSize * (1 + dice.below(5)),
    some: dice.below(6 * limitMax),
    many: Math.min(200, 6 * limitMax + dice.below(15 * limitMax)),
  }[size];

  const rate = dice.pick(['none', 'light', 'light', 'medium', 'heavy'] as const);
  const writesPerRequest = { none: 0, light: 0.05, medium: 0.4, heavy: 1 + 2 * dice.fraction() }[rate];
  const common: WriterOperation[] = ['insert', 'insert many', 'update', 'delete', 'delete many'];
  const keen: WriterOperation[] = ['delete edge', 'delete before offset'];
  const operations: WriterOperation[] = [...common, ...keen].filter(coin);
  if (dice.chance(0.25)) operations.push('update time');
  if (dialect === 'A' && coin()) operations.push('reinsert');
  if (operations.length === 0) operations.push('insert', 'delete');
  if (dice.chance(0.03)) operations.push('drop');

  const isA = dialect === 'A';
  const filter = (): FilterManner =>
    coin() ? 'honoured' : dice.pick(['ignored', 'literal', 'refused'] as const);
  const keylessShare = isA && dice.chance(0.15) ? dice.pick([0.02, 0.3]) : 0;
  return {
    dialect,
    seed,
    documents,
    limitMax,
    clamp,
    raggedShare: dice.chance(0.1) ? 0.2 : 0,
    shape: isA ? (keylessShare > 0 || coin() ? 'flat' : 'id_data') : 'row',
    keys: isA ? dice.pick(['uuid', 'uuid', 'short', 'number', 'rising', 'mixed', 'astral'] as const) : 'uuid',
    keylessShare,
    twins: dice.chance(0.3),
    callSize: dice.pick([1, 1, 2, Math.max(1, pageSize - 1), pageSize + 2, 3 * pageSize, 1_000]),
    timelessShare: dice.chance(0.2) ? dice.pick([0.02, 0.3, 1]) : 0,
    timeFormat: dice.pick(['micros', 'trimmed', 'seconds'] as const),
    age: dice.pick([1_000, 3_600_000, 3_600_000_000]),
    timesFrom: isA && coin() ? 'application' : 'server',
    ownOrder: isA
      ? dice.pick(['newest', 'oldest', 'physical', 'none'] as const)
      : dice.pick(['newest', 'newest', 'oldest', 'oldest', 'physical', 'by key', 'none'] as const),
    sorts: isA ? dice.pick([['key', 'created_at'], ['key', 'created_at'], ['key'], ['created_at'], []]) : [],
    collation: dice.pick(['bytes', 'bytes', 'utf16', 'caseless'] as const),
    lacking: dice.pick(['least', 'greatest', 'last'] as const),
    ties: dice.pick(['stable', 'shuffled', 'by window'] as const),
    filters: { $gt: filter(), $gte: filter() },
    refusesSort: dice.chance(0.2),
    largeShare: dice.chance(0.1) ? 0.01 : 0,
    offsetIgnored: dice.chance(0.03),
    unreadable: dice.chance(0.06),
    dropped: dice.pick(['missing', 'empty'] as const),
    rate,
    writesPerRequest,
    operations,
    documentsMax: 2 * documents + 3 * limitMax,
  };
}
