/**
 * Lives through worlds and prints what came of it:
 *
 *     npm run simulate -- [--seeds N] [--seed FIRST] [--defect NAME] [--until-violation] [--trace]
 *
 * A world in which a promise was broken is printed with the command that lives through it alone.
 */
import { parseArgs } from 'node:util';
import { changesNamed, plant } from '../support/planted-changes.ts';
import { DEFECTS } from './defects.ts';
import type { Life } from './life.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    without: { type: 'string', default: '' },
    defect: { type: 'string' },
    'until-violation': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
});
const first = wholeNumber('seed', values.seed, 0);
const seeds = wholeNumber('seeds', values.seeds, 1);
const rounds = values.without.split(',').filter(Boolean);
const without = new Set(rounds.map((round) => wholeNumber('without', round, 0)));
if (values.defect !== undefined) plant(changesNamed(DEFECTS, values.defect));
// only now, since what they load may have a defect
const { live } = await import('./life.ts');
const { drawSettings } = await import('./settings.ts');
const { Distribution } = await import('./distribution.ts');
const { shrink } = await import('./shrink.ts');

const distribution = new Distribution();
const began = performance.now();
const printSummary = (): void => distribution.print((performance.now() - began) / 1000);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    printSummary();
    process.exit(1);
  });
}
for (let seed = first; seed < first + seeds; seed++) {
  const life = await live(drawSettings(seed), { without });
  distribution.add(life);
  if (values.trace) console.log(life.trace.join('\n'));
  if (life.violation === null) continue;
  await explain(life);
  if (values['until-violation']) break;
}
printSummary();
if (distribution.violations > 0) process.exitCode = 1;

/** Ends with 2 where the value of an option is not a whole number of at least `least`. */
function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) return number;
  console.error(`--${option} takes a whole number from ${least} on, not "${text}"`);
  process.exit(2);
}

async function explain(life: Life): Promise<void> {
  const { seed } = life.settings;
  const needless = without.size > 0 ? without : await shrink(life);
  const shorter = await live(drawSettings(seed), { without: needless });
  console.log(`\nseed ${seed}: ${shorter.violation?.stack}`);
  console.log(`operations: ${shorter.operations.join(', ')}`);
  console.log(shorter.trace.map((line) => `    ${line}`).join('\n'));
  const flag = needless.size > 0 ? ` --without ${[...needless].join(',')}` : '';
  console.log(`replay: npm run simulate -- --seeds 1 --seed ${seed}${flag}`);
}
