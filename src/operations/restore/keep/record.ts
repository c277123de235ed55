import { restoreRecordKey, restoreReportKey } from '../../../archive/layout.ts';
import { BackupError } from '../../../kernel/errors.ts';
import type { OnEvent } from '../../../kernel/events.ts';
import { randomHex } from '../../../kernel/random.ts';
import { compactTime } from '../../../model/backup-id.ts';
import { FORMAT } from '../../../model/manifest.ts';
import type { RestoreReport } from '../../../model/report.ts';
import { encodeRestoreRecord, type KeptArchive } from '../../../model/restore-record.ts';
import { formatInstant } from '../../../model/time.ts';
import type { Repository } from '../../../repository.ts';
import { onePiece } from '../../../stores/store.ts';
import { type LeasedRepository, leased } from '../../leased.ts';
import { readBackObject } from '../../read-back.ts';
import type { PlanParts } from '../plan.ts';
import { Bystanders } from './bystanders.ts';
import { changesOf } from './changes.ts';
import { keepArchive } from './kept-archive.ts';
import { preImages } from './pre-images.ts';

/**
 * Keeps in the store, before the first write, what a plan does and what it writes over: with that it can be undone
 * whatever happens next. Resolves with the restore's id. Throws the store's errors; nothing was written then.
 */
export async function keepRecord(
  parts: PlanParts,
  onEvent: OnEvent,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { repository, reading, origin, state } = parts;
  const { clock, codec, random, host } = repository.platform;
  const now = clock.now();
  const restoreId = `${compactTime(now)}_${randomHex(random, 4)}`;
  const { scratch } = reading;
  const kept = { restoreId, collection: origin.targetCollection };
  const bystanders = new Bystanders(scratch);
  await using _ = { [Symbol.asyncDispose]: () => bystanders.close() };
  try {
    const preImageArchive = overwritesAny(parts)
      ? await keepArchive(
          repository,
          scratch,
          { ...kept, what: 'pre-images', shape: state.shape },
          preImages(parts, signal),
          signal,
        )
      : null;
    const changes = await keepArchive(
      repository,
      scratch,
      { ...kept, what: 'changes', shape: 'flat' },
      watched(
        parts,
        onEvent,
        changesOf(parts, signal, (change) => bystanders.noteCreated(change)),
      ),
      signal,
    );
    const bystanderArchive = await keepIfAny(bystanders.texts(state), (texts) =>
      keepArchive(repository, scratch, { ...kept, what: 'bystanders', shape: 'flat' }, texts, signal),
    );
    const record = encodeRestoreRecord(codec, {
      format: FORMAT,
      restore_id: restoreId,
      backup_id: origin.backupId,
      mode: origin.mode,
      collection: origin.collection,
      source: { host: origin.source.host, project: origin.source.project },
      target: { ...origin.target },
      target_collection: origin.targetCollection,
      undoes: origin.undoes,
      continues: origin.continues,
      ids: origin.ids === null ? null : [...origin.ids],
      allow_partial: origin.allowPartial,
      created_at: formatInstant(now),
      tool_version: host.toolVersion,
      changes,
      pre_images: preImageArchive,
      bystanders: bystanderArchive,
    });
    const key = restoreRecordKey(restoreId);
    await repository.store.put(key, onePiece(record), signal);
    const hash = codec.createSha256();
    hash.update(record);
    await readBackObject(repository, key, hash.hex(), signal);
    return restoreId;
  } catch (thrown) {
    throw cannotKeep(thrown, origin.backupId);
  }
}

/** Held while something is kept, and what is restored is read again. */
export async function leaseToKeep(
  { repository, origin }: PlanParts,
  signal: AbortSignal | undefined,
): Promise<LeasedRepository> {
  try {
    return await leased(repository, 'shared', 'restore', signal);
  } catch (thrown) {
    throw cannotKeep(thrown, origin.backupId);
  }
}

function cannotKeep(thrown: unknown, backupId: string): unknown {
  if (!(thrown instanceof BackupError) || !thrown.code.startsWith('STORE_')) return thrown;
  return new BackupError(thrown.code, `cannot keep what the restore would write over: ${thrown.message}`, {
    operation: 'restore',
    object: thrown.object ?? backupId,
    kept: 'Nothing was written to the target.',
    cure: `${thrown.cure ?? 'Make the store writable.'} Or restore with --without-undo, which keeps nothing and cannot be taken back.`,
    temporary: thrown.temporary,
    cause: thrown,
  });
}

async function keepIfAny(
  texts: AsyncGenerator<Uint8Array>,
  keep: (texts: AsyncIterable<Uint8Array>) => Promise<KeptArchive>,
): Promise<KeptArchive | null> {
  const first = await texts.next();
  if (first.done === true) return null;
  return await keep(
    (async function* () {
      yield first.value;
      yield* texts;
    })(),
  );
}

async function* watched(
  { actions, reading }: PlanParts,
  onEvent: OnEvent,
  changes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { object } = reading;
  const total = actions.count;
  let done = 0;
  for await (const change of changes) {
    yield change;
    done++;
    if (done % 1000 === 0 || done === total)
      onEvent({ type: 'progress', object, phase: 'keep', unit: 'documents', done, total });
  }
}

function overwritesAny({ report }: PlanParts): boolean {
  return report.counts.replaced + report.counts.deleted > 0;
}

/** Keeps the report of a restore beside its record; resolves with null, or with why that was not possible. */
export async function keepReport(
  repository: Repository,
  restoreId: string,
  report: RestoreReport,
): Promise<BackupError | null> {
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`, 'utf8');
  try {
    await repository.store.put(restoreReportKey(restoreId), onePiece(bytes));
    return null;
  } catch (thrown) {
    if (thrown instanceof BackupError) return thrown;
    throw thrown;
  }
}

/** A failure in the middle of a restore, with what can be done about it now. */
export function interruptedRestore(thrown: unknown, restoreId: string): unknown {
  if (!(thrown instanceof BackupError)) return thrown;
  return new BackupError(thrown.code, thrown.message, {
    ...(thrown.operation !== undefined && { operation: thrown.operation }),
    ...(thrown.object !== undefined && { object: thrown.object }),
    ...(thrown.kept !== undefined && { kept: thrown.kept }),
    cure: `${thrown.cure ?? ''} Go on with \`resume ${restoreId}\`, or take back what was done with \`undo ${restoreId}\`.`.trimStart(),
    temporary: thrown.temporary,
    cause: thrown.cause,
  });
}
