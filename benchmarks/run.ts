import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DocumentSettings } from './documents.ts';
import type { RawResult } from './raw-compression.ts';
import { scannerBenchmark } from './scanner.ts';
import type { ToolResult, ToolTask } from './tool.ts';

/**
 * `npm run bench [-- megabytes rounds]`: ratios taken in one run, medians of interleaved rounds, with their floors. The
 * tool, the server of ready-made pages and the bare compressor are processes of their own. What is measured, and what
 * is not yet, stands in docs/benchmarks.md.
 */
const DOCUMENT_BYTES = 950;
const [megabytes = 200, rounds = 3] = process.argv.slice(2).map(Number);
const count = Math.round((megabytes * 1e6) / DOCUMENT_BYTES);
const settings: DocumentSettings = {
  count,
  ready: Math.min(count, 130_000),
  bytes: DOCUMENT_BYTES,
  shape: 'flat',
};
const LEVELS = { gzip: 6, zstd: 3 } as const;
const FLOORS = { gzip: 0.7, zstd: 0.3 } as const;

const directory = await mkdtemp(join(tmpdir(), 'zerodb-backup-bench-'));
const server = start('page-server.ts', [JSON.stringify(settings)]);
const [port] = (await once(server, 'message')) as [number];
const raw = start('raw-compression.ts', [JSON.stringify(settings)]);
await once(raw, 'message');
try {
  for (const { name, ratio, floor } of await scannerBenchmark()) show(`scanner, ${name}`, ratio, floor);
  let stores = 0;
  const backUp = (compression: 'gzip' | 'zstd', readBack: boolean) =>
    runTool({ operation: 'backup', compression, readBack, ...place(`backup-${stores++}`) });
  for (const compression of ['gzip', 'zstd'] as const) {
    const against: number[] = [];
    const readBackCosts: number[] = [];
    for (let round = 0; round < rounds; round++) {
      raw.send({ compression, level: LEVELS[compression] });
      const [bare] = (await once(raw, 'message')) as [RawResult];
      const without = await backUp(compression, false);
      const withIt = await backUp(compression, true);
      against.push(rate(without) / (bare.rawSize / bare.seconds));
      readBackCosts.push(withIt.seconds / without.seconds);
    }
    show(`whole backup against bare ${compression} of the same bytes`, median(against), FLOORS[compression]);
    show(`seconds with read-back against without, ${compression}`, median(readBackCosts), null);
  }
  const where = place('memory');
  const made = await runTool({ operation: 'backup', compression: 'gzip', readBack: true, ...where });
  const verified = await runTool({ operation: 'verify', ...where });
  const task = { backupId: made.backupId, toCollection: 'restored' };
  const restored = await runTool({ operation: 'restore', ...task, ...where });
  for (const [name, { peakMegabytes }] of Object.entries({
    backup: made,
    verify: verified,
    restore: restored,
  })) {
    console.log(
      `${`peak memory, ${name} of ${megabytes} MB`.padEnd(60)} ${peakMegabytes.toFixed(0)} MB (at most 200)`,
    );
  }
} finally {
  server.kill();
  raw.kill();
  await rm(directory, { recursive: true, force: true });
}

function start(file: string, parameters: string[] = []): ChildProcess {
  return fork(new URL(file, import.meta.url), parameters);
}

function place(name: string): { url: string; directory: string } {
  return { url: `http://127.0.0.1:${port}`, directory: join(directory, name) };
}

async function runTool(task: ToolTask): Promise<ToolResult> {
  const tool = start('tool.ts');
  tool.send(task);
  const [result] = (await once(tool, 'message')) as [ToolResult];
  return result;
}

function rate({ rawSize, seconds }: ToolResult): number {
  return rawSize / seconds;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function show(name: string, ratio: number, floor: number | null): void {
  const verdict = floor === null ? '' : ` (floor ${floor}${ratio < floor ? ', MISSED' : ''})`;
  console.log(`${name.padEnd(60)} ${ratio.toFixed(2)} ×${verdict}`);
}
