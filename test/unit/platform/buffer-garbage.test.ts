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

it('collects what has outlived the collections of young objects, once in a while', async () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const old: { held: object | null } = { held: { name: 'survivor of the first collections' } };
  const reference = new WeakRef(old.held!);
  const note = async (mebibytes: number) => {
    for (let noted = 0; noted < mebibytes; noted += 16) {
      noteBuffers(16 * MIB);
      await turn(); // a WeakRef holds its object until the end of the turn
    }
  };
  await note(64);
  old.held = null;
  await note(1024);
  expect(reference.deref()).toBeUndefined();
});
