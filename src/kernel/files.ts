/**
 * The local disk, as the outside world hands it in. Paths are absolute. Failures are thrown as the platform's
 * errors, with a `code` such as ENOENT, EEXIST, ENOSPC, EACCES.
 */
export interface Files {
  /** Null if nothing is there. Does not follow a link in the last part of the path. */
  stat(path: string): Promise<FileFacts | null>;
  /** Names and kinds directly below a directory, in no order. Throws ENOENT if there is none. */
  list(path: string): Promise<readonly { readonly name: string; readonly kind: FileKind }[]>;
  /** With its parents; those that exist stay as they are. */
  makeDirectory(path: string, mode: number): Promise<void>;
  /** A new file; throws EEXIST if anything, even a dangling link, has that name. */
  create(path: string, mode: number): Promise<FileWriter>;
  /** Adds to the end of a file, creating it where needed. Throws ELOOP if the path is a link. */
  append(path: string, mode: number, bytes: Uint8Array): Promise<void>;
  open(path: string): Promise<FileReader>;
  /** An empty file (0600) on the file system of `directory` that has no name: it is gone when closed or at a crash. */
  openTemporary(directory: string): Promise<TemporaryFile>;
  /** A second name for a file; throws EEXIST if the name is taken: the atomic create-if-absent. */
  link(path: string, newPath: string): Promise<void>;
  /** Atomically replaces whatever has the new name. */
  rename(path: string, newPath: string): Promise<void>;
  /** Removes a file; throws ENOENT if there is none. */
  remove(path: string): Promise<void>;
  /** Makes the names in a directory durable: until then a crash may undo a create, link, rename or remove. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that this user may still write on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}

/** The code of a failure of the disk, such as ENOSPC; null for anything else that was thrown. */
export function diskCodeOf(thrown: unknown): string | null {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
}

export type FileKind = 'file' | 'directory' | 'other';

export interface FileFacts {
  readonly kind: FileKind;
  readonly size: number;
  /** Milliseconds since 1970, by the file system's clock. */
  readonly modifiedAt: number;
  /** Permission bits. */
  readonly mode: number;
}

export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the content durable. A failure means that the content must be taken for lost. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileReader {
  readonly size: number;
  /** Fills `into` from `offset` on; returns how many bytes there were (fewer only at the end of the file). */
  read(into: Uint8Array, offset: number): Promise<number>;
  close(): Promise<void>;
}

export interface TemporaryFile {
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** As FileReader.read. */
  read(into: Uint8Array, offset: number): Promise<number>;
  close(): Promise<void>;
}
