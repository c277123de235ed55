import { expect, it } from 'vitest';
import { runWorkers } from '../../../src/kernel/workers.ts';

it('a failure is thrown when all others have come to their end, the one that came first of several', async () => {
  let started = 0;
  let ended = 0;
  const work = async (): Promise<void> => {
    const number = started++;
    await new Promise((resolve) => setTimeout(resolve, 20 - 5 * number));
    ended++;
    if (number > 0) throw new Error(`worker ${number}`);
  };
  await expect(runWorkers(4, work)).rejects.toThrow('worker 3');
  expect(ended).toBe(4);
});
