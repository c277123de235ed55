import { expect, it } from 'vitest';
import { releaseMemory } from '../../../src/kernel/memory.ts';

it('takes a large buffer away from all who hold a view of it', () => {
  const whole = Buffer.alloc(1 << 20, 'x');
  const view = whole.subarray(100, 200);
  releaseMemory(view);
  expect(whole.length).toBe(0);
  expect(view.length).toBe(0);
  expect(() => whole.subarray(0, 1)).toThrow(TypeError);
  releaseMemory(view); // again: nothing left to give back
});

it('leaves small buffers alone, whose memory others may share', () => {
  const [mine, theirs] = [Buffer.from('mine'), Buffer.from('theirs')];
  releaseMemory(mine);
  expect(mine.toString()).toBe('mine');
  expect(theirs.toString()).toBe('theirs');
});
