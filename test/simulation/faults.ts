import type { Dice } from '../../src/sandbox/dice.ts';

/**
 * What can befall a call at a port.
 *
 * - `dies before`, `dies after`: the process is gone, without or with the call's effect
 * - `fails before`, `fails after`: the call answers with a failure, without or with its effect
 * - `freezes`: the process stands still for a time, then goes on as if nothing had been
 * - `stopped`: the process is asked to end (SIGTERM)
 * - `torn`: half of the bytes are written, then it fails
 * - `lies`: other bytes are written, or read, and success is answered
 * - `unreachable`, `lost before`, `lost after`, `silent before`, `silent after`: no answer comes, at once or after the time allowed
 * - `429`, `html`, `empty`, `shortened`: an answer comes, and it is not the one that was asked for
 */
export type FaultKind =
  | 'dies before'
  | 'dies after'
  | 'fails before'
  | 'fails after'
  | 'freezes'
  | 'stopped'
  | 'torn'
  | 'lies'
  | 'unreachable'
  | 'lost before'
  | 'lost after'
  | 'silent before'
  | 'silent after'
  | '429'
  | 'html'
  | 'empty'
  | 'shortened';

const ANY = ['dies before', 'dies after', 'freezes', 'stopped'] as const;
const FILE = [...ANY, 'fails before', 'fails after'] as const;
const HTTP = [
  ...FILE,
  'unreachable',
  'lost before',
  'lost after',
  'silent before',
  'silent after',
  '429',
  'html',
  'empty',
  'shortened',
] as const;

/** Every port method that a tool calls, and what may befall it. */
export const PORT_METHODS: Readonly<Record<string, readonly FaultKind[]>> = {
  'files.stat': FILE,
  'files.list': FILE,
  'files.makeDirectory': FILE,
  'files.create': FILE,
  'files.open': FILE,
  'files.openTemporary': FILE,
  'files.link': FILE,
  'files.remove': FILE,
  'files.rename': FILE,
  'files.syncDirectory': FILE,
  'writer.write': [...FILE, 'torn', 'lies'],
  'writer.sync': FILE,
  'writer.close': FILE,
  'reader.read': [...FILE, 'lies'],
  'reader.close': FILE,
  'temporary.write': [...FILE, 'torn'],
  'temporary.read': FILE,
  'temporary.close': FILE,
  'http.GET': HTTP,
  'http.POST': HTTP,
  'http.PUT': HTTP,
  'http.DELETE': HTTP,
};

export interface PortCall {
  /** One of PORT_METHODS. */
  readonly method: string;
  /** Number of this call in its process, from 1. */
  readonly number: number;
}

/** Decides what befalls a call. */
export interface Faults {
  draw(call: PortCall): FaultKind | null;
}

export const NO_FAULTS: Faults = { draw: () => null };

/** One fault at one call. */
export function oneFault(number: number, kind: FaultKind): Faults {
  return {
    draw: (call) => (call.number === number && PORT_METHODS[call.method]!.includes(kind) ? kind : null),
  };
}

/** Each kind that is on befalls any call, with its own chance. */
export class RandomFaults implements Faults {
  readonly #dice: Dice;
  readonly #rates: ReadonlyMap<FaultKind, number>;

  constructor(dice: Dice, rates: ReadonlyMap<FaultKind, number>) {
    this.#dice = dice;
    this.#rates = rates;
  }

  draw({ method }: PortCall): FaultKind | null {
    for (const [kind, rate] of this.#rates) {
      if (PORT_METHODS[method]!.includes(kind) && this.#dice.chance(rate)) return kind;
    }
    return null;
  }
}

const CALLS_SPARED_MAX = 12;
const READING = ['files.stat', 'files.list', 'files.open', 'reader.read', 'reader.close'];
const SCRATCH = [
  'files.makeDirectory',
  ...['files.openTemporary', 'files.openTemporary'],
  'temporary.write',
  'temporary.read',
  'temporary.close',
];
const WRITING = [
  ...['files.create', 'files.create'],
  ...['files.link', 'files.link'],
  ...['files.remove', 'files.remove'],
  'files.syncDirectory',
  // where a disk can lie, there it is aimed at more often
  ...['writer.write', 'writer.write', 'writer.write', 'writer.write'],
  ...['writer.sync', 'writer.sync'],
  ...['writer.close', 'writer.close'],
];
/** Only restores write to the server, and few of them reach each of these calls. */
const SENDING = ['http.POST', 'http.POST', ...Array<string>(10).fill('http.PUT')];

/** The methods that faults are aimed at, by what a run of the tool does: those that it calls. */
export const AIMS = {
  look: READING,
  read: [...READING, ...SCRATCH, ...SCRATCH],
  backup: [...READING, ...SCRATCH, ...WRITING, 'http.GET', 'http.POST'],
  incremental: [
    ...READING,
    ...READING,
    ...SCRATCH,
    ...SCRATCH,
    ...WRITING,
    'http.GET',
    'http.GET',
    'http.POST',
  ],
  cleanup: [...READING, ...Array<string>(6).fill('files.remove'), 'files.syncDirectory'],
  plan: [...READING, ...SCRATCH, 'http.GET', 'http.POST'],
  restore: [...SCRATCH, 'reader.read', 'http.GET', ...SENDING],
  recreate: [...SCRATCH, 'http.GET', ...SENDING, ...Array<string>(16).fill('http.DELETE')],
} as const;

/** Besides, where the dialect is not known yet: what is found is written down once in a life. */
export const FIRST_CONTACT = Array<string>(12).fill('files.rename');

/**
 * One kind that is on befalls one method of a port, after some calls of it: most faults end a process, and without
 * aim nearly all processes would end where most calls are, at the network.
 */
export class AimedFault implements Faults {
  readonly #method: string;
  readonly #kind: FaultKind | undefined;
  #spared: number;

  constructor(dice: Dice, rates: ReadonlyMap<FaultKind, number>, methods: readonly string[]) {
    this.#method = dice.pick(methods);
    const kinds = PORT_METHODS[this.#method]!.filter((kind) => rates.has(kind));
    this.#kind = kinds[dice.below(kinds.length)];
    this.#spared = dice.below(dice.pick([1, 1, 3, CALLS_SPARED_MAX]));
  }

  draw({ method }: PortCall): FaultKind | null {
    if (method !== this.#method || this.#kind === undefined || this.#spared-- !== 0) return null;
    return this.#kind;
  }
}

/** All kinds, each once. */
export const FAULT_KINDS: readonly FaultKind[] = [...new Set(Object.values(PORT_METHODS).flat())];
