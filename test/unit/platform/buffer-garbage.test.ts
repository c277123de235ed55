import { expect, it } from 'vitest';
import { noteBuffers } from '../../../src/platform/buffer-garbage.ts';

const MIB = 1 << 20;

it('keeps the pile of buffers that nobody holds any more low', async () => {
  const start = process.memoryUsage().arrayBuffers;
  let highest = 0;
  for (let allocated = 0; allocated < 500; allocated++) {
    Buffer.allocUnsafeSlow(MIB).fill(1);
    noteBuffers(MIB);
    await Promise.resolve();
    highest = Math.max(highest, process.memoryUsage().arrayBuffers - start);
  }
  expect(highest / MIB).toBeGreaterThan(8); // not one collection for each buffer
  expect(highest / MIB).toBeLessThan(80); // without: about 120
});
