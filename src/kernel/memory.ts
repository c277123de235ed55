/** Memory below this is not worth the trouble, and may be shared: Node cuts small buffers from common pieces. */
const BYTES_MIN = 256 * 1024;

/**
 * Gives the memory of a large buffer back at once. Otherwise it waits for the garbage collector, which lets tens of
 * megabytes pile up before it looks. Called by the one who owns the buffer and is done with it: afterwards the buffer
 * and all views of its memory are empty, and setting or cutting them throws.
 */
export function releaseMemory({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= BYTES_MIN) buffer.transfer(0);
}
