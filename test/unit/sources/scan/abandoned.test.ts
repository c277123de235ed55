import { expect, test } from 'vitest';
import type { Http } from '../../../../src/kernel/http.ts';
import { createPlatform } from '../../../../src/platform/platform.ts';
import { Scan } from '../../../../src/sources/scan/scan.ts';
import { Project, SETTINGS } from '../../../support/project.ts';

test('whoever stops reading in the middle leaves no request under way', async () => {
  await using project = await Project.open(SETTINGS[0]);
  for (let number = 0; number < 5000; number++) project.sandbox.insert('users', `{"id":"d${number}"}`);
  const platform = createPlatform();
  let underWay = 0;
  const request: Http['request'] = async (asked) => {
    underWay++;
    try {
      return await platform.http.request(asked);
    } finally {
      underWay--;
    }
  };
  const watched = { ...platform, http: { request, close: () => platform.http.close() } };
  const { target, repository } = await project.openTool(watched);
  const pages = target.openCollection('users');
  const { sizes } = repository;
  const scan = await Scan.open(pages, {
    platform,
    scratch: { sizes, openTemporary: () => Promise.reject(new Error('nothing is spilled')) },
  });
  for await (const batch of scan.batches()) {
    expect(batch.spans.count).toBeGreaterThan(0);
    expect(underWay).toBe(1);
    break;
  }
  expect(underWay).toBe(0);
  await platform.http.close();
});
