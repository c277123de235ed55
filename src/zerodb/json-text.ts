/** JSON text put together from source text and from bytes that stay as they are. */
export function jsonParts(...parts: readonly (string | Uint8Array)[]): readonly Uint8Array[] {
  return parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
}
