import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../../src/kernel/abort.ts';

describe('waiting until aborted', () => {
  it('gives what the promise gives', async () => {
    expect(await untilAborted(Promise.resolve(1), undefined)).toBe(1);
    expect(await untilAborted(Promise.resolve(1), new AbortController().signal)).toBe(1);
    await expect(untilAborted(Promise.reject(new Error('no')), undefined)).rejects.toThrow('no');
  });

  it('stops waiting, but not the others', async () => {
    const reason = new Error('stop');
    const controller = new AbortController();
    const { promise, resolve } = Promise.withResolvers<number>();
    const waiting = untilAborted(promise, controller.signal);
    const other = untilAborted(promise, new AbortController().signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    resolve(2);
    expect(await other).toBe(2);
    await expect(untilAborted(promise, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
