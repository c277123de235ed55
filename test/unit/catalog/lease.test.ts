import { describe, expect, it } from 'vitest';
import { type Lease, takeLease } from '../../../src/catalog/lease.ts';
import type { LeaseHome } from '../../../src/catalog/other-leases.ts';
import { BackupError } from '../../../src/kernel/errors.ts';
import type { Host } from '../../../src/kernel/host.ts';
import type { LeaseKind } from '../../../src/model/lease.ts';
import type { Store } from '../../../src/stores/store.ts';
import { HandSetClock, settled } from '../../support/hand-set-clock.ts';
import { memoryStore } from '../../support/memory-store.ts';
import { testPlatform } from '../../support/test-platform.ts';

/** One process with a clock of its own at a store that others use too. */
class Run {
  readonly clock = new HandSetClock();
  readonly platform: ReturnType<typeof testPlatform>;
  readonly home: LeaseHome;

  constructor(store: Store, seed: number, host: Partial<Host> = {}) {
    this.platform = testPlatform(seed);
    const own = { hostname: `host${seed}`, processSpace: `space${seed}`, pid: seed, ...host };
    this.home = {
      store,
      platform: { ...this.platform, clock: this.clock, host: { ...this.platform.host, ...own } },
    };
  }

  take(kind: LeaseKind, waitMs = 60_000, signal?: AbortSignal): Promise<Lease> {
    return takeLease(
      this.home,
      { kind, operation: kind === 'shared' ? 'backup' : 'cleanup', waitMs },
      signal,
    );
  }
}

/** How a promise stands, without waiting for it. */
function watched<Result>(promise: Promise<Result>): { state: string; value?: Result; error?: unknown } {
  const seen: { state: string; value?: Result; error?: unknown } = { state: 'pending' };
  promise.then(
    (value) => Object.assign(seen, { state: 'done', value }),
    (error: unknown) => Object.assign(seen, { state: 'failed', error }),
  );
  return seen;
}

function two(hosts: readonly [Partial<Host>, Partial<Host>] = [{}, {}]) {
  const objects = new Map<string, Buffer>();
  const store = memoryStore(objects);
  const [one, other] = [new Run(store, 1, hosts[0]), new Run(store, 2, hosts[1])];
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1000) {
      await one.clock.pass(Math.min(1000, left));
      await other.clock.pass(Math.min(1000, left));
    }
  };
  return { objects, store, one, other, pass };
}

