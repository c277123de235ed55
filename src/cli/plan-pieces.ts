import { BackupError } from '../kernel/errors.ts';
import type { Files } from '../kernel/files.ts';

const PIECE_BYTES = 64 * 1024;

/** The bytes of a file that the user named. Throws USAGE_INVALID where it cannot be read. */
export async function* filePieces(files: Files, path: string): AsyncGenerator<Uint8Array> {
  try {
    const reader = await files.open(path);
    try {
      for (let at = 0; at < reader.size; at += PIECE_BYTES) {
        const piece = Buffer.alloc(Math.min(PIECE_BYTES, reader.size - at));
        await reader.read(piece, at);
        yield piece;
      }
    } finally {
      await reader.close();
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (cause instanceof BackupError || code === undefined) throw cause;
    throw new BackupError('USAGE_INVALID', `${path} cannot be read: ${code}`, {
      object: path,
      kept: 'Nothing was written.',
      cure: 'Name the file that --plan wrote.',
      cause,
    });
  }
}
