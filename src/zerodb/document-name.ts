import { BackupError } from '../kernel/errors.ts';
import { printable, truncated } from '../kernel/printable.ts';
import type { DocumentBatch, DocumentShape } from '../model/document.ts';
import { scanKeyText } from '../model/shape.ts';
import type { Task } from './client.ts';
import { isSegment } from './resource-url.ts';

/** Whether a document with this scan key (JSON text) can be named in a URL. */
export function isAddressable(key: Uint8Array): boolean {
  const name = nameInUrl(key);
  return name !== null && isSegment(name);
}

/** The scan key of a document of a page where it can be named in a URL, else null. */
export function keyAddress(batch: DocumentBatch, index: number, shape: DocumentShape): Uint8Array | null {
  const key = scanKeyText(batch, index, shape);
  return key !== null && isAddressable(key) ? key : null;
}

/** The segment of a path that names the document with this scan key. */
export function urlName(key: Uint8Array, { task, object }: Task): string {
  const name = nameInUrl(key);
  if (name !== null) return name;
  throw new BackupError('SOURCE_REFUSED', `cannot ${task}: the key cannot stand in a URL`, {
    ...(object !== undefined && { object }),
    cure: 'Give the document a key that is text: this one cannot be addressed over HTTP.',
  });
}

/** A scan key in words, for errors. */
export function shownKey(key: Uint8Array): string {
  return printable(truncated(Buffer.from(key).toString('utf8'), 100));
}

/** A string decoded, a number as its source text; null for anything else and for what is not proper Unicode. */
function nameInUrl(key: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(key);
    const value: unknown = JSON.parse(text);
    if (typeof value === 'number') return text;
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}
