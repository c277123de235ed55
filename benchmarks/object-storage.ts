import { fork } from 'node:child_process';
import { join } from 'node:path';
import { showMegabytes, showRatio } from './figures.ts';
import { messageOf, TestBed } from './processes.ts';
import type { ObjectServer, ToolResult } from './tool.ts';

const DOCUMENT_BYTES = 950;
const READY = 130_000;
const PEAK_MEGABYTES_MAX = 200;
const GROWTH_MAX = 1.1;

/** Most memory (VmHWM) of the tool's process alone over two sizes of JSON, with the archive in an Object Storage. */
export async function objectStorageBenchmark(small = 600, large = 6300): Promise<void> {
  const peaks: number[][] = [];
  for (const megabytes of [small, large]) {
    const count = Math.round((megabytes * 1e6) / DOCUMENT_BYTES);
    const settings = { count, ready: Math.min(count, READY), bytes: DOCUMENT_BYTES, shape: 'flat' } as const;
    await using bed = await TestBed.open(settings);
    const server = fork(new URL('object-server.ts', import.meta.url), [join(bed.directory, 'objects')]);
    try {
      const objectServer = await messageOf<ObjectServer>(server);
      const made = await bed.tool('objects-tool', {
        operation: 'backup',
        compression: 'gzip',
        readBack: true,
        objectServer,
      });
      const archive = `${(made.fileSize / 1e6).toFixed(0)} MB`;
      show(`backup, archive of ${archive}`, made);
      const verified = await bed.tool('objects-tool', { operation: 'verify', objectServer });
      show(`verify, archive of ${archive}`, verified);
      peaks.push([made.peakMegabytes, verified.peakMegabytes]);
    } finally {
      server.kill();
    }
  }
  for (const [index, operation] of ['backup', 'verify'].entries()) {
    const name = `peak memory over ${large} MB against ${small} MB, ${operation}`;
    showRatio(name, peaks[1]![index]! / peaks[0]![index]!, { most: GROWTH_MAX });
  }
}

function show(what: string, { peakMegabytes, seconds }: ToolResult): void {
  showMegabytes(`peak memory, ${what} (${seconds.toFixed(1)} s)`, peakMegabytes, PEAK_MEGABYTES_MAX);
}
