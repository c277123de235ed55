import { describe, expect, it } from 'vitest';
import { bareRows, listByCollection } from '../../../src/cli/output/backup-list.ts';
import type { ListedBackup } from '../../../src/model/report.ts';

function listed(backupId: string, facts: Partial<ListedBackup['manifest']> = {}, good = true): ListedBackup {
  const [collection, backup_type] = backupId.split(/_(?=full|incremental)|_\d/);
  return {
    manifest: {
      backup_id: backupId,
      collection,
      backup_type,
      status: 'completed',
      file_name: `${backupId}.json.gz`,
      object_path: `backups/${backupId}.json.gz`,
      ...facts,
    } as ListedBackup['manifest'],
    good,
  };
}

const full = listed('users_full_20250109_143000', {
  created_at: '2025-01-09T14:30:00.123456',
  document_count: 1250,
  file_size: Math.round(2.1 * 1024 * 1024),
});
const incremental = listed('users_incremental_20250109_150000', {
  created_at: '2025-01-09T15:00:00.000000',
  document_count: 45,
  file_size: 125 * 1024,
});

describe('the list of backups', () => {
  it("is the specification's example", () => {
    expect(listByCollection([full, incremental], { backups: 145, collections: 14 }, false).join('\n')).toBe(`
================================================================================
  AVAILABLE BACKUPS
================================================================================

Total Backups: 145
Collections: 14

USERS (2 backups):
--------------------------------------------------------------------------------
Backup ID                                     Collection          Type          Date                  Docs      Size
--------------------------------------------------------------------------------------------------------------------
users_full_20250109_143000                    users               full          2025-01-09 14:30:00   1250      2.1 MB
users_incremental_20250109_150000             users               incremental   2025-01-09 15:00:00   45        125 KB`);
  });

  it('never cuts an id', () => {
    const long = 'newsletter_subscriptions_and_their_history_incremental_20250109_120000';
    const rows = bareRows([listed(long, { ...incremental.manifest, backup_id: long }), full], false);
    expect(rows.map((row) => row.split(/\s+/)[0])).toEqual([long, 'users_full_20250109_143000']);
    expect(rows[0]!.indexOf('users ')).toBe(rows[1]!.indexOf('users '));
  });

  it('holds the word Size, with --verbose, in the lines to be added up and nowhere else', () => {
    const lines = listByCollection([full, incremental], { backups: 2, collections: 1 }, true);
    const sizes = lines.filter((line) => line.includes('Size'));
    expect(sizes).toEqual(['  Size (MB): 2.100', '  Size (MB): 0.122']);
    expect(lines).toContain('  Object Path: backups/users_full_20250109_143000.json.gz');
  });

  it('says which backups are not good', () => {
    const rows = bareRows(
      [
        listed('a_full_20250109_143000', { ...full.manifest, status: 'incomplete' }, false),
        listed('b_full_20250109_143000', full.manifest, false),
      ],
      false,
    );
    expect(rows[0]).toMatch(/2\.1 MB {2}incomplete$/);
    expect(rows[1]).toMatch(/2\.1 MB {2}damaged$/);
  });

  it('cannot be forged by a name', () => {
    const rows = bareRows(
      [listed('x_full_20250109_143000', { ...full.manifest, collection: 'a\nb\x1b[2J' })],
      false,
    );
    expect(rows.join('')).toContain('a\\nb\\x1b[2J');
  });
});
