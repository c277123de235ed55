import { join } from 'node:path';
import { readManifest } from '../src/catalog/catalog.ts';
import { openStore } from '../src/drivers.ts';
import { readSelected } from '../src/operations/selected-reading.ts';
import { createPlatform } from '../src/platform/platform.ts';
import { openRepository, openScratch, type Repository } from '../src/repository.ts';
import { Documents } from './documents.ts';
import { showMebibytes } from './figures.ts';
import { TestBed } from './processes.ts';

const READY = 130_000;
const MEBIBYTES_MAX = 2;

/** Bytes read from the store, counted at its port, for one document out of a backup of this size. */
export async function selectionBenchmark(megabytes = 1000, bytes = 950): Promise<void> {
  const count = Math.round((megabytes * 1e6) / bytes);
  const settings = { count, ready: Math.min(count, READY), bytes, shape: 'flat' } as const;
  await using bed = await TestBed.open(settings);
  const documents = new Documents(settings);
  for (const compression of ['gzip', 'zstd'] as const) {
    const made = await bed.tool(compression, { operation: 'backup', compression, readBack: false });
    let most = 0;
    for (const position of [0, Math.floor(count / 3), count - 1])
      most = Math.max(most, await bytesFor(bed, compression, made.backupId, idAt(documents, position)));
    const file = `${Math.round(made.fileSize / 1e6)} MB stored`;
    showMebibytes(`one document of ${count}, ${compression}, ${file}`, most / 2 ** 20, MEBIBYTES_MAX);
  }
}

function idAt(documents: Documents, position: number): string {
  const text = Buffer.concat(documents.pieces(position, position + 1)).toString();
  return (JSON.parse(text) as { id: string }).id;
}

async function bytesFor(bed: TestBed, directory: string, backupId: string, id: string): Promise<number> {
  const platform = createPlatform();
  const store = await openStore(platform, join(bed.directory, directory, 'store'));
  let read = 0;
  const counting: Repository['store'] = {
    label: store.label,
    traits: store.traits,
    async *get(key, range, signal) {
      for await (const piece of store.get(key, range, signal)) {
        read += piece.length;
        yield piece;
      }
    },
    size: (key, signal) => store.size(key, signal),
    list: (prefix, signal) => store.list(prefix, signal),
    put: (key, pieces, signal) => store.put(key, pieces, signal),
    remove: (key, signal) => store.remove(key, signal),
    freeBytes: (signal) => store.freeBytes(signal),
    close: () => store.close(),
  };
  const repository = openRepository(platform, counting, join(bed.directory, directory, 'state'));
  const manifest = await readManifest(repository, backupId);
  const selected = await readSelected(repository, await openScratch(repository), manifest, [id], () => {});
  for await (const batch of selected.batches()) {
    if (batch.spans.count !== 1) throw new Error('not one document');
  }
  if (selected.documents !== 1 || selected.warnings.length > 0)
    throw new Error(`document ${id} was not found`);
  return read;
}
