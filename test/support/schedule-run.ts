/**
 * Runs schedules and prints how they ended:
 *
 *     node test/support/schedule-run.ts [--dialect A|B] [--seeds N] [--seed FIRST] [--reader scan|offset] [--show]
 *
 * A schedule that breaks the promise is printed with the command that runs it alone.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { type Outcome, runSchedule } from './schedule.ts';
import { plainOffsetPaging, scanReader } from './schedule-readers.ts';
import { drawSettings } from './schedule-settings.ts';

const { values } = parseArgs({
  options: {
    dialect: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string', default: 'scan' },
    show: { type: 'boolean', default: false },
  },
});
const read = values.reader === 'offset' ? plainOffsetPaging : scanReader();
for (const dialect of ['A', 'B'] as const) {
  if (values.dialect !== undefined && values.dialect !== dialect) continue;
  const outcomes: Outcome[] = [];
  const started = performance.now();
  for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.seeds); seed++) {
    const outcome = await runSchedule(drawSettings(dialect, seed), read, tmpdir());
    outcomes.push(outcome);
    if (values.show) console.log(outcome);
  }
  console.log(
    `dialect ${dialect}: ${outcomes.length} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  const violations = outcomes.filter(({ violation }) => violation !== null);
  console.log(`violations: ${violations.length}`);
  for (const { settings, violation } of violations.slice(0, 10)) {
    console.log(`  seed ${settings.seed}: ${violation?.slice(0, 300)}`);
  }
  const tally = new Map<string, number>();
  for (const { way, end } of outcomes) tally.set(`${way}/${end}`, (tally.get(`${way}/${end}`) ?? 0) + 1);
  console.log(Object.fromEntries(tally));
}
