import { BackupError } from '../../kernel/errors.ts';
import { canonicalJson } from '../../kernel/json/canonical.ts';
import type { ReportedWarning } from '../../model/report.ts';
import type { Target } from '../../sources/target.ts';

/** Says so where a collection exists with another schema than the one that was backed up: it may refuse documents. */
export async function otherSchema(
  target: Target,
  collection: string,
  saved: string | null,
  signal: AbortSignal | undefined,
): Promise<ReportedWarning[]> {
  if (saved === null) return [];
  const now = await definitionOf(target, collection, signal);
  const [wanted, found] = [schemaIn(saved), schemaIn(now)];
  if (wanted === null || found === null || wanted === found) return [];
  const message = `collection ${collection} exists with another schema than it had when it was backed up, and is left with it: documents that it refuses will be named; --to restores into a new collection instead`;
  return [{ code: 'SCHEMA_DIFFERS', message, object: collection }];
}

/** Null where the server does not say; that is no reason not to restore. */
async function definitionOf(
  target: Target,
  collection: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  try {
    const listed = await target.listCollections(signal);
    return listed?.find(({ name }) => name === collection)?.definition ?? null;
  } catch (thrown) {
    if (!(thrown instanceof BackupError) || signal?.aborted === true) throw thrown;
    return null;
  }
}

/** Canonical; null where a definition has none, or an empty one. */
function schemaIn(definition: string | null): string | null {
  if (definition === null) return null;
  try {
    const { schema, schema_definition } = JSON.parse(definition) as Record<string, unknown>;
    const text = canonicalJson(schema ?? schema_definition ?? {});
    return text === '{}' ? null : text;
  } catch {
    return null; // it was kept as the server gave it
  }
}
