import type { Period, RetentionRule } from '../model/retention-policy.ts';

/** Which backups stay, and why: a pure function of what there is, a policy and the time (design.md §8). */

export interface RetainedBackup {
  readonly backupId: string;
  readonly collection: string;
  /** Host and project: collections of one name in two projects are two. */
  readonly source: string;
  readonly backupType: 'full' | 'incremental';
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Completed, without an open anomaly, and no later verification failed. */
  readonly good: boolean;
  readonly baseBackupId: string | null;
  readonly pinned: boolean;
}

/** What a cleanup is asked to do. */
export interface RetentionPolicy {
  readonly rules: readonly RetentionRule[];
  /** Days that incremental and incomplete backups stay: 7. */
  readonly shortLivedDays?: number;
  /** Nothing that is not older goes, whatever the rules. */
  readonly daysAsked?: number;
  /** Ids of backups that stay, and why. */
  readonly spared?: ReadonlyMap<string, string>;
}

export const SHORT_LIVED_DAYS = 7;

export interface RetentionDecision {
  readonly backup: RetainedBackup;
  readonly keep: boolean;
  /** Why it stays; of one that goes why nothing keeps it. */
  readonly reasons: readonly string[];
  /** Calendar days, UTC. */
  readonly ageDays: number;
}

/**
 * Decides for every backup, collection by collection; in the order in which they were given.
 * @param frozen collections of which nothing is removed, and why
 */
export function decideRetention(
  backups: readonly RetainedBackup[],
  policy: RetentionPolicy,
  now: number,
  frozen: ReadonlyMap<string, string> = new Map(),
): RetentionDecision[] {
  const reasons = new Map(backups.map((backup) => [backup, [] as string[]]));
  const { shortLivedDays = SHORT_LIVED_DAYS, daysAsked, spared } = policy;
  for (const ofCollection of Map.groupBy(backups, collectionOf).values()) {
    keepGoodFulls(ofCollection, policy.rules, now, reasons);
    keepOthers(ofCollection, shortLivedDays, now, reasons);
  }
  for (const backup of backups) {
    const why = reasons.get(backup)!;
    const frost = frozen.get(collectionOf(backup));
    if (frost !== undefined) why.push(frost);
    const mercy = spared?.get(backup.backupId);
    if (why.length > 0) continue;
    if (mercy !== undefined) why.push(mercy);
    else if (daysAsked !== undefined && ageInDays(backup, now) <= daysAsked) {
      why.push(`not older than ${days(daysAsked)}, as asked`);
    }
  }
  // last, when it is known what stays
  keepBases(backups, reasons);
  return backups.map((backup) => {
    const why = reasons.get(backup)!;
    const keep = why.length > 0;
    return {
      backup,
      keep,
      reasons: keep ? why : [whyGone(backup, shortLivedDays)],
      ageDays: ageInDays(backup, now),
    };
  });
}

/** What tells collections apart. */
export function collectionOf({ source, collection }: Pick<RetainedBackup, 'source' | 'collection'>): string {
  return `${source} ${collection}`;
}

type Reasons = ReadonlyMap<RetainedBackup, string[]>;

function keepGoodFulls(
  backups: readonly RetainedBackup[],
  rules: readonly RetentionRule[],
  now: number,
  reasons: Reasons,
): void {
  const fulls = backups
    .filter(({ backupType, good }) => backupType === 'full' && good)
    .toSorted((a, b) => a.createdAt - b.createdAt);
  const newest = fulls.at(-1);
  if (newest !== undefined) reasons.get(newest)!.push('newest good full backup');
  for (const rule of rules) {
    for (const [backup, reason] of keptByRule(fulls, rule, now)) reasons.get(backup)!.push(reason);
  }
}

/** @param fulls oldest first */
function* keptByRule(
  fulls: readonly RetainedBackup[],
  rule: RetentionRule,
  now: number,
): Generator<[RetainedBackup, string]> {
  switch (rule.kind) {
    case 'within':
      for (const full of fulls) {
        if (ageInDays(full, now) <= rule.days) yield [full, `not older than ${days(rule.days)}`];
      }
      return;
    case 'last':
      for (const full of fulls.slice(-rule.count)) yield [full, `one of the newest ${rule.count}`];
      return;
    case 'first-of': {
      const periods = [...Map.groupBy(fulls, ({ createdAt }) => periodOf(createdAt, rule.period))];
      const counted = 'count' in rule ? periods.slice(-rule.count) : periods;
      for (const [period, [first]] of counted) {
        if ('within' in rule && ageInDays(first!, now) > rule.within) continue;
        yield [first!, `first of ${rule.period} ${period}`];
      }
    }
  }
}

/** Incremental ones, and those that are not good. */
function keepOthers(
  backups: readonly RetainedBackup[],
  shortLivedDays: number,
  now: number,
  reasons: Reasons,
): void {
  const fulls = backups.filter(({ backupType }) => backupType === 'full');
  const newest = fulls.reduce<RetainedBackup | null>(
    (found, full) => (found === null || full.createdAt > found.createdAt ? full : found),
    null,
  );
  if (newest !== null && !newest.good) {
    reasons.get(newest)!.push('incomplete, and no good full backup has followed');
  }
  for (const backup of backups) {
    const why = reasons.get(backup)!;
    const isShortLived = backup.backupType === 'incremental' || !backup.good;
    if (isShortLived && ageInDays(backup, now) <= shortLivedDays) {
      why.push(`${kindOf(backup)}, not older than ${days(shortLivedDays)}`);
    }
    if (backup.pinned) why.push('pinned');
  }
}

function keepBases(backups: readonly RetainedBackup[], reasons: Reasons): void {
  const byId = new Map(backups.map((backup) => [backup.backupId, backup]));
  for (const backup of backups) {
    if (backup.baseBackupId === null || reasons.get(backup)!.length === 0) continue;
    const base = byId.get(backup.baseBackupId);
    if (base !== undefined) reasons.get(base)!.push(`base of ${backup.backupId}`);
  }
}

function whyGone(backup: RetainedBackup, shortLivedDays: number): string {
  const isShortLived = backup.backupType === 'incremental' || !backup.good;
  return isShortLived ? `${kindOf(backup)}, older than ${days(shortLivedDays)}` : 'no rule keeps it';
}

function kindOf({ backupType, good }: RetainedBackup): string {
  return good ? backupType : 'incomplete or damaged';
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Difference of the calendar dates, UTC. */
function ageInDays({ createdAt }: RetainedBackup, now: number): number {
  return Math.floor(now / DAY_MS) - Math.floor(createdAt / DAY_MS);
}

/** Names of periods; UTC, weeks by ISO 8601. */
function periodOf(time: number, period: Period): string {
  const iso = new Date(time).toISOString();
  switch (period) {
    case 'day':
      return iso.slice(0, 10);
    case 'week':
      return isoWeek(time);
    case 'month':
      return iso.slice(0, 7);
    case 'year':
      return iso.slice(0, 4);
  }
}

/** `2026-W01`: the week belongs to the year that its Thursday is in. */
function isoWeek(time: number): string {
  const day = Math.floor(time / DAY_MS);
  const thursday = day - ((day + 3) % 7) + 3; // 1 January 1970 was one
  const year = new Date(thursday * DAY_MS).getUTCFullYear();
  const firstDay = Date.UTC(year, 0, 1) / DAY_MS;
  return `${year}-W${String(Math.floor((thursday - firstDay) / 7) + 1).padStart(2, '0')}`;
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`;
}
