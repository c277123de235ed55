import { PORT_METHODS } from './faults.ts';
import type { Life } from './life.ts';

/** Whether many worlds had enough of everything in them. */
export class Distribution {
  violations = 0;
  readonly #stepsOfLives: number[] = [];
  readonly #steps = new Map<string, number>();
  readonly #tally = new Map<string, number>();

  add({ violation, steps, tally }: Life): void {
    if (violation !== null) this.violations++;
    let sum = 0;
    for (const [names, count] of steps) {
      sum += count;
      for (const name of names.split(' + ')) this.#steps.set(name, (this.#steps.get(name) ?? 0) + count);
    }
    this.#stepsOfLives.push(sum);
    for (const [name, count] of tally) this.#tally.set(name, (this.#tally.get(name) ?? 0) + count);
  }

  print(seconds: number): void {
    const sorted = this.#stepsOfLives.toSorted((a, b) => a - b);
    const total = sorted.reduce((sum, count) => sum + count, 0);
    const rate = (sorted.length / seconds).toFixed(1);
    console.log(
      `${sorted.length} worlds in ${seconds.toFixed(1)} s (${rate} a second), ${this.violations} violations`,
    );
    console.log(`steps: ${total}; of a world, median ${sorted[sorted.length >> 1]}, most ${sorted.at(-1)}`);
    console.log('share of the steps by operation:');
    for (const [name, count] of [...this.#steps].sort((a, b) => b[1] - a[1])) {
      console.log(`  ${name.padEnd(24)} ${((100 * count) / total).toFixed(1).padStart(5)} %`);
    }
    const pairs = Object.entries(PORT_METHODS).flatMap(([method, kinds]) =>
      kinds.map((kind) => `${method} ${kind}`),
    );
    const hits = pairs.map((pair) => [pair, this.#tally.get(pair) ?? 0] as const).sort((a, b) => a[1] - b[1]);
    const rare = hits.filter(([, count]) => count < 100);
    console.log(
      `kinds of faults at port methods: ${pairs.length}, of which ${rare.length} came less than 100 times`,
    );
    for (const [pair, count] of rare.slice(0, 12)) console.log(`  ${pair}: ${count}`);
  }
}
