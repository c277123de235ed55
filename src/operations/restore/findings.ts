import { BackupError } from '../../kernel/errors.ts';
import type { Manifest } from '../../model/manifest.ts';
import { type ReportedError, type ReportedWarning, reportError } from '../../model/report.ts';
import type { Target } from '../../sources/target.ts';
import type { Applied } from './apply.ts';
import type { ReadBack } from './read-back.ts';
import type { TargetState } from './reading.ts';

/** What a restore has to say beside its counts: the words of its warnings and errors. */

export function describe(manifest: Manifest, collection: string, target: string) {
  return {
    operation: 'restore' as const,
    backup_id: manifest.backup_id,
    collection: manifest.collection,
    target_collection: collection,
    target,
    backup_type: manifest.backup_type,
    backup_time: manifest.created_at,
    document_count: manifest.document_count,
  };
}

export function targetName(target: Target): string {
  const { host, project } = target.identity;
  return project === null ? host : `${host} project ${project}`;
}

export function planWarnings(
  manifest: Manifest,
  state: TargetState,
  name: string,
  newKeys: number,
): ReportedWarning[] {
  const warnings: ReportedWarning[] = [];
  if (newKeys > 0) {
    warnings.push({
      code: 'KEYS_CHANGE',
      message: `${newKeys} documents of ${name} get new row ids from this server; an id inside a document is kept, and old row ids stay in the backup`,
      object: name,
    });
  }
  if (!state.exists) {
    const from = manifest.table_definition === null ? '' : ' from its saved definition';
    warnings.push({
      code: 'COLLECTION_CREATED',
      message: `collection ${name} does not exist and will be created${from}`,
      object: name,
    });
  }
  if (!state.complete) {
    warnings.push({
      code: 'TARGET_UNPROVEN',
      message: `collection ${name} could not be proved to be read completely: the numbers of this plan may be off`,
      object: name,
    });
  }
  return warnings;
}

export function unreadTarget(name: string): BackupError {
  return new BackupError('RESTORE_REFUSED', `collection ${name} could not be proved to be read completely`, {
    operation: 'restore',
    object: name,
    kept: 'Nothing was written.',
    cure: 'This server gives new keys to what is inserted, so documents that were not seen would be doubled: stop the writers and try again.',
  });
}

export function incompleteness(manifest: Manifest): ReportedError[] {
  if (manifest.status === 'completed') return [];
  const error = new BackupError(
    'SOURCE_UNPROVEN',
    `the backup ${manifest.backup_id} is incomplete: ${manifest.missing.join('; ')}`,
    {
      object: manifest.backup_id,
      kept: 'What it holds is intact.',
      cure: 'Restore a complete backup if there is one: `list` shows them.',
    },
  );
  return [reportError(error)];
}

export function unmatched(
  counts: { readonly ambiguous: number; readonly unaddressable: number },
  name: string,
): ReportedError[] {
  const errors: ReportedError[] = [];
  if (counts.ambiguous > 0) {
    const error = new BackupError(
      'RESTORE_AMBIGUOUS',
      `${counts.ambiguous} documents share their id with others in ${name} or in the backup`,
      {
        object: name,
        kept: 'They are left untouched.',
        cure: 'Delete the doubles in the target, or restore into another collection with --to.',
      },
    );
    errors.push(reportError(error));
  }
  if (counts.unaddressable > 0) {
    const error = new BackupError(
      'RESTORE_UNADDRESSABLE',
      `${counts.unaddressable} documents of ${name} cannot be named in a request`,
      {
        object: name,
        kept: 'They are left untouched.',
        cure: 'Export the backup and write these documents by other means.',
      },
    );
    errors.push(reportError(error));
  }
  return errors;
}

const NAMES_LISTED_MAX = 20;

export function differences(found: ReadBack, applied: Applied, name: string): ReportedError[] {
  const errors: ReportedError[] = [];
  const unanswered = found.complete ? Math.min(found.missing, applied.inDoubt) : 0;
  const missing = found.complete ? found.missing - unanswered : 0;
  if (!found.complete && found.missing > 0) {
    const error = new BackupError(
      'SOURCE_UNPROVEN',
      `${name} could not be read back completely: ${found.missing} of the documents written were not seen again`,
      {
        object: name,
        kept:
          applied.inDoubt === 0
            ? 'Every write was acknowledged; the backup is intact.'
            : `The backup is intact; ${applied.inDoubt} of the writes got no answer.`,
        cure: 'Run the same command again when fewer writers are at work: what is restored already is left alone.',
      },
    );
    errors.push(reportError(error));
  }
  if (unanswered > 0) {
    const error = new BackupError(
      'RESTORE_PARTIAL',
      `${unanswered} documents of ${name} are not there: the target gave no answer when they were sent`,
      {
        object: name,
        kept: 'The others are restored.',
        cure: 'Run the same command again: what is restored already is left alone.',
      },
    );
    errors.push(reportError(error));
  }
  if (found.different.length + missing > 0) {
    const named = found.different.slice(0, NAMES_LISTED_MAX).join(', ');
    const more = found.different.length > NAMES_LISTED_MAX ? ' and others' : '';
    const what = [
      found.different.length > 0 ? `${found.different.length} hold other content (${named}${more})` : '',
      missing > 0 ? `${missing} are not there` : '',
    ];
    const error = new BackupError(
      'RESTORE_DIFFERENT',
      `read back after the restore, of the documents written to ${name} ${what.filter(Boolean).join(', ')}`,
      {
        object: name,
        kept: 'The backup is intact.',
        cure: 'If others are writing to this collection, stop them and run the same command again. If nobody is, this server may add to documents instead of replacing them: delete those that are named, then run it again.',
      },
    );
    errors.push(reportError(error));
  }
  if (applied.refused.size > 0) {
    const error = new BackupError(
      'RESTORE_PARTIAL',
      `the target refused ${applied.refused.size} documents of ${name}`,
      {
        object: name,
        kept: 'The others are restored.',
        cure: 'Look at the refusals listed; export the backup to get at these documents.',
      },
    );
    errors.push(reportError(error));
  }
  return errors;
}
