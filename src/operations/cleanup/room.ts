import { BackupError } from '../../kernel/errors.ts';
import type { RetentionRule } from '../../model/retention-policy.ts';
import type { Repository } from '../../repository.ts';
import { cleanup } from './cleanup.ts';

/**
 * For whoever finds a store full: what `cleanup` would free there. Never fails.
 * @param rules null: they are not known here
 */
export async function roomToGain(
  repository: Repository,
  rules: readonly RetentionRule[] | null,
  signal?: AbortSignal,
): Promise<string> {
  const { label } = repository.store;
  const look = `\`cleanup --dry-run\` shows what of ${label} no rule keeps`;
  if (rules === null) return look;
  try {
    const request = { rules, confirmed: false, dryRun: true };
    const { backups, freed_bytes } = await cleanup(
      repository,
      request,
      signal === undefined ? {} : { signal },
    );
    const count = backups.filter(({ outcome }) => outcome === 'removed').length;
    if (count === 0) return `cleanup would free nothing of ${label}: the rules keep every backup`;
    return `cleanup would free ${freed_bytes} bytes of ${label}: ${count === 1 ? '1 backup' : `${count} backups`}`;
  } catch (thrown) {
    signal?.throwIfAborted();
    if (!(thrown instanceof BackupError)) throw thrown;
    return look;
  }
}
