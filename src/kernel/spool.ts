import type { BodyStream } from './http.ts';
import type { Scratch } from './sorted-runs.ts';

/** Up to this an object is kept in memory. */
const HELD_BYTES_MAX = 1 << 20;
const READ_BYTES = 256 * 1024;

/** Bytes that were pulled once and can be read many times. */
export interface Spool extends BodyStream, AsyncDisposable {
  read(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** Takes all the pieces: those of a large object lie in a temporary file until it is disposed of. */
export async function spool(
  pieces: AsyncIterable<Uint8Array>,
  openScratch: () => Promise<Scratch>,
  signal?: AbortSignal,
): Promise<Spool> {
  const held: Buffer[] = [];
  let length = 0;
  let file: Awaited<ReturnType<Scratch['openTemporary']>> | null = null;
  try {
    for await (const piece of pieces) {
      signal?.throwIfAborted();
      if (file === null && length + piece.length > HELD_BYTES_MAX) {
        file = await (await openScratch()).openTemporary();
        await file.write(Buffer.concat(held.splice(0)), 0);
      }
      if (file === null) held.push(Buffer.from(piece));
      else await file.write(piece, length);
      length += piece.length;
    }
    signal?.throwIfAborted();
  } catch (error) {
    await file?.close();
    throw error;
  }
  const whole = Buffer.concat(held);
  const source = file;
  async function* read(start: number, end: number): AsyncGenerator<Uint8Array> {
    if (source === null) {
      if (start < end) yield whole.subarray(start, end);
      return;
    }
    for (let at = start; at < end; at += READ_BYTES) {
      const piece = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, end - at));
      await source.read(piece, at);
      yield piece;
    }
  }
  return {
    length,
    read,
    pieces: () => read(0, length),
    async [Symbol.asyncDispose]() {
      await source?.close();
    },
  };
}
