import type { Codec } from '../kernel/codec.ts';
import type { Manifest } from '../model/manifest.ts';
import { ENTRY_BYTES, INDEX_PAGE_BYTES, type IndexHeader } from './index-file.ts';
import { indexDamaged, type ReadIndex } from './index-lookup.ts';

const PAGES_AT_ONCE = 16;

/**
 * The entries of all documents in the order of the index, in pieces of whole entries (ENTRY_BYTES), every page of them
 * proved. Throws INDEX_DAMAGED.
 */
export async function* indexEntries(
  codec: Codec,
  read: ReadIndex,
  manifest: Manifest,
  { documents, pageHashes }: IndexHeader,
): AsyncGenerator<Buffer> {
  const { header_size, size } = manifest.index;
  let left = documents * ENTRY_BYTES;
  let rest: Buffer = Buffer.alloc(0);
  const step = PAGES_AT_ONCE * INDEX_PAGE_BYTES;
  for (let start = header_size; left > 0; start += step) {
    const end = Math.min(start + step, size);
    const bytes = await read(start, end);
    if (bytes.length !== end - start) throw indexDamaged(manifest, 'it is cut short');
    const firstPage = (start - header_size) / INDEX_PAGE_BYTES;
    for (let at = 0, page = firstPage; at < bytes.length; at += INDEX_PAGE_BYTES, page++) {
      if (codec.sha256(bytes.subarray(at, at + INDEX_PAGE_BYTES)) !== pageHashes[page]) {
        throw indexDamaged(manifest, `page ${page} is not what was written`);
      }
    }
    const joined = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    const whole = Math.min(left, joined.length - (joined.length % ENTRY_BYTES));
    yield joined.subarray(0, whole);
    left -= whole;
    rest = joined.subarray(whole);
  }
}
