import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const BYTES_BETWEEN_COLLECTIONS = 16 << 20;
/** Every so many collections, that is every 512 MB, the old objects are collected as well. */
const COLLECTIONS_OF_YOUNG = 32;

let bytesSince = 0;
let collections = 0;
let collect: ((options: { type: 'minor' | 'major' }) => void) | null = null;

/**
 * Tells that so many bytes of buffers have been handed out that will be garbage in a moment.
 *
 * Buffers lie outside the heap that V8 watches when it decides to collect: of a stream of short-lived ones it lets
 * 60 to 90 MB pile up. A collection of the young objects every 16 MB takes about a millisecond, keeps the pile
 * near 20 MB, and makes the stream faster rather than slower, as memory is used again while it is in the caches.
 *
 * The few objects that outlive such collections by chance, and what they hold outside the heap, would still grow by
 * some 15 MB with every gigabyte: a large collection would need more memory than a small one.
 */
export function noteBuffers(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < BYTES_BETWEEN_COLLECTIONS) return;
  bytesSince = 0;
  collect ??= openCollector();
  collect({ type: ++collections % COLLECTIONS_OF_YOUNG === 0 ? 'major' : 'minor' });
}

function openCollector(): (options: { type: 'minor' | 'major' }) => void {
  setFlagsFromString('--expose-gc');
  // the flag counts for contexts made from now on
  return runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
}
