import { describe, expect, it } from 'vitest';
import { Pace, type PaceLimits, type Turn } from '../../../src/zerodb/pace.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function open(limits: Partial<PaceLimits> = {}) {
  const clock = new VirtualClock();
  return { clock, pace: new Pace(clock, { concurrency: 16, perMinute: null, ...limits }) };
}

/** How many of many turns are given at once. */
async function turnsAtOnce(pace: Pace): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (let asked = 0; asked < 40; asked++) void pace.turn().then((turn) => turns.push(turn));
  await new Promise((resolve) => setImmediate(resolve));
  return turns;
}

/** Works off `count` requests one after the other, each taking `ms`. */
async function work(pace: Pace, clock: VirtualClock, count: number, ms: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    const turn = await pace.turn();
    await clock.sleep(ms);
    turn.end('accepted');
  }
}

describe('the number of requests in flight', () => {
  it('starts with four, or fewer where so configured', async () => {
    expect(await turnsAtOnce(open().pace)).toHaveLength(4);
    expect(await turnsAtOnce(open({ concurrency: 2 }).pace)).toHaveLength(2);
  });

  it('grows to its cap while all goes well', async () => {
    const { pace } = open({ concurrency: 7 });
    const turns = await turnsAtOnce(pace);
    for (let round = 0; round < 30; round++) {
      turns.shift()!.end('accepted');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(pace.concurrency).toBe(7);
  });

  it('does not grow while nobody asks for more', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 50, 1);
    expect(pace.concurrency).toBe(4);
  });

  it('halves once for failures that come together, down to one', async () => {
    const { pace } = open();
    for (const turn of await turnsAtOnce(pace)) turn.end('failed');
    expect(pace.concurrency).toBe(2);
    for (let failures = 0; failures < 5; failures++) (await open().pace.turn()).end('failed');
    const single = open();
    for (let failures = 0; failures < 5; failures++) (await single.pace.turn()).end('failed');
    expect(single.pace.concurrency).toBe(1);
  });

  it('gives places in the order in which they were asked for, and none to those who gave up', async () => {
    const { pace } = open({ concurrency: 1 });
    const first = await pace.turn();
    const order: string[] = [];
    const controller = new AbortController();
    const gaveUp = pace.turn(controller.signal);
    const enter = async (name: string) => {
      const turn = await pace.turn();
      order.push(name);
      turn.end('accepted');
    };
    const [second, third] = [enter('second'), enter('third')];
    controller.abort(new Error('stop'));
    await expect(gaveUp).rejects.toThrow('stop');
    first.end('accepted');
    await Promise.all([second, third]);
    expect(order).toEqual(['second', 'third']);
  });
});

