import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type Outcome, runSchedule } from '../support/schedule.ts';
import { type Offer, offerOf } from '../support/schedule-classes.ts';
import { scanReader } from '../support/schedule-readers.ts';
import { calmSettings, drawSettings, type ScheduleSettings } from '../support/schedule-settings.ts';

/** More of them: SCAN_SEEDS=100000 vitest run test/properties/scan-schedules.test.ts */
const SEEDS = Number(process.env.SCAN_SEEDS ?? 2000);

describe.each(['A', 'B'] as const)('random schedules of dialect %s', (dialect) => {
  const outcomes: Outcome[] = [];

  it(`keep the promise (${SEEDS} seeds)`, { timeout: 60_000 + 100 * SEEDS }, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      outcomes.push(await runSchedule(drawSettings(dialect, seed), scanReader, tmpdir()));
    }
    const violations = outcomes
      .filter(({ violation }) => violation !== null)
      .map(({ settings, violation }) => `--dialect ${dialect} --seed ${settings.seed}: ${violation}`);
    expect(violations, 'node test/support/schedule-run.ts --show --seeds 1 …').toEqual([]);
  });

  it('prove all scans of a useful server without writers, and 95 % with few', () => {
    const offers = { A: ['keyset', 'sorted'], B: ['sorted', 'stable'] } as const;
    for (const offer of offers[dialect]) {
      const calm = shareProved(outcomes, offer, 'none');
      const light = shareProved(outcomes, offer, 'light');
      expect(calm, `${offer}, no writers`).toBe(1);
      expect(light, `${offer}, light writers`).toBeGreaterThanOrEqual(0.95);
    }
  });
});

function shareProved(outcomes: readonly Outcome[], offer: Offer, rate: ScheduleSettings['rate']): number {
  const members = outcomes.filter(({ settings }) => settings.rate === rate && offerOf(settings) === offer);
  expect(members.length, `${offer}, ${rate}`).toBeGreaterThan(5);
  return members.filter(({ end }) => end === 'proved').length / members.length;
}

describe('a collection that nobody touches is proved whole', () => {
  const offers: Record<string, ScheduleSettings> = {
    'A with a filter': calmSettings('A'),
    'A with a filter that includes the bound': calmSettings('A', {
      filters: { $gt: 'refused', $gte: 'honoured' },
    }),
    'A without a filter': calmSettings('A', { filters: { $gt: 'ignored', $gte: 'literal' } }),
    'A, one document an answer': calmSettings('A', {
      clamp: 1,
      filters: { $gt: 'honoured', $gte: 'literal' },
    }),
    'A, sorted by time only': calmSettings('A', { keys: 'mixed', shape: 'flat' }),
    'B, newest first': calmSettings('B'),
    'B, oldest first': calmSettings('B', { ownOrder: 'oldest' }),
    'B, oldest first, all at one time': calmSettings('B', { ownOrder: 'oldest', callSize: 1000 }),
    'B, calls larger than a page, ties as the window has it': calmSettings('B', {
      callSize: 7,
      ties: 'by window',
    }),
    'B, times to the second': calmSettings('B', { age: 20_000, timeFormat: 'seconds', ties: 'shuffled' }),
    'B, in an order that says nothing': calmSettings('B', { ownOrder: 'by key', timelessShare: 1 }),
    'B, two documents an answer': calmSettings('B', { clamp: 2 }),
  };

  it.each(Object.entries(offers))('%s', async (_, settings) => {
    for (const documents of [0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 15, 20, 24, 25, 26]) {
      const outcome = await runSchedule({ ...settings, documents }, scanReader, tmpdir());
      expect(outcome, `${documents} documents`).toMatchObject({ violation: null, end: 'proved', lost: 0 });
    }
  });
});

describe('a scan ends though documents keep coming', () => {
  const endless: Partial<ScheduleSettings> = { documents: 1001, limitMax: 100, operations: ['insert'] };

  for (const dialect of ['A', 'B'] as const) {
    for (const ownOrder of ['newest', 'oldest', 'physical'] as const) {
      for (const sorts of dialect === 'A' ? ([['key', 'created_at'], ['created_at'], []] as const) : [[]]) {
        for (const writesPerRequest of [1, 3, 30]) {
          const name = `${dialect}, ${ownOrder} first, sorts by ${sorts.join(' and ') || 'nothing'}, ${writesPerRequest} a request`;
          it(name, async () => {
            const settings = calmSettings(dialect, { ...endless, ownOrder, sorts, writesPerRequest });
            const outcome = await runSchedule(settings, scanReader, tmpdir());
            expect(outcome.violation).toBeNull();
            expect(outcome.lost).toBe(0);
          });
        }
      }
    }
  }
});
