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

  it('counts anew after each pause', async () => {
    const { pace, clock } = open();
    await work(pace, clock, 60, 50);
    (await pace.turn()).end({ waitMs: 57_000 });
    await work(pace, clock, 10, 0); // at 48 a minute, 1.25 s apart
    const turn = await pace.turn();
    turn.end({ waitMs: 50_000 });
    expect(pace.perMinute).toBeCloseTo((0.8 * 10) / ((clock.elapsedMs + 50_000 - 60_000) / 60_000), 6);
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

  it('finds its way under a fixed limit in a minute', async () => {
    const { pace, clock } = open();
    const limit = 60;
    let minute = -1;
    let passed = 0;
    let refused = 0;
    for (let done = 0; done < 600; ) {
      const turn = await pace.turn();
      const now = Math.floor(clock.elapsedMs / 60_000);
      if (now !== minute) [minute, passed] = [now, 0];
      if (passed++ < limit) {
        turn.end('accepted');
        done++;
      } else {
        refused++;
        turn.end({ waitMs: 60_000 * (now + 1) - clock.elapsedMs });
      }
    }
    expect(refused).toBeLessThan(10);
    expect(clock.elapsedMs).toBeLessThan(14 * 60_000); // the limit itself allows 600 in 10 minutes
  });
});
