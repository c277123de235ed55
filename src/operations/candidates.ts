import { BackupError } from '../kernel/errors.ts';
import type { OperationContext } from '../kernel/events.ts';
import { FOURTEEN_COLLECTIONS, MIRROR_COLLECTION } from '../model/collections.ts';
import type { ListedCollection, Source } from '../sources/source.ts';

/** Which collections a backup is asked for, as far as names decide it. */
export interface Wanted {
  /** Null: every collection of the project. */
  readonly collections: readonly string[] | null;
  readonly exclude: readonly string[];
  /** Used where the server cannot list its collections; empty: the fourteen of the specification. */
  readonly configuredCollections: readonly string[];
}

/** A collection to be backed up, and what is known of its name. */
export interface Candidate extends ListedCollection {
  /** A collection that no one has ever heard of must hold something to be believed in. */
  readonly known: boolean;
  readonly inRepository: boolean;
  /** What a server that lists its collections says of it; null where it does not list them. */
  readonly listed: boolean | null;
}

/** The names rule of design.md §6. */
export function chooseCollections(
  wanted: Wanted,
  listed: readonly ListedCollection[] | null,
  held: ReadonlySet<string>,
): Candidate[] {
  const configured = wanted.configuredCollections;
  const fallback = configured.length > 0 ? configured : FOURTEEN_COLLECTIONS;
  // a collection that this store holds and the server no longer knows must not go unnoticed
  const everything = listed === null ? fallback : [...listed.map(({ name }) => name), ...held];
  const names = new Set(wanted.collections ?? everything);
  for (const excluded of [...wanted.exclude, MIRROR_COLLECTION]) names.delete(excluded);
  return [...names].map((name) => {
    const entry = listed?.find((candidate) => candidate.name === name);
    const inRepository = held.has(name);
    return {
      name,
      definition: entry?.definition ?? null,
      inRepository,
      known:
        entry !== undefined ||
        inRepository ||
        configured.includes(name) ||
        FOURTEEN_COLLECTIONS.includes(name),
      listed: listed === null ? null : entry !== undefined,
    };
  });
}

/** Collections that came, or came under another name, while others were being backed up: they are of this run too. */
export async function createdMeanwhile(
  source: Source,
  wanted: Wanted,
  before: readonly Candidate[],
  { signal, onEvent }: OperationContext,
): Promise<Candidate[]> {
  const warn = (code: string, message: string) => onEvent?.({ type: 'warning', code, message });
  const names = new Set(before.map(({ name }) => name));
  try {
    const listed = (await source.listCollections(signal)) ?? [];
    const created = chooseCollections(wanted, listed, new Set()).filter(({ name }) => !names.has(name));
    for (const { name } of created) {
      warn(
        'COLLECTION_CREATED',
        `collection ${name} was created, or renamed, while this backup was being made`,
      );
    }
    return created;
  } catch (thrown) {
    signal?.throwIfAborted();
    if (!(thrown instanceof BackupError)) throw thrown;
    warn('COLLECTIONS_UNCERTAIN', `a collection created during this run may be missing: ${thrown.message}`);
    return [];
  }
}

/** Not an error: one of the fourteen that this project does not have and never had. */
export class NotThere extends BackupError {}

export function absent({ name, known, inRepository, listed }: Candidate): BackupError {
  if (inRepository || listed === true) {
    return new BackupError(
      'SOURCE_COLLECTION_VANISHED',
      `collection ${name} ${listed === true ? 'was listed' : 'is in this store'}, and the server no longer has it`,
      {
        object: name,
        kept: 'Its backups are untouched.',
        cure: 'If it was dropped on purpose, pass it to --exclude; otherwise restore it.',
      },
    );
  }
  if (known)
    return new NotThere('SOURCE_COLLECTION_UNKNOWN', `collection ${name} is not there, or is empty`, {
      object: name,
    });
  return new BackupError(
    'SOURCE_COLLECTION_UNKNOWN',
    `collection ${name} is unknown or empty: check the name`,
    {
      object: name,
      cure: 'Names are case-sensitive; a new collection that is still empty can be listed under `collections` in the configuration.',
    },
  );
}

export function failureOf(thrown: unknown, candidate: Candidate): unknown {
  return thrown instanceof BackupError && thrown.code === 'SOURCE_NOT_FOUND' ? absent(candidate) : thrown;
}

export function nothingThere(source: Source): BackupError {
  return new BackupError(
    'SOURCE_COLLECTION_UNKNOWN',
    `${source.identity.host} holds none of the collections asked for`,
    {
      kept: 'Nothing was written.',
      cure: 'Check the project id and the base URL, or name your collections under `collections` in the configuration.',
    },
  );
}
