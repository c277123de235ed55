import { exitOf, type RestoreCounts, type RestoreReport } from '../../model/report.ts';
import { differences, mendings } from './findings.ts';
import type { Written } from './write/rounds.ts';

export const NO_COUNTS: RestoreCounts = {
  created: 0,
  replaced: 0,
  recreated: 0,
  same: 0,
  extra: 0,
  deleted: 0,
  changed: 0,
  ambiguous: 0,
  unaddressable: 0,
  refused: 0,
  different: 0,
};

/** Counts that are being made. */
export type Tally = { -readonly [Name in keyof RestoreCounts]: RestoreCounts[Name] };

/**
 * What a restore has to say after it was carried out.
 *
 * @param written null if there was nothing to write
 */
export function writtenReport(
  planned: RestoreReport,
  restoreId: string | null,
  written: Written | null,
  spentMs: number,
): RestoreReport {
  const report = {
    ...planned,
    stage: 'applied' as const,
    ...(restoreId !== null && { restore_id: restoreId }),
    duration_ms: planned.duration_ms + spentMs,
  };
  if (written === null) return { ...report, read_back: { same_bytes: 0, same_value: 0, different: 0 } };
  const { target_collection: collection, counts } = planned;
  const errors = [...planned.errors, ...written.errors, ...differences(written, collection)];
  const exits = errors.map(exitOf);
  const { sameBytes, sameValue, keptByOthers, undeleted } = written;
  const different = written.different + written.missing + written.unanswered + keptByOthers + undeleted;
  return {
    ...report,
    exit_code: exits.includes(4) ? 4 : exits.length > 0 ? 3 : 0,
    counts: {
      ...counts,
      created: written.created,
      replaced: written.replaced,
      recreated: written.recreated,
      deleted: written.deleted,
      changed: counts.changed + written.changed,
      ambiguous: counts.ambiguous + written.taken,
      refused: written.refused,
      different,
    },
    read_back: { same_bytes: sameBytes, same_value: sameValue, different },
    warnings: [...planned.warnings, ...mendings(written, collection)],
    errors,
  };
}
