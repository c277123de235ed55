import { Scan, ScanMustRestart } from '../../src/sources/scan/scan.ts';
import type { PageQuery } from '../../src/sources/source.ts';
import { codec, type Reader } from './schedule.ts';

export const scanReader: Reader = async function* (server, { scratch, withoutKeyset }) {
  const platform = { clock: server.clock, codec };
  try {
    const scan = await Scan.open(server, { platform, scratch, withoutKeyset });
    yield* scan.batches();
    return scan.finding;
  } catch (thrown) {
    if (thrown instanceof ScanMustRestart) return 'restart';
    throw thrown;
  }
};

/** What tools commonly do: pages by offset until one is empty, sorted by time of creation where that can be asked for. */
export const plainOffsetPaging: Reader = async function* (server) {
  const { traits } = server;
  const sort: Partial<PageQuery> = traits.sortFields.includes('created_at')
    ? { sort: { field: 'created_at', direction: 'asc' } }
    : {};
  for (let offset = 0; ; ) {
    const page = await server.page({ limit: traits.limitMax, offset, ...sort });
    if (page.spans.count === 0) return { proved: true, way: 'none needed', missing: [] };
    offset += page.spans.count;
    yield page;
  }
};
