import type { Platform } from '../../src/kernel/platform.ts';

/** A platform that tells of each call of a file system or a connection before it is made, over the real one. */
export function watchedPlatform(platform: Platform, onCall: (name: string) => void): Platform {
  const wrap = <T extends object>(object: T, name: string): T =>
    new Proxy(object, {
      get(target, member) {
        const value: unknown = Reflect.get(target, member, target);
        if (typeof value !== 'function') return value;
        return async (...parameters: unknown[]) => {
          onCall(`${name}.${String(member)}`);
          const result: unknown = await Reflect.apply(value, target, parameters);
          const isHandle = typeof result === 'object' && result !== null && 'close' in result;
          return isHandle ? wrap(result, `${name}.${String(member)}`) : result;
        };
      },
    });
  return { ...platform, files: wrap(platform.files, 'files'), http: wrap(platform.http, 'http') };
}
