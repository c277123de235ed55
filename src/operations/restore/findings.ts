import { BackupError } from '../../kernel/errors.ts';
import { printable, truncated } from '../../kernel/printable.ts';
import { type Manifest, stateCount } from '../../model/manifest.ts';
import { type ReportedError, type ReportedWarning, reportError } from '../../model/report.ts';
import type { SourceIdentity } from '../../sources/source.ts';
import type { Target } from '../../sources/target.ts';
import type { TargetState } from './target/reading.ts';
import type { Written } from './write/rounds.ts';

/** What a restore has to say beside its counts: the words of its warnings and errors. */

export function describe(manifest: Manifest, collection: string, target: string) {
  return {
    operation: 'restore' as const,
    backup_id: manifest.backup_id,
    collection: manifest.collection,
    source: serverName(manifest.source),
    target_collection: collection,
    target,
    backup_type: manifest.backup_type,
    backup_time: manifest.created_at,
    document_count: stateCount(manifest),
  };
}

export function targetName(target: Target): string {
  return serverName(target.identity);
}

function serverName({ host, project }: Pick<SourceIdentity, 'host' | 'project'>): string {
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
    warnings.push(unprovenTarget(name));
  }
  return warnings;
}

export function unprovenTarget(name: string): ReportedWarning {
  return {
    code: 'TARGET_UNPROVEN',
    message: `collection ${name} could not be proved to be read completely: the numbers of this plan may be off`,
    object: name,
  };
}

export function unreadTarget(name: string): BackupError {
  return new BackupError('RESTORE_REFUSED', `collection ${name} could not be proved to be read completely`, {
    operation: 'restore',
    object: name,
    kept: 'Nothing was written.',
    cure: 'This server gives new keys to what is inserted, so documents that were not seen would be doubled: stop the writers and try again.',
  });
}

