/**
 * Runs schedules and prints how they ended:
 *
 *     node test/support/schedule-run.ts [--dialect A|B] [--seeds N] [--seed FIRST] [--reader scan|offset]
 *                                        [--defect NAME] [--until-violation] [--show]
 *
 * A schedule that breaks the promise is printed with the command that runs it alone.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { changesNamed, plant } from './planted-changes.ts';
import { type Outcome, runSchedule } from './schedule.ts';
import { offerOf } from './schedule-classes.ts';
import { DEFECTS } from './schedule-defects.ts';
import { drawSettings } from './schedule-settings.ts';

const { values } = parseArgs({
  options: {
    dialect: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    reader: { type: 'string', default: 'scan' },
    defect: { type: 'string' },
    'until-violation': { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
  },
});
if (values.defect !== undefined) {
  const lists = Object.entries(DEFECTS).map(([name, defect]) => [name, [defect]] as const);
  plant(changesNamed(Object.fromEntries(lists), values.defect));
}
// only now, since the scan that it loads may have a defect
const { plainOffsetPaging, scanReader } = await import('./schedule-readers.ts');
const read = values.reader === 'offset' ? plainOffsetPaging : scanReader;
let anyViolation = false;
const first = Number(values.seed);
for (const dialect of ['A', 'B'] as const) {
  if (values.dialect !== undefined && values.dialect !== dialect) continue;
  const outcomes: Outcome[] = [];
  const started = performance.now();
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const outcome = await runSchedule(drawSettings(dialect, seed), read, tmpdir());
    outcomes.push(outcome);
    if (values.show) console.log(outcome);
    if (outcome.violation === null) continue;
    anyViolation = true;
    if (values['until-violation']) break;
    console.log(
      `${outcome.violation}\n    node test/support/schedule-run.ts --show --seeds 1 --dialect ${dialect} --seed ${seed}`,
    );
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const violations = outcomes.filter(({ violation }) => violation !== null).length;
  console.log(`\ndialect ${dialect}: ${outcomes.length} schedules in ${seconds} s, ${violations} violations`);
  printTable('way and end', outcomes, ({ way, end }) => `${way}, ${end}`);
  printProved(
    'proved by offer and rate',
    outcomes,
    ({ settings }) => `${offerOf(settings)}, ${settings.rate}`,
  );
  const requests = outcomes.reduce((sum, outcome) => sum + outcome.requests, 0);
  const ideal = outcomes.reduce((sum, outcome) => sum + outcome.idealRequests, 0);
  console.log(`requests: ${requests}, ${(requests / ideal).toFixed(2)} times the ideal number`);
  const operations = new Map<string, number>();
  for (const outcome of outcomes) {
    for (const [operation, times] of outcome.operations) {
      operations.set(operation, (operations.get(operation) ?? 0) + times);
    }
  }
  console.log('operations of writers:', Object.fromEntries(operations));
  if (anyViolation) process.exitCode = 1;
}

function printTable(title: string, outcomes: readonly Outcome[], name: (outcome: Outcome) => string): void {
  console.log(`${title}:`);
  for (const [group, members] of grouped(outcomes, name)) console.log(`  ${group}: ${members.length}`);
}

function printProved(title: string, outcomes: readonly Outcome[], name: (outcome: Outcome) => string): void {
  console.log(`${title}:`);
  for (const [group, members] of grouped(outcomes, name)) {
    const proved = members.filter(({ end }) => end === 'proved').length;
    const seeds = members
      .filter(({ end }) => end !== 'proved')
      .slice(0, 5)
      .map(({ settings }) => settings.seed);
    const share = ((100 * proved) / members.length).toFixed(1);
    console.log(`  ${group}: ${proved} of ${members.length} (${share} %); not: ${seeds.join(' ')}`);
  }
}

function grouped(outcomes: readonly Outcome[], name: (outcome: Outcome) => string): [string, Outcome[]][] {
  const groups = Map.groupBy(outcomes, name);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}
