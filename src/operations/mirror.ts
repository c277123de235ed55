import { BackupError } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import { MIRROR_COLLECTION } from '../model/collections.ts';
import type { Manifest } from '../model/manifest.ts';
import { payload } from '../model/shape.ts';
import { openScratch, type Repository } from '../repository.ts';
import type { Target, TargetCollection, WriteOutcome } from '../sources/target.ts';
import { readTarget } from './restore/target/reading.ts';

/** Of a backup, for people who query the database: the document of the specification. */
const MIRRORED = [
  'backup_id',
  'collection',
  'backup_type',
  'file_name',
  'object_path',
  'file_size',
  'document_count',
  'status',
  'version',
  'created_at',
  'completed_at',
] as const satisfies readonly (keyof Manifest)[];

type MirrorEntry = Pick<Manifest, (typeof MIRRORED)[number]>;

/** An entry that is longer is none of ours. */
const ENTRY_BYTES_MAX = 64 * 1024;

export interface MirrorChange {
  /** Have an entry afterwards. */
  readonly there: readonly Manifest[];
  /** Ids of backups that were removed: have none. */
  readonly gone: ReadonlySet<string>;
}

/**
 * Brings the collection `backup_metadata` of the project up to date: entries that are missing or others than they should
 * be are written, those of removed backups are deleted. The collection is convenience, never the truth: nothing of it is
 * believed, and all else in it is left alone. Returns how many documents were changed. Throws MIRROR_FAILED.
 */
export async function mirror(
  repository: Repository,
  open: () => Promise<Target>,
  change: MirrorChange,
  context: OperationContext = {},
): Promise<number> {
  if (change.there.length === 0 && change.gone.size === 0) return 0;
  try {
    return await bringUpToDate(repository, await open(), change, context);
  } catch (thrown) {
    context.signal?.throwIfAborted();
    if (!(thrown instanceof BackupError)) throw thrown;
    throw failed(thrown.message, thrown);
  }
}

async function bringUpToDate(
  repository: Repository,
  target: Target,
  { there, gone }: MirrorChange,
  { signal }: OperationContext,
): Promise<number> {
  const collection = target.openTarget(MIRROR_COLLECTION);
  const known = new Map<string, KnownEntry>();
  const reading = {
    platform: repository.platform,
    target,
    collection,
    scratch: await openScratch(repository),
    phase: 'read-target' as const,
    object: MIRROR_COLLECTION,
    onEvent: () => {},
    signal,
  };
  const state = await readTarget({
    ...reading,
    onDocument: async (batch, index, shape) => {
      const entry = parseEntry(payload(batch, index, shape));
      if (entry === null) return;
      const address = collection.address(batch, index, shape);
      known.set(entry.backup_id, { address: address && Buffer.from(address), fields: entry });
    },
  });
  await state.close();
  let changed = 0;
  for (const [backupId, { address }] of known) {
    if (!gone.has(backupId) || address === null || !collection.addressable(address)) continue;
    const { kind } = await collection.delete(address, signal);
    if (kind === 'done') changed++;
  }
  if (there.length === 0) return changed;
  if (!state.exists && !collection.traits.createsOnInsert) {
    await target.createCollection({ name: MIRROR_COLLECTION, definition: null }, signal);
  }
  for (const manifest of there) {
    if (await writeEntry(collection, manifest, known.get(manifest.backup_id) ?? null, signal)) changed++;
  }
  return changed;
}

interface KnownEntry {
  /** Null where the document cannot be named. */
  readonly address: Uint8Array | null;
  readonly fields: Readonly<Record<string, unknown>>;
}

async function writeEntry(
  collection: TargetCollection,
  manifest: Manifest,
  known: KnownEntry | null,
  signal?: AbortSignal,
): Promise<boolean> {
  const entry = Object.fromEntries(MIRRORED.map((name) => [name, manifest[name]])) as MirrorEntry;
  if (known !== null && MIRRORED.every((name) => known.fields[name] === entry[name])) return false;
  const bytes = Buffer.from(JSON.stringify(entry));
  const ownKey = Buffer.from(JSON.stringify(manifest.backup_id));
  let outcome: WriteOutcome;
  if (known !== null) {
    if (known.address === null || !collection.addressable(known.address)) {
      throw failed(`the entry of ${manifest.backup_id} cannot be replaced: the server cannot name it`);
    }
    outcome = await collection.replace(known.address, bytes, signal);
  } else {
    outcome = await collection.insert(ownKey, bytes, signal);
    // somebody else's document that was not seen as an entry stands there
    if (outcome.kind === 'exists') outcome = await collection.replace(ownKey, bytes, signal);
  }
  if (outcome.kind === 'done') return true;
  throw failed(`the entry of ${manifest.backup_id} was not written: ${outcome.kind}`);
}

/** Null for anything that is not an entry: the collection may hold what it likes. */
function parseEntry(bytes: Uint8Array): (Readonly<Record<string, unknown>> & { backup_id: string }) | null {
  if (bytes.length > ENTRY_BYTES_MAX) return null;
  try {
    const fields: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    const isEntry =
      typeof fields === 'object' &&
      fields !== null &&
      'backup_id' in fields &&
      typeof fields.backup_id === 'string';
    return isEntry ? (fields as Readonly<Record<string, unknown>> & { backup_id: string }) : null;
  } catch {
    return null;
  }
}

function failed(why: string, cause?: unknown): BackupError {
  return new BackupError('MIRROR_FAILED', `${MIRROR_COLLECTION} could not be brought up to date: ${why}`, {
    object: MIRROR_COLLECTION,
    kept: 'The backups are whole without it.',
    cure: 'Run `zerodb-backup rebuild` once the server takes writes, or turn the mirror off with --mirror false.',
    cause,
  });
}
