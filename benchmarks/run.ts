import { predecessorBenchmark } from './against-predecessor.ts';
import { showRatio } from './figures.ts';
import { largeDocumentBenchmark, memoryBenchmark } from './memory.ts';
import { objectStorageBenchmark } from './object-storage.ts';
import { replaceBenchmark } from './replace.ts';
import { scannerBenchmark } from './scanner.ts';
import { selectionBenchmark } from './selection.ts';
import { throughputBenchmark } from './throughput.ts';

/**
 * `npm run bench [-- name numbers…]`: ratios taken in one run, medians of interleaved rounds, with their floors. Without
 * a name all but the long ones run. docs/benchmarks.md says what each measures and what it printed.
 */
const BENCHMARKS = {
  scanner: async () => {
    for (const { name, ratio, floor } of await scannerBenchmark())
      showRatio(`scanner, ${name}`, ratio, { least: floor });
  },
  throughput: throughputBenchmark,
  predecessor: predecessorBenchmark,
  replace: replaceBenchmark,
  selection: selectionBenchmark,
  memory: memoryBenchmark,
  'large-document': largeDocumentBenchmark,
  'object-storage': objectStorageBenchmark,
} satisfies Record<string, (...numbers: number[]) => Promise<void>>;

type Name = keyof typeof BENCHMARKS;
const BY_DEFAULT: readonly Name[] = ['scanner', 'throughput', 'predecessor'];

const [name, ...numbers] = process.argv.slice(2);
if (name !== undefined && !Object.hasOwn(BENCHMARKS, name)) {
  console.error(`no benchmark ${name}: there are ${Object.keys(BENCHMARKS).join(', ')}`);
  process.exit(2);
}
for (const chosen of name === undefined ? BY_DEFAULT : [name as Name]) {
  await BENCHMARKS[chosen](...numbers.map(Number));
}