describe('leases', () => {
  it('of runs that only add are held at the same time, and nothing is left of them', async () => {
    const { objects, one, other } = two();
    const leases = [await one.take('shared'), await other.take('shared')];
    expect(objects.size).toBe(2);
    for (const lease of leases) await lease.assertHeld();
    for (const lease of leases) await lease.release();
    expect([...objects.keys()]).toEqual([]);
  });

  it.each([
    ['shared', 'exclusive'],
    ['exclusive', 'shared'],
    ['exclusive', 'exclusive'],
  ] as const)('%s: %s waits, says for whom, and goes on when it is given back', async (held, asked) => {
    const { one, other, pass } = two();
    const lease = await one.take(held);
    const waiting = watched(other.take(asked));
    await pass(30_000);
    expect(waiting.state).toBe('pending');
    expect(other.platform.logged.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^waiting up to 60 s for (backup|cleanup) on host1 \(process 1, since 2026-11-22T10:00:00/,
      ),
    ]);
    await lease.release();
    await pass(5_000);
    expect(waiting.state).toBe('done');
  });

  it('are not waited for any longer than was said', async () => {
    const { objects, one, other, pass } = two();
    await one.take('exclusive');
    const waiting = watched(other.take('exclusive'));
    await pass(64_000);
    expect(waiting).toMatchObject({ state: 'failed', error: { code: 'CATALOG_LOCKED' } });
    expect(String(waiting.error)).toContain('memory: is in use: cleanup on host1 (process 1, since');
    expect(objects.size).toBe(1);
  });

  it('are renewed as long as they are held, under new names, one object at a time', async () => {
    const { objects, one, other, pass } = two();
    const lease = await one.take('shared');
    const waiting = watched(other.take('exclusive', 3_600_000));
    await pass(600_000);
    expect(waiting.state).toBe('pending');
    expect([...objects.keys()]).toEqual([expect.stringMatching(/\.shared\.3[01]\.json$/)]);
    await lease.assertHeld();
  });

  it('of a run that died on another host are passed over when they stood there unchanged, by our own clock', async () => {
    const { objects, one, other } = two();
    const dead = await one.take('shared'); // its clock never moves again
    const waiting = watched(other.take('exclusive'));
    await other.clock.pass(45_000);
    expect(waiting.state).toBe('pending');
    await other.clock.pass(10_000);
    expect(waiting.state).toBe('done');
    expect([...objects.keys()].filter((key) => key.includes('.shared.'))).toEqual([]);
    // whoever was taken for dead wakes up
    one.clock.suspend(3_600_000);
    await expect(dead.assertHeld()).rejects.toMatchObject({ code: 'CATALOG_LOCKED' });
    await expect(dead.assertHeld()).rejects.toThrow(/has lost its lease/);
    await dead.release();
    expect(objects.size).toBe(1);
  });

  it('are lost by who slept, though the other is done by now', async () => {
    const { one, other } = two();
    const sleeper = await one.take('shared');
    const waiting = watched(other.take('exclusive'));
    await other.clock.pass(55_000);
    await waiting.value!.release();
    one.clock.suspend(3_600_000);
    await expect(sleeper.assertHeld()).rejects.toMatchObject({ code: 'CATALOG_LOCKED' });
  });

  it('are kept by who slept where nobody was in a hurry', async () => {
    const { objects, one } = two();
    const sleeper = await one.take('exclusive');
    one.clock.suspend(3_600_000);
    await sleeper.assertHeld();
    expect(objects.size).toBe(1);
  });

  it('of a dead process of this machine are passed over at once, of a living one not', async () => {
    const here = { processSpace: 'here', isProcessAlive: (pid: number) => pid === 7 };
    for (const [pid, state] of [
      [6, 'done'],
      [7, 'pending'],
    ] as const) {
      const { one, other } = two([{ ...here, pid }, here]);
      await one.take('exclusive');
      const waiting = watched(other.take('exclusive'));
      await settled();
      expect(waiting.state).toBe(state);
    }
  });

  it('that cannot be read stand in the way, and not for ever', async () => {
    const { objects, other } = two();
    objects.set('leases/0123456789abcdef.shared.1.json', Buffer.from('rubbish'));
    objects.set('leases/readme.txt', Buffer.from('not ours'));
    const waiting = watched(other.take('exclusive'));
    await other.clock.pass(45_000);
    expect(waiting.state).toBe('pending');
    await other.clock.pass(10_000);
    expect(waiting.state).toBe('done');
    expect(objects.has('leases/readme.txt')).toBe(true);
  });

  it('are never held by two that exclude each other, however their requests interleave', async () => {
    const alone: boolean[] = [];
    for (let schedule = 0; schedule < 200; schedule++) {
      const objects = new Map<string, Buffer>();
      const memory = memoryStore(objects);
      let turn = schedule;
      const runs = [1, 2, 3].map((seed) => {
        // each request waits for a number of turns that differs from schedule to schedule
        const delayed = async () => {
          turn = (turn * 1_103_515_245 + 12_345) % 2_147_483_648;
          for (let rest = (turn >> 8) % 6; rest > 0; rest--) await new Promise((go) => setImmediate(go));
        };
        const store: Store = {
          ...memory,
          async put(key, pieces) {
            await delayed();
            await memory.put(key, pieces);
          },
          async *list(prefix) {
            await delayed();
            yield* memory.list(prefix);
          },
        };
        return new Run(store, schedule * 3 + seed);
      });
      const kinds = ['exclusive', 'shared', 'exclusive'] as const;
      const taken = runs.map((run, index) => watched(run.take(kinds[index]!)));
      await settled();
      await settled();
      const held = kinds.filter((_, index) => taken[index]!.state === 'done');
      if (held.includes('exclusive')) alone.push(held.length === 1);
    }
    expect(alone.length).toBeGreaterThan(20);
    expect(alone).not.toContain(false);
  });

  it('survive a store that fails for a while, and are not asked for more than once where it refuses', async () => {
    const { objects, store, pass, one } = two();
    let fails = false;
    const moody: Store = {
      ...store,
      put: async (key, pieces) => {
        if (fails) throw new BackupError('STORE_UNREACHABLE', 'no answer');
        await store.put(key, pieces);
      },
    };
    const run = new Run(moody, 5);
    const lease = await run.take('shared');
    fails = true;
    await run.clock.pass(30_000);
    await lease.assertHeld(); // renewed not long ago
    await run.clock.pass(30_000);
    await expect(lease.assertHeld()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    fails = false;
    await lease.assertHeld();
    await lease.release();
    expect(objects.size).toBe(0);
    fails = true;
    await expect(run.take('shared')).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await pass(1000);
    expect(one.platform.logged).toEqual([]);
  });

  it('are given back where waiting is given up', async () => {
    const { objects, one, other, pass } = two();
    await one.take('exclusive');
    const stop = new AbortController();
    const waiting = watched(other.take('shared', 60_000, stop.signal));
    await pass(3_000);
    stop.abort(new Error('enough'));
    await settled();
    expect(waiting).toMatchObject({ state: 'failed', error: { message: 'enough' } });
    expect(objects.size).toBe(1);
  });
});
