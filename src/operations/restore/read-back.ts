import type { SortedRuns } from '../../kernel/sorted-runs.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Repository } from '../../repository.ts';
import { proveArchive } from '../verified-reading.ts';
import { type Comparison, compareWritten } from './compare.ts';
import { readTarget, type TargetReading } from './reading.ts';
import { ValueComparison } from './values.ts';

export interface ReadBack {
  /** False if the target could not be proved to be read completely: what is missing may be there. */
  readonly complete: boolean;
  readonly sameBytes: number;
  readonly sameValue: number;
  readonly different: readonly string[];
  readonly missing: number;
}

/** Reads the target again and compares what was written; documents with other bytes are compared by value as well. */
export async function readBack(
  repository: Repository,
  manifest: Manifest,
  reading: TargetReading,
  backup: SortedRuns,
  actions: SortedRuns,
  refused: ReadonlySet<string>,
): Promise<ReadBack> {
  const after = { ...reading, phase: 'compare' as const };
  const state = await readTarget(after);
  let found: Comparison;
  try {
    found = await compareWritten(reading.scratch, backup, actions, refused, state.records.runs);
  } finally {
    await state.close();
  }
  const { sameBytes, missing } = found;
  const { complete } = state;
  if (found.different.size === 0) return { complete, sameBytes, missing, sameValue: 0, different: [] };
  const { codec } = repository.platform;
  const values = new ValueComparison(codec, !reading.collection.traits.serverGivenKeys, found.different);
  const again = await readTarget({
    ...after,
    onDocument: (batch, index, shape, hashes) => values.addTarget(batch, index, shape, hashes),
  });
  await again.close();
  const shape = manifest.document_shape;
  await proveArchive(
    repository,
    reading.scratch,
    manifest,
    () => {},
    reading.signal,
    (batch, index, hashes) => values.addBackup(batch, index, shape, hashes),
  );
  return { complete, sameBytes, missing, sameValue: values.sameValue, different: values.different };
}
