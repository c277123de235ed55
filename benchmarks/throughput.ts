import { median, showRatio } from './figures.ts';
import { TestBed } from './processes.ts';
import type { ToolResult } from './tool.ts';

const DOCUMENT_BYTES = 950;
const LEVELS = { gzip: 6, zstd: 3 } as const;
const FLOORS = { gzip: 0.7, zstd: 0.3 } as const;

/** Whole backups against bare compression of the same bytes, and against backups with read-back. */
export async function throughputBenchmark(megabytes = 200, rounds = 3): Promise<void> {
  const count = Math.round((megabytes * 1e6) / DOCUMENT_BYTES);
  const settings = { count, ready: Math.min(count, 130_000), bytes: DOCUMENT_BYTES, shape: 'flat' } as const;
  await using bed = await TestBed.open(settings);
  let stores = 0;
  for (const compression of ['gzip', 'zstd'] as const) {
    const against: number[] = [];
    const readBackCosts: number[] = [];
    const backUp = (readBack: boolean) =>
      bed.tool(`backup-${stores++}`, { operation: 'backup', compression, readBack });
    for (let round = 0; round < rounds; round++) {
      const bare = await bed.compress({ compression, level: LEVELS[compression] });
      const without = await backUp(false);
      const withIt = await backUp(true);
      against.push(rate(without) / (bare.rawSize / bare.seconds));
      readBackCosts.push(withIt.seconds / without.seconds);
    }
    showRatio(`whole backup against bare ${compression}`, median(against), { least: FLOORS[compression] });
    showRatio(`seconds with read-back against without, ${compression}`, median(readBackCosts), {});
  }
}

function rate({ rawSize, seconds }: ToolResult): number {
  return rawSize / seconds;
}
