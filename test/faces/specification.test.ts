import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeManifest, type Manifest } from '../../src/model/manifest.ts';
import { zlibCodec } from '../../src/platform/zlib-codec.ts';
import { runShell } from '../support/command-line.ts';
import { type ServedProject, serveProject } from '../support/served-project.ts';

/**
 * The scripts of the specification as they stand there, but for `python scripts/backup.py`, which is called
 * `zerodb-backup` here, and for options that come with later versions.
 */

let project: ServedProject;

beforeEach(async () => {
  project = await serveProject({ dialects: ['A'] });
});

afterEach(() => project[Symbol.asyncDispose]());

/** What full_system_restore.sh brings back here. */
const RESTORED = ['users', 'events', 'training_sessions', 'audit_logs'];

function shell(script: string) {
  return runShell(script, { env: project.env, cwd: project.home });
}

describe("the specification's scripts", () => {
  it('full_system_restore.sh restores every collection', async () => {
    const { sandbox } = project;
    sandbox.insert('training_sessions', '{"id":"t1"}');
    sandbox.insert('audit_logs', '{"id":"a1"}');
    const digest = () => RESTORED.map((name) => sandbox.digest(name));
    const before = digest();
    await shell('zerodb-backup --backup');
    sandbox.wipe();
    const { code, stdout, stderr } = await shell(`
# Step 1: Get latest backups for all collections
zerodb-backup --list > available_backups.txt

# Step 2: Restore each collection (use latest full backup)
for collection in users events training_sessions audit_logs; do
    # Find latest full backup for collection
    BACKUP_ID=$(zerodb-backup --list --collection $collection --backup-type full | head -n 1 | awk '{print $1}')

    echo "Restoring $collection from $BACKUP_ID..."
    zerodb-backup --restore $BACKUP_ID

    if [ $? -ne 0 ]; then
        echo "ERROR: Failed to restore $collection"
        exit 1
    fi
done

echo "Full system recovery completed successfully"
`);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('Full system recovery completed successfully');
    expect(stdout).toMatch(/Restoring training_sessions from training_sessions_full_\d{8}_\d{6}\.\.\./);
    expect(digest()).toEqual(before);
  });

  it('full_system_restore.sh stops at a collection that has no backup', async () => {
    await shell('zerodb-backup --backup --collections users');
    const { code, stdout, stderr } = await shell(`
for collection in users applications; do
    BACKUP_ID=$(zerodb-backup --list --collection $collection --backup-type full | head -n 1 | awk '{print $1}')
    zerodb-backup --restore $BACKUP_ID
    if [ $? -ne 0 ]; then
        echo "ERROR: Failed to restore $collection"
        exit 1
    fi
done
`);
    expect(code).toBe(1);
    expect(stdout).toContain('ERROR: Failed to restore applications');
    expect(stderr).toContain('--restore was given no backup id');
  });

  it('quarterly_restore_test.sh passes, and its dry run writes nothing', async () => {
    const { sandbox } = project;
    sandbox.insert('users_archive', '{"id":"x"}');
    const writes = sandbox.writes;
    const { code, stdout, stderr } = await shell(`
# Step 1: Create test backup
echo "Creating test backup..."
zerodb-backup --backup --collections users

# Step 2: Get backup ID
BACKUP_ID=$(zerodb-backup --list --collection users --limit 1 | grep users | awk '{print $1}')

# Step 3: Validate backup
echo "Validating backup..."
zerodb-backup --restore $BACKUP_ID --validate-only

if [ $? -ne 0 ]; then
    echo "FAIL: Backup validation failed"
    exit 1
fi

# Step 4: Test restore to staging environment
echo "Testing restore (dry run)..."
zerodb-backup --restore $BACKUP_ID --dry-run

if [ $? -ne 0 ]; then
    echo "FAIL: Restore dry run failed"
    exit 1
fi

echo "PASS: Quarterly restore test completed successfully"
`);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('PASS: Quarterly restore test completed successfully');
    // the entry of the backup in backup_metadata
    expect(sandbox.writes).toBe(writes + 1);
  });

  it('monthly verification finds the backups of a day', async () => {
    await shell('zerodb-backup --backup');
    const { code, stdout } = await shell('zerodb-backup --list | grep $(date -u +%Y%m%d)');
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(await shell('zerodb-backup --list --collection users | grep 19990108')).toMatchObject({
      code: 1,
      stdout: '',
    });
  });

  it('storage usage adds up the archives, in megabytes', async () => {
    await shell('zerodb-backup --backup');
    const { stdout } = await shell(
      `zerodb-backup --list --verbose | grep "Size" | awk '{sum+=$NF} END {print sum " MB total"}'`,
    );
    const { stdout: bytes } = await shell(`cat ${project.storePath}/backups/*.json.gz | wc -c`);
    const [, total] = /^([\d.]+) MB total\n$/.exec(stdout)!;
    expect(Math.abs(Number(total) - Number(bytes) / 1024 / 1024)).toBeLessThanOrEqual(0.001);
  });

  it('failed backups are found in the log', async () => {
    const name = `missing_${process.pid}_${Date.now()}`;
    await shell(`zerodb-backup --backup --collections ${name}`);
    const { stdout } = await shell('tail -100 /tmp/zerodb_backup_cli.log | grep "ERROR"');
    expect(stdout).toMatch(new RegExp(`ERROR ${name}: .*${name}`));
    expect((await shell('stat -c %a /tmp/zerodb_backup_cli.log')).stdout).toBe('600\n');
  });

  it('archives open with zcat and jq', async () => {
    await shell('zerodb-backup --backup');
    const { stdout } = await shell(`zcat ${project.storePath}/backups/users_full_*.json.gz`);
    const archive = JSON.parse(stdout);
    expect(archive).toMatchObject({ collection: 'users', backup_type: 'full', document_count: 250 });
    expect(archive.documents).toHaveLength(250);
  });

  it('a row that is not good is left out of rows for scripts, and named', async () => {
    await shell('zerodb-backup --backup --collections users');
    const good = (await shell('zerodb-backup --list --collection users')).stdout.split(' ')[0]!;
    const incomplete = addIncomplete(project.storePath, good);
    const listed = await shell('zerodb-backup --list --collection users --limit 1');
    expect(listed.stdout.split(' ')[0]).toBe(good);
    expect(listed.stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(listed.stderr).toContain(`incomplete: ${incomplete}`);
    const everything = (await shell('zerodb-backup --list')).stdout;
    expect(everything).toMatch(new RegExp(`${incomplete} .* incomplete\n`));
  });
});

/** A younger backup of the same collection whose scan was not complete. */
function addIncomplete(storePath: string, backupId: string): string {
  const record = JSON.parse(readFileSync(`${storePath}/manifests/${backupId}.json`, 'utf8')) as Manifest;
  const { manifest_sha256: _hash, ...fields } = record;
  const backup_id = 'users_full_29990101_000000';
  const bytes = encodeManifest(zlibCodec, {
    ...fields,
    backup_id,
    object_path: record.object_path.replace(backupId, backup_id),
    file_name: record.file_name.replace(backupId, backup_id),
    created_at: '2999-01-01T00:00:00.000000',
    status: 'incomplete',
    missing: ['a document that the server cannot deliver'],
  });
  writeFileSync(`${storePath}/manifests/${backup_id}.json`, bytes);
  return backup_id;
}
