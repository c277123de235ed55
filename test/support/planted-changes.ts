import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** A change of one file of `src`, below it by its path. The text must occur there. */
export interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const SOURCE = new URL('../../src/', import.meta.url);

/** The changes of a name. Throws if there are none, or if a text that they look for is no longer there. */
export function changesNamed(
  all: Readonly<Record<string, readonly Change[]>>,
  name: string,
): readonly Change[] {
  const changes = all[name];
  if (changes === undefined) {
    throw new Error(`no defect is called ${name}: ${Object.keys(all).join(', ')}`);
  }
  for (const { file, find } of changes) {
    if (!readFileSync(new URL(file, SOURCE), 'utf8').includes(find)) {
      throw new Error(`${name}: the text is no longer in ${file}`);
    }
  }
  return changes;
}

/** Every module of the tool that is loaded from now on has these changes. */
export function plant(changes: readonly Change[]): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!(loaded.source instanceof Uint8Array)) return loaded;
      let text = Buffer.from(loaded.source).toString();
      for (const { file, find, replace } of changes) {
        if (url === new URL(file, SOURCE).href) text = text.replaceAll(find, () => replace);
      }
      return { ...loaded, source: text };
    },
  });
}
