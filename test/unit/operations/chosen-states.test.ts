import { describe, expect, it } from 'vitest';
import { recoverableRanges } from '../../../src/catalog/points-in-time.ts';
import type { Manifest, UnsignedManifest } from '../../../src/model/manifest.ts';
import type { ListedBackup } from '../../../src/model/report.ts';
import { parseMoment } from '../../../src/model/time.ts';
import { chooseStates } from '../../../src/operations/chosen-states.ts';
import type { Repository } from '../../../src/repository.ts';
import { MANIFEST_FIELDS } from '../../support/manifests.ts';

const NOW = parseMoment('2025-01-31');
const STORES = [
  { platform: { clock: { now: () => NOW } }, store: { label: 'the store' } },
] as unknown as Repository[];

/** A backup whose window of one minute ends at `end`, a time in January 2025. */
function listed(id: string, end: string, facts: Partial<UnsignedManifest> = {}, good = true): ListedBackup {
  const window = { start: `2025-01-${end.slice(0, 2)}T00:00:00.000000Z`, end: `2025-01-${end}.000000Z` };
  const [collection = ''] = id.split('_');
  return {
    manifest: {
      ...MANIFEST_FIELDS,
      backup_id: id,
      collection,
      window,
      manifest_sha256: id,
      ...facts,
    } as Manifest,
    good,
  };
}

const FULL = listed('users_full_1', '10T12:00:00');
const INCREMENT = listed('users_incremental_2', '11T12:00:00', {
  backup_type: 'incremental',
  base_backup_id: 'users_full_1',
});
const EVENTS = listed('events_full_3', '12T12:00:00');

function chosen(at: string | null, backups: readonly ListedBackup[], collections: string[] | null = null) {
  const time = at === null ? null : parseMoment(at);
  const { states, failures, doubts } = chooseStates(STORES, backups, collections, time);
  return {
    ids: states.map(({ manifest }) => manifest.backup_id),
    failed: failures.map(({ object }) => object),
    doubts,
  };
}

describe('the states that a restore takes', () => {
  it('are the newest of each collection whose window has ended by the time, full or incremental', () => {
    const all = [EVENTS, INCREMENT, FULL];
    expect(chosen(null, all).ids).toEqual(['events_full_3', 'users_incremental_2']);
    expect(chosen('2025-01-12 12:00', all).ids).toEqual(['events_full_3', 'users_incremental_2']);
    expect(chosen('2025-01-12T11:59:59.999999Z', all)).toMatchObject({
      ids: ['users_incremental_2'],
      failed: ['events'],
    });
    // the increment was being read
    expect(chosen('2025-01-11T11:59:59Z', all, ['users']).ids).toEqual(['users_full_1']);
    expect(chosen('2025-01-11T12:00:00Z', all, ['users']).ids).toEqual(['users_incremental_2']);
  });

  it('are never of a time before the first one or yet to come: the range is named', () => {
    for (const at of ['2025-01-10T11:59:59Z', '2025-01-31T00:00:01Z', '2030-01-01']) {
      expect(() => chosen(at, [EVENTS, INCREMENT, FULL])).toThrow(
        /there are states from 2025-01-10T12:00:00.000000Z to 2025-01-12T12:00:00.000000Z/,
      );
    }
    expect(() => chosen('2025-01-11', [EVENTS, INCREMENT, FULL], ['events'])).toThrow(/before the first/);
  });

  it('are neither incomplete nor damaged, nor built on what is', () => {
    const incomplete = listed('users_full_4', '13T12:00:00', { status: 'incomplete' }, false);
    expect(chosen(null, [incomplete, FULL])).toMatchObject({ ids: ['users_full_1'] });
    expect(chosen(null, [incomplete, FULL]).doubts).toEqual([
      'users_full_1 is not the newest: not taken users_full_4 (incomplete)',
    ]);
    const older = listed('users_full_0', '09T12:00:00');
    expect(chosen(null, [INCREMENT, older]).ids).toEqual(['users_full_0']);
    const damaged: ListedBackup = { ...FULL, good: false, marks: ['bad'] };
    const { ids, doubts } = chosen(null, [INCREMENT, damaged, older]);
    expect(ids).toEqual(['users_full_0']);
    expect(doubts[0]).toMatch(
      /users_incremental_2 \(its base is not there, or not good\), users_full_1 \(damaged\)/,
    );
  });

  it('come with a word where one is empty and an older one is not', () => {
    const empty = listed('users_full_5', '14T12:00:00', { document_count: 0 });
    expect(chosen(null, [empty, FULL]).doubts).toEqual([
      'users_full_5 is empty; users_full_1 has 1250 documents: restore it by its id if they are wanted',
    ]);
    // at that time it was not empty yet
    expect(chosen('2025-01-13', [empty, FULL])).toEqual({ ids: ['users_full_1'], failed: [], doubts: [] });
  });

  it('reach from the first good one to the newest', () => {
    expect(recoverableRanges([EVENTS, INCREMENT, FULL])).toEqual([
      { collection: 'events', first: '2025-01-12T12:00:00.000000Z', last: '2025-01-12T12:00:00.000000Z' },
      { collection: 'users', first: '2025-01-10T12:00:00.000000Z', last: '2025-01-11T12:00:00.000000Z' },
    ]);
    expect(recoverableRanges([INCREMENT])).toEqual([]);
  });
});
