import { BackupError } from '../kernel/errors.ts';
import type { ZerodbClient } from './client.ts';

const TASK = { task: 'ask what the project holds' };

/** Members of the answer (zerodb-protocol.md §7.3), and what they count. */
const COUNTS = [
  ['vectors_count', 'vectors'],
  ['files_count', 'files'],
  ['events_count', 'events'],
  ['memory_records_count', 'memory records'],
] as const;

/** What a project holds that is in no table: `12 vectors`. Nothing where the server does not say; asked once, and briefly. */
export async function heldBesideDocuments(
  client: ZerodbClient,
  prefix: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  try {
    const request = { method: 'GET', path: prefix, repeatable: true, brief: true, signal } as const;
    const { body } = await client.ask(request, TASK);
    const status = JSON.parse(Buffer.from(body).toString('utf8')) as Readonly<Record<string, unknown>> | null;
    return COUNTS.flatMap(([member, noun]) => {
      const count = status?.[member];
      return typeof count === 'number' && count > 0 ? [`${count} ${noun}`] : [];
    });
  } catch (thrown) {
    signal?.throwIfAborted();
    if (thrown instanceof BackupError || thrown instanceof SyntaxError) return [];
    throw thrown;
  }
}
