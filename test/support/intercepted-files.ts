import type { FileReader, Files, FileWriter, TemporaryFile } from '../../src/kernel/files.ts';

/** One call at the port, before it is carried out. */
export interface FileCall {
  readonly operation: keyof Files | 'write' | 'sync' | 'read' | 'close';
  /** As it was handed over; of a writer or reader that which it was opened with; of link and rename the new name. */
  readonly path: string;
}

/** The same disk, but `before` sees each call first; what it throws, the call throws. */
export function interceptedFiles(files: Files, before: (call: FileCall) => void): Files {
  const pass = async <Result>(
    operation: FileCall['operation'],
    path: string,
    action: () => Promise<Result>,
  ): Promise<Result> => {
    before({ operation, path });
    return await action();
  };
  const writer = (path: string, inner: FileWriter): FileWriter => ({
    write: (bytes) => pass('write', path, () => inner.write(bytes)),
    sync: () => pass('sync', path, () => inner.sync()),
    // what fails here is open no longer all the same
    close: () => inner.close().then(() => pass('close', path, async () => {})),
  });
  const reader = (path: string, inner: FileReader): FileReader => ({
    size: inner.size,
    read: (into, offset) => pass('read', path, () => inner.read(into, offset)),
    close: () => inner.close().then(() => pass('close', path, async () => {})),
  });
  const temporary = (path: string, inner: TemporaryFile): TemporaryFile => ({
    write: (bytes, offset) => pass('write', path, () => inner.write(bytes, offset)),
    read: (into, offset) => pass('read', path, () => inner.read(into, offset)),
    close: () => inner.close().then(() => pass('close', path, async () => {})),
  });
  return {
    stat: (path) => pass('stat', path, () => files.stat(path)),
    list: (path) => pass('list', path, () => files.list(path)),
    makeDirectory: (path, mode) => pass('makeDirectory', path, () => files.makeDirectory(path, mode)),
    create: (path, mode) => pass('create', path, async () => writer(path, await files.create(path, mode))),
    append: (path, mode, bytes) => pass('append', path, () => files.append(path, mode, bytes)),
    open: (path) => pass('open', path, async () => reader(path, await files.open(path))),
    openTemporary: (path) =>
      pass('openTemporary', path, async () => temporary(path, await files.openTemporary(path))),
    link: (path, newPath) => pass('link', newPath, () => files.link(path, newPath)),
    rename: (path, newPath) => pass('rename', newPath, () => files.rename(path, newPath)),
    remove: (path) => pass('remove', path, () => files.remove(path)),
    syncDirectory: (path) => pass('syncDirectory', path, () => files.syncDirectory(path)),
    freeBytes: (path) => pass('freeBytes', path, () => files.freeBytes(path)),
  };
}

/** An error as the operating system makes it. */
export function osError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code });
}
