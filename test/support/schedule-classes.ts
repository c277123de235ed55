import type { ScheduleSettings } from './schedule-settings.ts';

/**
 * What a server offers to a scan, by which the share of proved scans is judged.
 *
 * - `keyset`: sorts by key, in an order that is known, and filters by it
 * - `sorted`: sorts by key, or by a time of creation of which few documents share one; or has such an order of its own
 * - `stable`: gives its own keys, and the same order every time
 * - `hopeless`: nothing of the kind
 */
export type Offer = 'keyset' | 'sorted' | 'stable' | 'hopeless';

export function offerOf(settings: ScheduleSettings): Offer {
  const { dialect, sorts, filters, clamp, limitMax, ownOrder, ties, callSize } = settings;
  if (
    settings.offsetIgnored ||
    settings.unreadable ||
    settings.largeShare > 0 ||
    settings.operations.includes('drop')
  )
    return 'hopeless';
  const pageSize = clamp > 0 ? Math.min(clamp, limitMax) : limitMax;
  if (sorts.includes('key') && hasKnownKeys(settings)) {
    const filtered =
      filters.$gt === 'honoured' ||
      (filters.$gte === 'honoured' && filters.$gt !== 'ignored' && pageSize > 1);
    if (filtered) return 'keyset';
    return pageSize > 2 ? 'sorted' : 'hopeless';
  }
  const showsTimes =
    settings.timelessShare === 0 && settings.timeFormat !== 'seconds' && callSize + 2 < pageSize;
  const followsTimes =
    sorts.includes('created_at') || (dialect === 'B' && (ownOrder === 'newest' || ownOrder === 'oldest'));
  if (showsTimes && followsTimes && settings.keylessShare === 0) {
    return settings.raggedShare === 0 && !settings.operations.includes('insert many') ? 'sorted' : 'hopeless';
  }
  if (dialect === 'B' && ownOrder !== 'none' && ties === 'stable') return 'stable';
  return 'hopeless';
}

function hasKnownKeys({ keys, keylessShare, collation }: ScheduleSettings): boolean {
  if (keylessShare > 0 || keys === 'mixed') return false;
  return collation !== 'caseless' || (keys !== 'short' && keys !== 'astral');
}
