import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideRetention, type RetainedBackup } from '../../../src/catalog/retention.ts';
import { type RetentionRule, SPECIFIED_RULES } from '../../../src/model/retention-policy.ts';

const DAY = 24 * 60 * 60 * 1000;

function full(date: string, more: Partial<RetainedBackup> = {}): RetainedBackup {
  const createdAt = Date.parse(`${date.length === 10 ? `${date}T01:00:00` : date}Z`);
  return {
    backupId: `users_full_${date.replaceAll(/\D/g, '')}`,
    collection: 'users',
    source: 'server',
    backupType: 'full',
    createdAt,
    good: true,
    baseBackupId: null,
    pinned: false,
    ...more,
  };
}

function daily(from: string, count: number): RetainedBackup[] {
  const start = Date.parse(`${from}T00:00:00Z`);
  return Array.from({ length: count }, (_, day) =>
    full(new Date(start + day * DAY).toISOString().slice(0, 10)),
  );
}

function kept(
  backups: readonly RetainedBackup[],
  now: string,
  rules: readonly RetentionRule[] = SPECIFIED_RULES,
  frozen?: ReadonlyMap<string, string>,
): string[] {
  return decideRetention(backups, { rules }, Date.parse(`${now}T12:00:00Z`), frozen)
    .filter(({ keep }) => keep)
    .map(({ backup }) => new Date(backup.createdAt).toISOString().slice(0, 10));
}

describe('the policy of the specification', () => {
  test('keeps of a year of daily fulls the 23 that design.md §8 names', () => {
    const months = ['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12'];
    const december = ['08', '15', '22', '25', '26', '27', '28', '29', '30', '31'];
    expect(kept(daily('2025-01-01', 366), '2026-01-01').sort()).toEqual(
      [
        ...months.map((month) => `2025-${month}-01`),
        ...december.map((day) => `2025-12-${day}`),
        '2026-01-01',
      ].sort(),
    );
  });

  test('keeps the same whether it was applied every day or only at the end', () => {
    let there: RetainedBackup[] = [];
    for (const backup of daily('2024-01-01', 800)) {
      there.push(backup);
      const decisions = decideRetention(there, { rules: SPECIFIED_RULES }, backup.createdAt);
      there = decisions.filter(({ keep }) => keep).map((decision) => decision.backup);
    }
    expect(there.map(({ createdAt }) => new Date(createdAt).toISOString().slice(0, 10))).toEqual(
      kept(daily('2024-01-01', 800), '2026-03-10'),
    );
  });

  test('counts calendar days of UTC, whatever the hour', () => {
    const late = full('2026-01-01T23:59:59');
    expect(
      decideRetention(
        [late, full('2026-01-20')],
        { rules: SPECIFIED_RULES },
        Date.parse('2026-01-09T00:00:01Z'),
      )[0],
    ).toMatchObject({
      ageDays: 8,
    });
  });

  test('takes the first of each week and month, of those that there are', () => {
    // Wednesday to Friday of one week, all beyond a week ago; none of them begins a month
    const backups = [full('2026-01-07'), full('2026-01-08'), full('2026-01-09'), full('2026-01-28')];
    expect(kept(backups, '2026-01-28')).toEqual(['2026-01-07', '2026-01-28']);
    // at an age of 29 days it stays as the first of its month
    expect(kept(backups, '2026-02-05')).toEqual(['2026-01-07', '2026-01-28']);
    expect(kept([full('2026-01-01'), ...backups], '2026-02-05')).toEqual(['2026-01-01', '2026-01-28']);
  });

  test.each([
    ['2021-01-03', '2020-W53'],
    ['2021-01-04', '2021-W01'],
    ['2024-12-30', '2025-W01'],
    ['2026-12-31', '2026-W53'],
    ['2027-01-01', '2026-W53'],
    ['1999-01-01', '1998-W53'],
  ])('%s is in week %s', (date, week) => {
    const rules = [{ kind: 'first-of', period: 'week', count: 1 }] as const;
    const [decision] = decideRetention([full(date)], { rules }, Date.parse(`${date}T12:00:00Z`));
    expect(decision!.reasons).toContain(`first of week ${week}`);
  });
});

describe('what stays whatever the policy', () => {
  test('the newest good full backup of each collection', () => {
    const backups = [full('2020-01-01'), full('2020-01-02'), full('2020-03-01', { collection: 'events' })];
    expect(kept(backups, '2026-01-01')).toEqual(['2020-01-02', '2020-03-01']);
  });

  test('a base of what stays, pinned ones, and their bases', () => {
    const base = full('2025-01-10');
    const other = full('2025-02-10');
    const increment = full('2025-01-12', {
      backupId: 'i',
      backupType: 'incremental',
      baseBackupId: base.backupId,
    });
    const backups = [base, other, increment, full('2025-12-31')];
    expect(kept(backups, '2026-02-28')).toEqual(['2025-12-31']);
    const pinned = [base, other, { ...increment, pinned: true }, full('2025-12-31')];
    expect(kept(pinned, '2027-06-01')).toEqual(['2025-01-10', '2025-01-12', '2025-12-31']);
  });

  test('everything of a collection that is frozen', () => {
    const frozen = new Map([['server users', 'an anomaly was not acknowledged']]);
    const backups = [
      ...daily('2020-01-01', 10),
      full('2020-01-01', { collection: 'events' }),
      full('2020-02-01', { collection: 'events' }),
    ];
    expect(kept(backups, '2026-01-01', SPECIFIED_RULES, frozen)).toHaveLength(11);
  });
});

