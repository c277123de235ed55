import { expect, test } from 'vitest';
import { backup } from '../../src/operations/backup.ts';
import { createPlatform } from '../../src/platform/platform.ts';
import { createFastClock } from '../support/fast-clock.ts';
import { Project, REQUEST, SETTINGS } from '../support/project.ts';

const LIMIT = 60;
const COLLECTIONS = ['users', 'events', 'rsvps', 'posts'];

test.each(['seconds', 'date', 'missing', { verbatim: '-5' }] as const)(
  'S08: a limit of 60 requests a minute, told by a Retry-After that is %j, is kept without hammering',
  { timeout: 120_000 },
  async (retryAfter) => {
    const clock = createFastClock(60);
    await using project = await Project.open(SETTINGS[0], { clock });
    const { sandbox } = project;
    for (const collection of COLLECTIONS) {
      for (let at = 0; at < 400; at++) sandbox.insert(collection, `{"id":"${collection}${at}"}`);
    }
    const tool = await project.openTool({ ...createPlatform(), clock });
    sandbox.misbehave({ rateLimit: { requests: LIMIT, retryAfter }, pageClamp: 10 });
    const arrivals: number[] = [];
    sandbox.beforeRequest(() => arrivals.push(clock.monotonic()));
    const report = await backup(tool.repository, tool.target, { ...REQUEST, collections: COLLECTIONS });
    expect(report.exit_code).toBe(0);
    expect(report.backups.map(({ document_count }) => document_count)).toEqual([400, 400, 400, 400]);

    const minutes = (arrivals.at(-1)! - arrivals[0]!) / 60_000;
    expect(arrivals.length).toBeGreaterThan(2 * LIMIT);
    expect(arrivals.length).toBeLessThanOrEqual(1.05 * LIMIT * (minutes + 1));
    const known = arrivals.filter((time) => time > arrivals[0]! + 60_000);
    const inMinuteFrom = (from: number) =>
      known.filter((time) => time >= from && time < from + 60_000).length;
    expect(Math.max(...known.map(inMinuteFrom))).toBeLessThanOrEqual(1.05 * LIMIT);
  },
);