/** Deleting what an incomplete backup lacks would lose it. */
export function incompleteBackup(manifest: Manifest): BackupError {
  return new BackupError(
    'RESTORE_REFUSED',
    `the backup ${manifest.backup_id} is not proved to be complete: what it does not hold may have existed`,
    {
      operation: 'restore',
      object: manifest.backup_id,
      kept: 'Nothing was written.',
      cure: 'Restore it without --exact, or choose a complete backup: `list` shows them.',
    },
  );
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

const IDS_LISTED_MAX = 20;

/** Ids that were asked for and that the backup does not hold. */
export function idsMissing(manifest: Manifest, ids: readonly string[]): ReportedError[] {
  if (ids.length === 0) return [];
  const listed = ids.slice(0, IDS_LISTED_MAX).map((id) => printable(truncated(id, 100)));
  const more = ids.length > listed.length ? ` and ${ids.length - listed.length} more` : '';
  const error = new BackupError(
    'RESTORE_PARTIAL',
    `${manifest.backup_id} holds no document with id ${listed.join(', ')}${more}`,
    {
      object: manifest.backup_id,
      kept: 'The other documents asked for are there.',
      cure: 'Look for them in an older backup: `export` shows what one holds.',
    },
  );
  return [reportError(error)];
}

/** What a restore of the good part of a damaged backup has to do without. */
export function partLost(manifest: Manifest, loss: string | null): ReportedError[] {
  if (loss === null) return [];
  const error = new BackupError(
    'ARCHIVE_DAMAGED',
    `of ${manifest.backup_id}, which is damaged, ${loss} cannot be restored`,
    {
      object: manifest.backup_id,
      kept: 'Everything that is proved to be good is restored.',
      cure: 'Bring the missing documents from another backup of this collection: `list` shows them.',
    },
  );
  return [reportError(error)];
}

/** What an undo leaves alone. */
export function changedByOthers(
  count: number,
  names: readonly string[],
  collection: string,
): ReportedError[] {
  if (count === 0) return [];
  const more = count > names.length ? ' and others' : '';
  const error = new BackupError(
    'RESTORE_CHANGED',
    `${count} documents of ${collection} were written or deleted by others since that restore (${names.map((name) => truncated(name, 100)).join(', ')}${more})`,
    {
      object: collection,
      kept: 'They are left as they are; what the restore wrote over is kept under restores/ in the store.',
      cure: 'Look at each of them: pre-images.json.gz there is text, one document a line, once it is unpacked.',
    },
  );
  return [reportError(error)];
}

const NAMES_LISTED_MAX = 20;

/** What had to be done otherwise than planned, and worked. */
export function mendings(written: Written, name: string): ReportedWarning[] {
  const newKeys = written.serverGivenKeys ? ', and have new row ids' : '';
  const warnings = [
    {
      code: 'DOCUMENTS_GONE',
      count: written.gone,
      message: `documents of ${name} were deleted by others before they could be replaced: they were created${newKeys}`,
    },
    {
      code: 'DOCUMENTS_RESENT',
      count: written.resent,
      message: `documents of ${name} were sent without an answer and were not there: they were sent again`,
    },
    {
      code: 'DOCUMENTS_RECREATED',
      count: written.recreated,
      message: `documents of ${name} held members besides those of the backup after two replacements, for this server's update only adds: they were deleted and inserted${newKeys}`,
    },
  ];
  return warnings
    .filter(({ count }) => count > 0)
    .map(({ code, count, message }) => ({ code, message: `${count} ${message}`, object: name }));
}

export function differences(written: Written, name: string): ReportedError[] {
  const errors: BackupError[] = [];
  const { unseen, unanswered, different, missing, refused, taken, changed, keptByOthers, undeleted } =
    written;
  if (unseen > 0) {
    errors.push(
      new BackupError(
        'SOURCE_UNPROVEN',
        `${name} could not be read back completely: ${unseen} of the documents written were not seen again`,
        {
          object: name,
          kept:
            written.inDoubt === 0
              ? 'Every write was acknowledged; the backup is intact.'
              : `The backup is intact; ${written.inDoubt} of the writes got no answer.`,
          cure: 'Run the same command again when fewer writers are at work: what is restored already is left alone.',
        },
      ),
    );
  }
  if (unanswered > 0) {
    errors.push(
      new BackupError(
        'RESTORE_PARTIAL',
        `${unanswered} documents of ${name} are not there: the target gave no answer whenever they were sent`,
        {
          object: name,
          kept: 'The others are restored.',
          cure: 'Run the same command again: what is restored already is left alone.',
        },
      ),
    );
  }
  if (different + missing > 0) {
    const names = written.differentNames.slice(0, NAMES_LISTED_MAX).join(', ');
    const more = different > written.differentNames.length ? ' and others' : '';
    const what = [
      different > 0 ? `${different} hold other content${names === '' ? '' : ` (${names}${more})`}` : '',
      missing > 0 ? `${missing} are not there` : '',
    ];
    errors.push(
      new BackupError(
        'RESTORE_DIFFERENT',
        `read back after the restore, of the documents written to ${name} ${what.filter(Boolean).join(', ')}`,
        {
          object: name,
          kept: 'The backup is intact.',
          cure: 'If others are writing to this collection, stop them and run the same command again. If nobody is, this server does not keep what it is sent: compare the documents that are named.',
        },
      ),
    );
  }
  if (keptByOthers + undeleted > 0) {
    const what = [
      keptByOthers > 0 ? `${keptByOthers} were written by others meanwhile` : '',
      undeleted > 0 ? `${undeleted} were deleted in vain` : '',
    ];
    errors.push(
      new BackupError(
        'RESTORE_DIFFERENT',
        `of the documents of ${name} that were to be deleted ${what.filter(Boolean).join(', ')}`,
        {
          object: name,
          kept: 'They are as they are; everything else is done.',
          cure: 'Run the same command again once nobody else is writing to this collection.',
        },
      ),
    );
  }
  if (changed > 0) {
    const names = written.changedNames.slice(0, NAMES_LISTED_MAX).map((id) => truncated(id, 100));
    const more = changed > names.length ? ' and others' : '';
    errors.push(
      new BackupError(
        'RESTORE_CHANGED',
        `${changed} documents of ${name} were written by others since the target was read (${names.join(', ')}${more})`,
        {
          object: name,
          kept: 'They are left as they are, for nothing was kept of what they hold now.',
          cure: 'Look at them, then run the same command again: it reads them anew and keeps them before it writes.',
        },
      ),
    );
  }
  if (taken > 0) {
    errors.push(
      new BackupError(
        'RESTORE_AMBIGUOUS',
        `${taken} documents of ${name} were not created: the target takes a number for the same key as its text`,
        {
          object: name,
          kept: 'What has these keys is left untouched.',
          cure: 'Export the backup and write these documents by other means, under keys of their own.',
        },
      ),
    );
  }
  if (refused > 0) {
    errors.push(
      new BackupError('RESTORE_PARTIAL', `the target refused ${refused} documents of ${name}`, {
        object: name,
        kept: 'The others are restored.',
        cure: 'Look at the refusals listed; export the backup to get at these documents.',
      }),
    );
  }
  return errors.map(reportError);
}
