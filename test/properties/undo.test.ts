import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyRestore } from '../../src/operations/restore.ts';
import { planUndo } from '../../src/operations/undo.ts';
import { Project, SETTINGS } from '../support/project.ts';

/** A state of a collection: payload by id. */
type State = ReadonlyMap<string, string>;

const idNumbers = fc.nat(20);
const value = fc.constantFrom('1', '1.0', '"x"', 'null', '{"a":[1,2]}');
const members = fc.uniqueArray(fc.tuple(fc.constantFrom('value', 'a', 'b', '10'), value), {
  selector: ([name]) => name,
});
const state: fc.Arbitrary<State> = fc
  .array(fc.tuple(idNumbers, members), { maxLength: 25 })
  .map((entries) => new Map(entries.map(([id, own]) => [`d${id}`, document(`d${id}`, new Map(own))])));

function document(id: string, own: ReadonlyMap<string, string>): string {
  return `{"id":"${id}"${[...own].map(([name, text]) => `,"${name}":${text}`).join('')}}`;
}

/** The members of a document without nesting beyond one level, as texts. */
function membersOf(text: string): Map<string, string> {
  const found = text.matchAll(/,"([^"]+)":(\{[^}]*\}|[^,}]+)/g);
  return new Map([...found].map(([, name, member]) => [name!, member!]));
}

/** What each mode must leave. */
const MODES = {
  replace: (saved: State, live: State): State => new Map([...live, ...saved]),
  exact: (saved: State): State => saved,
  merge: (saved: State, live: State): State => {
    const merged = new Map(live);
    for (const [id, text] of saved) {
      const there = live.get(id);
      const own = there === undefined ? membersOf(text) : new Map([...membersOf(there), ...membersOf(text)]);
      merged.set(id, document(id, own));
    }
    return merged;
  },
};

/** What the application does after the restore: writes documents, or deletes them. */
const afterwards = fc.array(fc.tuple(idNumbers, fc.boolean()), { maxLength: 8 });

const TOUCHED = '"by the application"';

function load(project: Project, documents: State, dialect: string): void {
  project.sandbox.wipe();
  // keys of rows are the server's, not the ids in them
  for (const [id, payload] of documents)
    project.sandbox.insert('users', Buffer.from(payload), { key: dialect === 'B' ? `row-${id}` : id });
}

/** Makes the collection hold these documents, writing only where they differ. */
function write(project: Project, documents: State): void {
  const keys = new Map<string, { key: string; payload: string }>();
  for (const { key, data } of project.sandbox.documents('users')) {
    const payload = data.toString('utf8');
    keys.set((JSON.parse(payload) as { id: string }).id, { key, payload });
  }
  for (const [id, { key }] of keys) if (!documents.has(id)) project.sandbox.delete('users', key);
  for (const [id, payload] of documents) {
    const found = keys.get(id);
    if (found === undefined) project.sandbox.insert('users', Buffer.from(payload), { key: `${id}-again` });
    else if (found.payload !== payload) project.sandbox.update('users', found.key, Buffer.from(payload));
  }
}

function sorted(documents: State): string[] {
  return [...documents.values()].sort();
}

async function undo(project: Project, restoreId: string) {
  const plan = await planUndo(project.repository, project.target, restoreId);
  try {
    return await applyRestore(plan);
  } finally {
    await plan.close();
  }
}

test.each(SETTINGS)(
  'a restore leaves what its mode says, its undo what nobody touched since ($dialect, $shape)',
  async (setting) => {
    await using project = await Project.open(setting);
    let undone = 0;
    await fc.assert(
      fc.asyncProperty(
        state,
        state,
        afterwards,
        fc.constantFrom('replace' as const, 'merge' as const, 'exact' as const),
        async (saved, live, writes, mode) => {
          load(project, saved, setting.dialect);
          const { backups } = await project.backup({ collections: ['users'] });
          const backupId = backups[0]!.backup_id;
          if (backupId === null) return; // nothing there
          load(project, live, setting.dialect);
          const { report } = await project.restore({ backupId, mode });
          expect(report.exit_code).toBe(0);
          const restored = MODES[mode](saved, live);
          expect(project.payloads('users')).toEqual(sorted(restored));
          if (report.restore_id === undefined) {
            expect(restored).toEqual(live);
            return;
          }

          // the application goes on
          const now = new Map(restored);
          for (const [number, deletes] of writes) {
            const id = `d${number}`;
            if (deletes) now.delete(id);
            else now.set(id, `{"id":"${id}","value":${TOUCHED}}`);
          }
          write(project, now);

          const changed = new Set(
            [...new Set([...restored.keys(), ...live.keys()])].filter(
              (id) => restored.get(id) !== live.get(id),
            ),
          );
          const touched = [...changed].filter((id) => restored.get(id) !== now.get(id));
          // gone either way: there is nothing left to take back, and nothing to name
          const conflicts = touched.filter((id) => now.get(id) !== live.get(id));
          const expected = new Map(now);
          for (const id of changed) {
            if (touched.includes(id)) continue;
            const before = live.get(id);
            if (before === undefined) expected.delete(id);
            else expected.set(id, before);
          }
          const taken = await undo(project, report.restore_id);
          expect(project.payloads('users')).toEqual(sorted(expected));
          expect(taken.counts.changed).toBe(conflicts.length);
          expect(taken.exit_code).toBe(conflicts.length === 0 ? 0 : 3);
          undone++;

          if (taken.restore_id === undefined) return;
          await undo(project, taken.restore_id);
          expect(project.payloads('users')).toEqual(sorted(now));
        },
      ),
      { numRuns: 25 },
    );
    expect(undone).toBeGreaterThan(10);
  },
);