describe('days that are asked for', () => {
  const base = full('2026-01-01');
  const increment = full('2026-01-06', {
    backupId: 'i',
    backupType: 'incremental',
    baseBackupId: base.backupId,
  });
  const backups = [base, increment, full('2026-01-30')];
  const now = Date.parse('2026-02-03T12:00:00Z');
  const rules = [{ kind: 'last', count: 1 }] as const;

  test('keep the base of what they keep', () => {
    const decisions = decideRetention(backups, { rules, daysAsked: 30 }, now);
    expect(decisions.map(({ keep }) => keep)).toEqual([true, true, true]);
    expect(decisions[0]!.reasons).toEqual(['base of i']);
  });

  test('may shorten the life of incremental ones as well', () => {
    const recent = full('2026-01-31', {
      backupId: 'r',
      backupType: 'incremental',
      baseBackupId: base.backupId,
    });
    const policy = { rules: [{ kind: 'within', days: 1 }] as const, shortLivedDays: 1, daysAsked: 1 };
    const decisions = decideRetention([base, recent, full('2026-02-03')], policy, now);
    expect(decisions.map(({ keep }) => keep)).toEqual([false, false, true]);
  });
});

test('collections of one name in two projects are two', () => {
  const backups = [full('2020-01-01', { source: 'one' }), full('2021-01-01', { source: 'two' })];
  expect(kept(backups, '2026-01-01')).toHaveLength(2);
});

describe('incremental and incomplete backups', () => {
  test('stay a week; the base of one that stays does so too', () => {
    const base = full('2026-01-10');
    const on = (date: string) =>
      full(date, { backupType: 'incremental', backupId: date, baseBackupId: base.backupId });
    const backups = [full('2026-01-09'), base, on('2026-01-14'), on('2026-01-17'), full('2026-01-24')];
    const now = Date.parse('2026-01-24T12:00:00Z');
    const decisions = decideRetention(backups, { rules: [{ kind: 'last', count: 1 }] }, now);
    expect(decisions.map(({ keep }) => keep)).toEqual([false, true, false, true, true]);
    expect(decisions[1]!.reasons).toEqual(['base of 2026-01-17']);
  });

  test('an incomplete one never displaces a good one, and stays until one follows', () => {
    const incomplete = full('2026-03-01', { good: false });
    expect(kept([full('2026-02-01'), incomplete], '2026-06-01')).toEqual(['2026-02-01', '2026-03-01']);
    expect(kept([full('2026-02-01'), incomplete, full('2026-03-02')], '2026-06-01')).toEqual([
      '2026-02-01',
      '2026-03-02',
    ]);
  });
});

test('rules of one kind count what there is', () => {
  const backups = daily('2025-01-01', 400);
  const now = '2026-02-04';
  expect(kept(backups, now, [{ kind: 'last', count: 3 }])).toEqual([
    '2026-02-02',
    '2026-02-03',
    '2026-02-04',
  ]);
  expect(kept(backups, now, [{ kind: 'first-of', period: 'year', count: 5 }])).toEqual([
    '2025-01-01',
    '2026-01-01',
    '2026-02-04',
  ]);
  expect(kept(backups, now, [{ kind: 'first-of', period: 'month', count: 2 }])).toEqual([
    '2026-01-01',
    '2026-02-01',
    '2026-02-04',
  ]);
  expect(kept(backups, now, [{ kind: 'first-of', period: 'day', count: 2 }])).toEqual([
    '2026-02-03',
    '2026-02-04',
  ]);
});

test('laws: a good full stays for every collection that had one, bases stay, more rules never keep less', () => {
  const backup = fc.record({
    collection: fc.constantFrom('a', 'b'),
    source: fc.constant('server'),
    backupType: fc.constantFrom('full' as const, 'incremental' as const),
    createdAt: fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2026, 0, 1) }),
    good: fc.boolean(),
    base: fc.nat(20),
    pinned: fc.boolean(),
  });
  const property = fc.property(fc.array(backup, { maxLength: 40 }), (drafts) => {
    const backups = drafts.map(({ base, ...draft }, index): RetainedBackup => {
      const on = drafts[base];
      const fits =
        draft.backupType === 'incremental' && on?.backupType === 'full' && on.collection === draft.collection;
      return { ...draft, backupId: `${index}`, baseBackupId: fits ? `${base}` : null };
    });
    const now = Date.UTC(2026, 0, 2);
    const decisions = decideRetention(backups, { rules: SPECIFIED_RULES }, now);
    const stays = new Set(decisions.filter(({ keep }) => keep).map((one) => one.backup.backupId));
    for (const one of backups) {
      if (one.pinned) expect(stays).toContain(one.backupId);
      if (one.baseBackupId !== null && stays.has(one.backupId)) expect(stays).toContain(one.baseBackupId);
      if (one.good && one.backupType === 'full') {
        const left = backups.filter(
          (other) => other.collection === one.collection && other.good && other.backupType === 'full',
        );
        expect(left.some(({ backupId }) => stays.has(backupId))).toBe(true);
      }
    }
    const fewer = decideRetention(backups, { rules: SPECIFIED_RULES.slice(1) }, now);
    for (const { backup: one, keep } of fewer) if (keep) expect(stays).toContain(one.backupId);
    for (const { reasons } of decisions) expect(reasons.length).toBeGreaterThan(0);
  });
  fc.assert(property, { numRuns: 300 });
});
