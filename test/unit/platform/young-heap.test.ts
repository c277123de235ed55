import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { expect, test } from 'vitest';
import { noteShortLived } from '../../../src/platform/young-heap.ts';

function youngMegabytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!.space_size / 2 ** 20;
}

test('a stream of requests does not make the young generation grow without need', async () => {
  const alive: unknown[] = [];
  for (let request = 0; request < 60_000; request++) {
    noteShortLived();
    // some kilobytes of objects a request, of which the last few hundred are alive
    alive[request % 500] = Array.from({ length: 60 }, (_, at) => ({ request, at, text: `${request}/${at}` }));
    if (request % 1000 === 0) await sleep(0);
  }
  expect(alive).toHaveLength(500);
  expect(youngMegabytes()).toBeLessThan(40);
});
