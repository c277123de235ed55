/**
 * Plants each defect in the tool and lives through worlds until one of them notices:
 *
 *     npm run simulate:defects [-- NAME…]
 *
 * Prints how many worlds that took. Ends with 1 if a defect went unnoticed.
 */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { runWorkers } from '../../src/kernel/workers.ts';
import { DEFECTS } from './defects.ts';

const SEEDS = 3000;
const SIMULATE = fileURLToPath(new URL('simulate.ts', import.meta.url));

const given = process.argv.slice(2);
const queue = Object.keys(DEFECTS).filter((name) => given.length === 0 || given.includes(name));
const total = queue.length;
let noticed = 0;

await runWorkers(Math.max(2, availableParallelism()), async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const printed = await simulate(['--seeds', String(SEEDS), '--until-violation', '--defect', name]);
    const found = /^seed (\d+): (.*)/m.exec(printed);
    // what the tool does without the defect as well does not show it
    const isItself = found !== null && /^seed /m.test(await simulate(['--seeds', '1', '--seed', found[1]!]));
    if (found !== null && !isItself) noticed++;
    const outcome =
      found === null || isItself
        ? `NOT NOTICED: ${printed.trim().split('\n').slice(0, 5).join('\n')}`
        : `${found[1]!.padStart(5)}  ${found[2]!.slice(0, 90)}`;
    console.log(`${name.padEnd(56)} ${outcome}`);
  }
});
console.log(`${noticed} of ${total} defects noticed`);
if (noticed < total) process.exitCode = 1;

/** What it prints. */
function simulate(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [SIMULATE, ...args], { maxBuffer: 1 << 26 }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}
