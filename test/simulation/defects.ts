import type { Change } from '../support/planted-changes.ts';

/** Changes of the tool that look harmless and break a promise. */
export const DEFECTS: Readonly<Record<string, readonly Change[]>> = {
  'what was stored is not read back': [
    {
      file: 'operations/backup-collection.ts',
      find: 'if (job.readBack && !job.dryRun) {',
      replace: 'if (job.readBack && job.dryRun) {',
    },
  ],
  'the index is not read back': [
    {
      file: 'operations/backup-draft.ts',
      find: 'if (this.#options.readBack && !this.#options.dryRun) {',
      replace: 'if (this.#options.readBack && this.#options.dryRun) {',
    },
  ],
  'the marker is not read back': [
    { file: 'repository.ts', find: 'if (returned.equals(bytes)) return;', replace: 'return;' },
  ],
  'files are not synced': [{ file: 'stores/directory.ts', find: 'await writer.sync();', replace: '' }],
  'directories are not synced after a new name': [
    {
      file: 'stores/directory.ts',
      find: 'await files.syncDirectory(parentOf(final));',
      replace: '',
    },
  ],
  'new directories are not synced': [
    { file: 'stores/directory.ts', find: 'await files.syncDirectory(parent);', replace: '' },
  ],
  'objects are written under their own name': [
    {
      file: 'stores/directory.ts',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a piece of source
      find: 'const partial = `${partialDirectory}/${randomHex(random, 16)}`;',
      replace: 'const partial = final;',
    },
    { file: 'stores/directory.ts', find: 'await publish(partial, final);', replace: 'created = false;' },
  ],
  'objects are overwritten': [
    {
      file: 'stores/directory.ts',
      find: 'await files.link(partial, final);',
      replace: 'await files.rename(partial, final);',
    },
    { file: 'model/backup-id.ts', find: 'if (taken.has(id)) continue;', replace: '' },
  ],
  'a list that fails is an empty one': [
    {
      file: 'stores/directory.ts',
      find: 'of await files.list(directory)) {\n    signal',
      replace: 'of await files.list(directory).catch(() => [])) {\n    signal',
    },
  ],
  'what belongs to a committed backup is withdrawn': [
    {
      file: 'operations/backup-draft.ts',
      find: 'this.#uncommitted = []; // from here on a lost answer may hide a success',
      replace: '',
    },
  ],
  'a dry run commits': [
    { file: 'operations/backup-draft.ts', find: 'if (this.#options.dryRun) return;', replace: '' },
  ],
  'an unproved scan is complete': [
    {
      file: 'operations/backup-collection.ts',
      find: "status: isComplete(scan.finding) ? 'completed' : 'incomplete',",
      replace: "status: 'completed',",
    },
    {
      file: 'operations/backup-collection.ts',
      find: 'missing: whatIsMissing(scan.finding),',
      replace: 'missing: [],',
    },
  ],
  'a short page is the last one': [
    {
      file: 'sources/scan/keyset.ts',
      find: 'if (count === 0) {',
      replace:
        'if (count > 0 && count < reader.limit) { yield page; return { proved: true }; }\n    if (count === 0) {',
    },
  ],
  'a cut answer is a short one': [
    { file: 'zerodb/pages.ts', find: '  scanner.finish();', replace: '  try { scanner.finish(); } catch {}' },
  ],
  'inserts are repeated blindly': [
    { file: 'zerodb/patient-http.ts', find: 'if (!request.repeatable) throw error;', replace: '' },
  ],
  "a manifest's own hash is not checked": [
    {
      file: 'model/canonical-record.ts',
      find: 'if (computedHash !== hash) throw',
      replace: 'if (false) throw',
    },
  ],
  'verify looks at sizes only': [
    {
      file: 'operations/verify.ts',
      find: "if (hash.hex() !== sha256) throw objectDamaged(manifest, key, 'holds other bytes than were stored');",
      replace: '',
    },
  ],
  'damaged manifests are left out': [
    {
      file: 'catalog/catalog.ts',
      find: 'damaged.push({ backupId: id, error: toBackupError(thrown, { object: id }) });',
      replace: '',
    },
  ],
  'a marker that cannot be read is no error of verify': [
    { file: 'operations/verify.ts', find: 'exits.push(...marker.map(exitOf));', replace: '' },
  ],
  'ids of indexes that were left behind are free': [
    { file: 'catalog/catalog.ts', find: '  [INDEX_PREFIX, backupIdOfIndexKey],', replace: '' },
  ],
  'a stop does not wait': [
    { file: 'kernel/workers.ts', find: 'failures.push(thrown);', replace: 'throw thrown;' },
  ],
  'failures of scratch files are defects': [
    { file: 'kernel/scratch.ts', find: 'throw stateError(thrown, directory);', replace: 'throw thrown;' },
  ],
  'documents are matched by logical id alone': [
    {
      file: 'operations/restore/match/match.ts',
      find: 'left.current.compare(right.current, 0, HASH_BYTES, 0, HASH_BYTES);\n    const at',
      replace: '-1;\n    const at',
    },
  ],
  'a restore writes nothing': [
    {
      file: 'operations/restore/write/apply.ts',
      find: 'queue.begin(() => write(batch, index, kept));',
      replace: 'void kept;',
    },
  ],
  'the record of a restore is kept after it has written': [
    {
      file: 'operations/restore.ts',
      find: 'const restoreId = isRecorded ? await keepRecord(plan.parts, onEvent, signal) : null;',
      replace: 'let restoreId: string | null = null;',
    },
    {
      file: 'operations/restore.ts',
      find: 'const spent = Math.round(clock.monotonic() - begun);',
      replace:
        'if (isRecorded) restoreId = await keepRecord(plan.parts, onEvent, signal);\n    const spent = Math.round(clock.monotonic() - begun);',
    },
  ],
  'a record that cannot be kept is passed over': [
    {
      file: 'operations/restore/keep/record.ts',
      find: 'return restoreId;\n  } catch (thrown) {\n    throw cannotKeep(thrown, origin.backupId);',
      replace: 'return restoreId;\n  } catch {\n    return restoreId;',
    },
  ],
  'what is deleted is not kept': [
    {
      file: 'operations/restore/keep/pre-images.ts',
      find: 'yield* documentsAt(parts, deletions, DELETION.place, signal);',
      replace: '',
    },
  ],
  'an undo does not bring back what was deleted': [
    {
      file: 'operations/restore/match/undo-decisions.ts',
      find: "} else if (change.do === 'replace' && (ours.flags & TAKEN_AWAY) === 0) {",
      replace: '} else if (true) {',
    },
  ],
  'a merge drops what only the target has': [
    {
      file: 'operations/restore/merge.ts',
      find: 'return spliceMembers(theirs, ours) ?? ours;',
      replace: 'return ours;',
    },
  ],
  'an exact restore leaves the rest': [
    {
      file: 'operations/restore/match/decisions.ts',
      find: 'if (!this.#exact) {',
      replace: 'if (true) {',
    },
  ],
  'a restore that is gone on with inserts what is there': [
    {
      file: 'operations/restore.ts',
      find: 'await matchDocuments(proved.scratch, records, state.records.runs, moved, decisions);',
      replace:
        'await matchDocuments(proved.scratch, records, request.continues === undefined ? state.records.runs : new Actions(proved.scratch).writes, null, decisions);',
    },
  ],
  'more is restored than was asked for': [
    {
      file: 'operations/restore/prove.ts',
      find: ': options.ids !== undefined\n',
      replace: ': false\n',
    },
  ],
  'a collection is left out of a backup': [
    {
      file: 'operations/backup.ts',
      find: 'let queue = [...candidates];',
      replace: 'let queue = candidates.slice(1);',
    },
  ],
  'a partly failed backup ends with 0': [
    { file: 'operations/backup.ts', find: 'exit_code: combinedExit(exits),', replace: 'exit_code: 0,' },
  ],
  'a document is in a backup as often as it was read': [
    {
      file: 'sources/scan/collector.ts',
      find: 'fresh.push(await this.#seen.add(identity));',
      replace: 'fresh.push((await this.#seen.add(identity)) || true);',
    },
  ],
  'of the keys that were spilled the first is forgotten': [
    {
      file: 'sources/scan/seen-keys.ts',
      find: 'const sorted = sortRecords(unsorted, KEY_BYTES);',
      replace: 'const sorted = sortRecords(unsorted, KEY_BYTES).subarray(KEY_BYTES);',
    },
  ],
  'the content digest is that of the stored bytes': [
    {
      file: 'operations/backup-collection.ts',
      find: 'content_digest: writer.totals.contentDigest',
      replace: 'content_digest: writer.totals.documentsDigest',
    },
  ],
  'a damaged archive ends as a failed store does': [
    { file: 'kernel/errors.ts', find: 'ARCHIVE_DAMAGED: { exit: 4,', replace: 'ARCHIVE_DAMAGED: { exit: 7,' },
  ],
  'a show goes on behind its failure': [
    {
      file: 'operations/list.ts',
      find: 'for (const key of keys) objects.push({ key, size: await repository.store.size(key, context.signal) });',
      replace:
        'await Promise.all(keys.map(async (key) => objects.push({ key, size: await repository.store.size(key, context.signal) })));',
    },
  ],
  'an increment forgets what is deleted': [
    {
      file: 'operations/incremental/increment.ts',
      find: 'this.deletedKeys = deleted;',
      replace: '',
    },
  ],
  'an increment is built on a base that is not complete': [
    {
      file: 'operations/destinations.ts',
      find: 'isGood(one, first.catalog.marks) &&',
      replace: '',
    },
  ],
  'the base of an increment is not proved by its index': [
    {
      file: 'archive/index-entries.ts',
      find: '!== pageHashes[page]) {',
      replace: '=== null) {',
    },
    {
      file: 'operations/incremental/proved-base.ts',
      find: 'if (digest.hex() !== documents_digest)',
      replace: 'if (digest === null)',
    },
  ],
  'an index that is lost during a scan fails the backup': [
    {
      file: 'operations/incremental/proved-base.ts',
      find: 'return isDamage ? new NotIncremental(thrown.message) : thrown;',
      replace: 'return thrown;',
    },
  ],
  'of an increment and its base the replaced documents are read as well': [
    {
      file: 'operations/state-reading.ts',
      find: 'batch.spans.retain((index) => survives(batch, index));',
      replace: '',
    },
  ],
  'an increment is taken for the whole': [
    {
      file: 'operations/state-reading.ts',
      find: "return manifest.backup_type === 'incremental' && manifest.base_backup_id !== null;",
      replace: 'return false;',
    },
    {
      file: 'operations/verified-reading.ts',
      find: 'if (standsAlone && base_backup_id === null && deleted_count === 0) return;',
      replace: 'if (standsAlone || true) return;',
    },
  ],
  'a cleanup ignores bases': [
    {
      file: 'catalog/retention.ts',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a piece of source
      find: 'if (base !== undefined) reasons.get(base)!.push(`base of ${backup.backupId}`);',
      replace: '',
    },
  ],
  'the base of what could not be removed is removed': [
    {
      file: 'operations/cleanup/cleanup.ts',
      find: 'if (needed.has(manifest.backup_id)) throw stillNeeded(manifest.backup_id);',
      replace: '',
    },
  ],
  'the data of a backup goes before its manifest': [
    {
      file: 'operations/cleanup/removal.ts',
      find: '    manifestKey(backup_id),\n    indexKey(backup_id),\n    object_path,\n',
      replace: '    object_path,\n    indexKey(backup_id),\n    manifestKey(backup_id),\n',
    },
  ],
  'a cleanup ignores manifests that it cannot read': [
    {
      file: 'operations/cleanup/cleanup.ts',
      find: 'if (unreadable !== undefined) {',
      replace: 'if (unreadable !== undefined && now < 0) {',
    },
  ],
  'the last good full backup goes': [
    {
      file: 'catalog/retention.ts',
      find: "if (newest !== undefined) reasons.get(newest)!.push('newest good full backup');",
      replace: '',
    },
  ],
  'a backup of the future is no reason to stop': [
    {
      file: 'operations/cleanup/cleanup.ts',
      find: 'if (ahead !== undefined) {',
      replace: 'if (ahead === null) {',
    },
  ],
  'what runs at work have stored is swept': [
    {
      file: 'operations/cleanup/leftovers.ts',
      find: 'const GRACE_MS = 7 * 24 * 60 * 60 * 1000;',
      replace: 'const GRACE_MS = 0;',
    },
  ],
  'restores that can be undone are swept': [
    {
      file: 'operations/cleanup/leftovers.ts',
      find: 'const RESTORES_MS = 30 * 24 * 60 * 60 * 1000;',
      replace: 'const RESTORES_MS = 0;',
    },
  ],
  'what a crash has left stays for ever': [
    {
      file: 'operations/cleanup/leftovers.ts',
      find: 'now - startedAt <= GRACE_MS) continue;',
      replace: 'now > 0) continue;',
    },
  ],
  'the key is logged': [
    {
      file: 'zerodb/patient-http.ts',
      find: 'const turn = await pace.turn(request.signal);',
      replace:
        "const turn = await pace.turn(request.signal); this.#world.log.write('debug', JSON.stringify(request.headers));",
    },
  ],
};
