import type { Dice } from '../../src/sandbox/dice.ts';
import { Trace } from './trace.ts';

/** Somebody whose steps can be held back or ended: a process, or somebody else who uses the server. */
export interface Actor {
  readonly name: string;
  /** Virtual milliseconds before which it does nothing. */
  frozenUntil: number;
}

interface Waiting {
  readonly actor: Actor;
  readonly label: string;
  /** Virtual milliseconds from which on it may go on. */
  readonly from: number;
  readonly resume: () => void;
  readonly reject: (reason: unknown) => void;
}

/** More steps than any operation needs. */
const STEPS_MAX = 200_000;

/**
 * Decides who goes on, and what time it is. Every call at a port waits here; one at a time is let go, and nothing else
 * happens until all are waiting again. So a run is one sequence of steps, which the dice choose.
 */
export class Scheduler {
  /** Virtual milliseconds since the beginning. */
  now = 0;
  steps = 0;
  readonly trace = new Trace();
  readonly #dice: Dice;
  #waiting: Waiting[] = [];

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Resolves when it is this actor's turn to take the step. */
  step(actor: Actor, label: string): Promise<void> {
    return this.#wait(actor, label, this.now);
  }

  /** Resolves when so much time has passed; rejects with the signal's reason. */
  async sleep(actor: Actor, ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const waiting = this.#wait(actor, `sleeps ${Math.ceil(ms)} ms`, this.now + ms, signal);
    await waiting;
  }

  /** Ends all that an actor waits for with this failure. */
  end(actor: Actor, reason: unknown): void {
    const ended = this.#waiting.filter((waiting) => waiting.actor === actor);
    this.#waiting = this.#waiting.filter((waiting) => waiting.actor !== actor);
    for (const { reject } of ended) reject(reason);
  }

  /** Lets all actors go on until the task has come to its end. Throws if it never does. */
  async run<Result>(task: Promise<Result>): Promise<Result> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    task.then(settle, settle);
    for (let steps = 0; ; steps++) {
      await nothingLeftToDo();
      if (settled) return await task;
      if (steps > STEPS_MAX) throw new Error(`no end after ${steps} steps`);
      if (!this.#goOn()) throw new Error('nobody can go on, and nothing has come to its end');
    }
  }

  #wait(actor: Actor, label: string, from: number, signal?: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(signal!.reason);
      };
      const resume = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      const waiting: Waiting = { actor, label, from, resume, reject };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #goOn(): boolean {
    if (this.#waiting.length === 0) return false;
    const startOf = ({ actor, from }: Waiting): number => Math.max(from, actor.frozenUntil);
    let ready = this.#waiting.filter((waiting) => startOf(waiting) <= this.now);
    if (ready.length === 0) {
      this.now = Math.min(...this.#waiting.map(startOf));
      ready = this.#waiting.filter((waiting) => startOf(waiting) <= this.now);
    }
    const chosen = this.#dice.pick(ready);
    this.#waiting = this.#waiting.filter((waiting) => waiting !== chosen);
    this.steps++;
    this.trace.add(`${Math.round(this.now)} ms  ${chosen.actor.name}  ${chosen.label}`);
    chosen.resume();
    return true;
  }
}

/** Resolves when all promises that could go on have gone on. */
function nothingLeftToDo(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
