import type { Platform } from '../../src/kernel/platform.ts';

/** What every call meets after the crash. */
class Crashed extends Error {
  override readonly name = 'Crashed';
}

/**
 * A platform whose calls are counted, over the real one. At the n-th call the machine is gone: that call fails, before
 * or after its effect, and every later call fails without any effect, clean-up code included. What is on the disk is
 * what a kill at that instant leaves.
 */
export function crashingPlatform(
  platform: Platform,
  crashAt: number,
  when: 'before' | 'after',
): { readonly platform: Platform; calls(): readonly string[] } {
  const calls: string[] = [];
  let dead = false;

  const wrap = <T extends object>(object: T, name: string): T =>
    new Proxy(object, {
      get(target, member) {
        const value: unknown = Reflect.get(target, member, target);
        if (typeof value !== 'function') return value;
        return async (...parameters: unknown[]) => {
          if (dead) {
            // a dead process has no open files
            if (member === 'close') await Reflect.apply(value, target, parameters);
            throw new Crashed();
          }
          calls.push(`${name}.${String(member)}`);
          const now = calls.length === crashAt;
          if (now && when === 'before') {
            dead = true;
            if (member === 'close') await Reflect.apply(value, target, parameters);
            throw new Crashed();
          }
          const result: unknown = await Reflect.apply(value, target, parameters);
          if (now) dead = true;
          if (dead) {
            if (isHandle(result)) await result.close();
            throw new Crashed();
          }
          return isHandle(result) ? wrap(result, `${name}.${String(member)}`) : result;
        };
      },
    });

  return {
    platform: { ...platform, files: wrap(platform.files, 'files'), http: wrap(platform.http, 'http') },
    calls: () => calls,
  };
}

function isHandle(value: unknown): value is { close(): Promise<void> } {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function';
}
