import type { ClientRequest } from './client.ts';
import type { DialectName } from './dialect.ts';

/** An object as the server lists it. */
export interface ListedObject {
  readonly key: string;
  readonly size: number;
  /** What requests name it by: its key, or an id of the server. */
  readonly address: string;
  /** As the server says it; null where it does not. */
  readonly createdAt: string | null;
}

type Path = Pick<ClientRequest, 'path'>;

/** Where the Object Storage of a server is, and how its objects are named in requests. */
export interface ObjectDialect {
  readonly name: DialectName;
  readonly list: Path;
  readonly upload: Path;
  /** Fields of an upload beside the file and its metadata. */
  uploadFields(key: string): Readonly<Record<string, string>>;
  download(address: string): Path;
  /** Null where no request tells the facts of one object. */
  metadata(address: string): Path | null;
  remove(address: string): Path;
  /** Null for an entry that names no object. */
  entry(listed: Readonly<Record<string, unknown>>): ListedObject | null;
}

/** Dialect A (zerodb-protocol.md §6): names are addresses. */
export const OBJECTS_OF_A: ObjectDialect = {
  name: 'A',
  list: { path: ['storage', 'list'] },
  upload: { path: ['storage', 'upload'] },
  uploadFields: () => ({}),
  download: (key) => ({ path: ['storage', 'download', ...key.split('/')] }),
  metadata: (key) => ({ path: ['storage', 'metadata', ...key.split('/')] }),
  remove: (key) => ({ path: ['storage', 'delete', ...key.split('/')] }),
  entry(listed) {
    const key = keyOf(listed);
    return key === null ? null : { key, address: key, ...factsOf(listed) };
  },
};

/** Dialect B (zerodb-protocol.md §11.1): the server gives ids, and more than one object may have the same key. */
export function objectsOfB(prefix: readonly string[]): ObjectDialect {
  return {
    name: 'B',
    list: { path: [...prefix, 'files'] },
    upload: { path: [...prefix, 'storage', 'upload'] },
    uploadFields: (key) => ({ key }),
    download: (id) => ({ path: [...prefix, 'files', id, 'download'] }),
    metadata: () => null,
    remove: (id) => ({ path: [...prefix, 'files', id] }),
    entry(listed) {
      const key = keyOf(listed);
      const address = textOf(listed, ['file_id', 'id', 'object_id']);
      return key === null || address === null ? null : { key, address, ...factsOf(listed) };
    },
  };
}

function keyOf(listed: Readonly<Record<string, unknown>>): string | null {
  return textOf(listed, ['file_key', 'key', 'object_name', 'name', 'path', 'file_path']);
}

/** A size that cannot be read is -1: nothing that is compared with it is ever the same. */
function factsOf(listed: Readonly<Record<string, unknown>>): Pick<ListedObject, 'size' | 'createdAt'> {
  return { size: sizeOf(listed) ?? -1, createdAt: textOf(listed, ['created_at', 'uploaded_at']) };
}

export function sizeOf(facts: Readonly<Record<string, unknown>>): number | null {
  for (const name of ['size_bytes', 'size', 'file_size', 'content_length']) {
    const value = facts[name];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  }
  return null;
}

function textOf(value: Readonly<Record<string, unknown>>, names: readonly string[]): string | null {
  for (const name of names) {
    const text = value[name];
    if (typeof text === 'string' && text !== '') return text;
  }
  return null;
}
