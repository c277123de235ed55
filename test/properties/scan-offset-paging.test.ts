import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { runSchedule } from '../support/schedule.ts';
import { plainOffsetPaging } from '../support/schedule-readers.ts';
import { drawSettings } from '../support/schedule-settings.ts';

it.each(['A', 'B'] as const)('plain offset paging loses documents of dialect %s', async (dialect) => {
  let schedules = 0;
  let losing = 0;
  for (let seed = 1; seed <= 1000; seed++) {
    const settings = drawSettings(dialect, seed);
    if (settings.rate === 'none') continue;
    const { lost } = await runSchedule(settings, plainOffsetPaging, tmpdir());
    schedules++;
    if (lost > 0) losing++;
  }
  const share = losing / schedules;
  console.log(
    `dialect ${dialect}: plain offset paging loses documents in ${losing} of ${schedules} schedules (${(100 * share).toFixed(1)} %)`,
  );
  expect(share).toBeGreaterThanOrEqual(0.3);
});
