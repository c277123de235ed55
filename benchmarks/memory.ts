import { showMegabytes, showRatio } from './figures.ts';
import { TestBed } from './processes.ts';
import type { ToolResult } from './tool.ts';

const DOCUMENT_BYTES = 950;
const READY = 130_000;
const PEAK_MEGABYTES_MAX = 200;
const GROWTH_MAX = 1.1;
const LARGE_DOCUMENT_BYTES = 100e6;

/** Most memory (VmHWM) of the tool's process alone over two collections of different size; each step a new process. */
export async function memoryBenchmark(small = 1000, large = 4000, withRestore = 1): Promise<void> {
  const peaks: Record<string, number>[] = [];
  for (const megabytes of [small, large]) {
    const count = Math.round((megabytes * 1e6) / DOCUMENT_BYTES);
    await using bed = await TestBed.open({
      count,
      ready: Math.min(count, READY),
      bytes: DOCUMENT_BYTES,
      shape: 'flat',
    });
    peaks.push(await peaksOf(bed, `${megabytes} MB`, PEAK_MEGABYTES_MAX, withRestore === 1));
  }
  for (const [operation, peak] of Object.entries(peaks[1]!)) {
    const name = `peak memory over ${large} MB against ${small} MB, ${operation}`;
    showRatio(name, peak / peaks[0]![operation]!, { most: GROWTH_MAX });
  }
}

/** The same over one document of 100 MB, which an operation holds whole more than once. */
export async function largeDocumentBenchmark(): Promise<void> {
  const settings = { count: 1, ready: 1, bytes: LARGE_DOCUMENT_BYTES, shape: 'flat' } as const;
  await using bed = await TestBed.open(settings);
  await peaksOf(bed, 'one large document', null, true);
}

async function peaksOf(
  bed: TestBed,
  what: string,
  most: number | null,
  withRestore: boolean,
): Promise<Record<string, number>> {
  const peaks: Record<string, number> = {};
  const note = (operation: string, { peakMegabytes, seconds }: ToolResult) => {
    peaks[operation] = peakMegabytes;
    const name = `peak memory, ${operation} of ${what} (${seconds.toFixed(1)} s)`;
    showMegabytes(name, peakMegabytes, most);
  };
  for (const compression of ['zstd', 'gzip'] as const) {
    const made = await bed.tool(compression, { operation: 'backup', compression, readBack: true });
    note(`backup with ${compression}`, made);
    note(`verify of ${compression}`, await bed.tool(compression, { operation: 'verify' }));
    if (!withRestore || compression === 'zstd') continue;
    const { backupId } = made;
    note(
      'restore',
      await bed.tool(compression, { operation: 'restore', backupId, toCollection: 'restored' }),
    );
  }
  return peaks;
}