describe('the rate', () => {
  it('is not limited until the server says so', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 1000, 0);
    expect([pace.perMinute, clock.elapsedMs]).toEqual([null, 0]);
  });

  it('keeps to a configured cap from the start', async () => {
    const { pace, clock } = open({ perMinute: 60 });
    await work(pace, clock, 31, 0);
    expect(clock.elapsedMs).toBe(30_000);
  });

  it('after a 429 stops for the time asked for and goes on at 0.8 of what was reached', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 60, 50); // 60 in 3 s
    (await pace.turn()).end({ waitMs: 57_000 });
    expect(pace.perMinute).toBeCloseTo(48, 6); // 60 in the minute until requests are taken again
    await pace.turn();
    expect(clock.elapsedMs).toBe(60_000);
  });

  it('is lowered once by 429s that come together, and never raised by one', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 60, 50);
    const turns = await turnsAtOnce(pace);
    for (const turn of turns) turn.end({ waitMs: 57_000 });
    expect(pace.perMinute).toBeCloseTo(48, 6);
    expect(pace.concurrency).toBe(2);
  });

  it('is not raised by a 429, however many late answers came just before', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 60, 50);
    const [first, late] = await Promise.all([pace.turn(), pace.turn()]);
    first.end({ waitMs: 57_000 });
    const next = await pace.turn();
    next.end('accepted');
    late.end('accepted');
    const low = pace.perMinute!;
    const turn = await pace.turn();
    turn.end({ waitMs: 1 });
    expect(pace.perMinute).toBeLessThanOrEqual(low);
  });

  it('does not take a few requests between two pauses for the rate of the server', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 60, 50);
    (await pace.turn()).end({ waitMs: 57_000 });
    const turn = await pace.turn();
    await work(pace, clock, 2, 0); // at 48 a minute, 1.25 s apart
    turn.end({ waitMs: 10_000 });
    expect(pace.perMinute).toBeGreaterThan(35);
  });

  it('falls by a fifth with each pause after requests were accepted again', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 60, 50);
    (await pace.turn()).end({ waitMs: 1 });
    for (let pauses = 0; pauses < 5; pauses++) {
      const before = pace.perMinute!;
      await work(pace, clock, 1, 0);
      (await pace.turn()).end({ waitMs: 1 });
      expect(pace.perMinute!).toBeLessThanOrEqual(0.81 * before);
    }
  });

  it('falls further while a server that does not say how long keeps refusing', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 60, 50);
    let last = Number.POSITIVE_INFINITY;
    for (const waitMs of [1000, 2000, 4000, 8000, 16_000, 30_000]) {
      (await pace.turn()).end({ waitMs });
      expect(pace.perMinute!).toBeLessThan(last);
      last = pace.perMinute!;
    }
    expect(last).toBeLessThan(48);
  });

  it('grows slowly again, up to the configured cap', async () => {
    const { pace, clock } = open({ perMinute: 60 });
    await work(pace, clock, 30, 0);
    (await pace.turn()).end({ waitMs: 60_000 });
    const start = pace.perMinute!;
    expect(start).toBeLessThan(30);
    await work(pace, clock, 60, 0);
    expect(pace.perMinute!).toBeGreaterThan(start);
    expect(pace.perMinute!).toBeLessThan(1.5 * start);
    await work(pace, clock, 2000, 0);
    expect(pace.perMinute).toBeCloseTo(60, 6);
  });

  const servers: readonly (readonly [string, () => (now: number) => number | null])[] = [
    ['60 in any minute', () => sliding((waitMs) => 1000 * Math.ceil(waitMs / 1000))],
    ['60 in any minute, without a word of when to come again', () => sliding(guessing())],
    ['60 in each minute of the clock', fixedWindow],
    ['one more each second, up to 60 at once', bucket],
  ];
  it.each(servers)('is kept without hammering: %s', async (name, open60) => {
    const { pace, clock } = open();
    const waitFor = open60();
    const arrivals: number[] = [];
    let left = 900;
    const isAccepted = async () => {
      const turn = await pace.turn();
      arrivals.push(clock.elapsedMs);
      const waitMs = waitFor(clock.elapsedMs);
      await clock.sleep(50);
      turn.end(waitMs === null ? 'accepted' : { waitMs });
      return waitMs === null;
    };
    const worker = async () => {
      while (left > 0) if (await isAccepted()) left--;
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    const minutes = clock.elapsedMs / 60_000;
    const burst = name.startsWith('one more') ? 60 : 0;
    expect(arrivals.length).toBeLessThanOrEqual(1.05 * (60 * minutes + burst));
    expect(arrivals.length / minutes).toBeGreaterThan(50);
    const known = arrivals.filter((time) => time > 60_000);
    const worst = known.map((time) => known.filter((other) => other >= time && other < time + 60_000).length);
    if (name.startsWith('60 in any')) expect(Math.max(...worst)).toBeLessThanOrEqual(63);
  });
});

/** Each says how long to wait, or null for what it accepts. */
function sliding(told: (waitMs: number, isNews: boolean) => number): (now: number) => number | null {
  const accepted: number[] = [];
  let refusedBefore = false;
  return (now) => {
    const recent = accepted.filter((time) => time > now - 60_000);
    const isAccepted = recent.length < 60;
    const waitMs = isAccepted ? null : told(recent[0]! + 60_000 - now, !refusedBefore);
    if (isAccepted) accepted.push(now);
    refusedBefore = !isAccepted;
    return waitMs;
  };
}

function guessing(): (waitMs: number, isNews: boolean) => number {
  let guess = 500;
  return (_, isNews) => {
    guess = isNews ? 1000 : Math.min(30_000, 2 * guess);
    return guess;
  };
}

function fixedWindow(): (now: number) => number | null {
  let minute = -1;
  let passed = 0;
  return (now) => {
    if (Math.floor(now / 60_000) !== minute) [minute, passed] = [Math.floor(now / 60_000), 0];
    return passed++ < 60 ? null : 60_000 * (minute + 1) - now;
  };
}

function bucket(): (now: number) => number | null {
  let tokens = 60;
  let filledAt = 0;
  return (now) => {
    tokens = Math.min(60, tokens + (now - filledAt) / 1000);
    filledAt = now;
    if (tokens < 1) return 1000;
    tokens--;
    return null;
  };
}
