import { expect } from 'vitest';
import { indexKey, manifestKey } from '../../src/archive/layout.ts';
import { list } from '../../src/operations/list.ts';
import type { Project } from './project.ts';

/** Expects a directory store that holds the backups that it shows, with all their objects, and nothing else. Returns how many. */
export async function expectNothingLeftBehind(project: Project): Promise<number> {
  const tree = await project.storeTree();
  const found = [...tree.keys()].filter((path) => /_full_|\.partial\//.test(path));
  if (tree.size === 0) return 0;
  const { backups, errors } = await list(project.repository, {});
  expect(errors).toEqual([]);
  const expected = backups.flatMap(({ manifest: { backup_id, object_path } }) => [
    `/${object_path}`,
    `/${indexKey(backup_id)}`,
    `/${manifestKey(backup_id)}`,
  ]);
  expect(found.sort()).toEqual(expected.sort());
  return backups.length;
}
