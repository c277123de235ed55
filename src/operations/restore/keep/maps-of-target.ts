import type { IdMapPiece } from '../../../archive/layout.ts';
import type { Scratch } from '../../../kernel/sorted-runs.ts';
import type { RestoreRecord } from '../../../model/restore-record.ts';
import type { Repository } from '../../../repository.ts';
import type { SourceIdentity } from '../../../sources/source.ts';
import { readRestoreRecord } from './kept-restores.ts';
import { OURS, SavedIdMaps, savedPieces, TARGETS } from './saved-id-maps.ts';

/** A collection of a server: where keys mean something. */
export interface KeySpace {
  readonly server: Pick<SourceIdentity, 'host' | 'project'>;
  readonly collection: string;
}

/**
 * The id maps of all restores to a collection that say something of documents with keys of `ours` or of the target itself. One that cannot
 * be trusted is left out, with a warning. To be closed.
 */
export async function idMapsOfTarget(
  repository: Repository,
  scratch: Scratch,
  target: KeySpace,
  ours: KeySpace,
  signal: AbortSignal | undefined,
): Promise<SavedIdMaps> {
  const maps = new SavedIdMaps(repository, scratch, signal);
  try {
    const found: { readonly record: RestoreRecord; readonly pieces: readonly IdMapPiece[] }[] = [];
    for (const [restoreId, pieces] of await savedPieces(repository, signal)) {
      const record = await maps.orSkip(restoreId, () => readRestoreRecord(repository, restoreId, signal));
      if (record !== null && isSame(writtenTo(record), target)) found.push({ record, pieces });
    }
    // ids of restores tell seconds apart, and no less
    found.sort((a, b) => (a.record.created_at < b.record.created_at ? -1 : 1));
    for (const { record, pieces } of found) {
      const keys = keysOf(record);
      const keysOfBoth = (isSame(keys, ours) ? OURS : 0) | (isSame(keys, target) ? TARGETS : 0);
      if (keysOfBoth !== 0) await maps.add(record.restore_id, pieces, keysOfBoth);
    }
    return maps;
  } catch (thrown) {
    await maps.close();
    throw thrown;
  }
}

/** Where a restore wrote. */
export function writtenTo({ target, target_collection: collection }: RestoreRecord): KeySpace {
  return { server: target, collection };
}

/** Whose keys the documents had that a restore wrote: what an undo brings back has those of the target. */
function keysOf(record: RestoreRecord): KeySpace {
  const { mode, source, collection } = record;
  return mode === 'undo' ? writtenTo(record) : { server: source, collection };
}

function isSame(a: KeySpace, b: KeySpace): boolean {
  return (
    a.collection === b.collection && a.server.host === b.server.host && a.server.project === b.server.project
  );
}
