import { expect, test } from 'vitest';
import { Project, SETTINGS } from '../../support/project.ts';

// page one, nothing behind it; then the counting: the page, nothing behind it, the page again
test.each([1, 4])('a table of %i rows that stand still takes five requests for rows', async (rows) => {
  await using project = await Project.open(SETTINGS[2]);
  for (let number = 0; number < rows; number++) project.sandbox.insert('users', `{"id":"u${number}"}`);
  let asked = 0;
  project.sandbox.beforeRequest(({ path }) => {
    if (path.endsWith('/rows')) asked++;
  });
  const report = await project.backup({ collections: ['users'] });
  expect(report).toMatchObject({ exit_code: 0, backups: [{ document_count: rows, consistency: 'window' }] });
  expect(asked).toBe(5);
});
