import type { Dice } from '../../src/sandbox/dice.ts';
import { type Disk, SimulatedFile } from './disk.ts';

/** What happens to objects at rest. */
export type DamageKind = 'flipped' | 'cut' | 'lengthened' | 'gone' | 'exchanged' | 'zeroed';
export const DAMAGE_KINDS: readonly DamageKind[] = [
  'flipped',
  'flipped',
  'cut',
  'lengthened',
  'gone',
  'exchanged',
  'zeroed',
];

/** Which objects of the store are not what was stored, and how they were. */
export class DamageLedger {
  /** By key. */
  readonly #undamaged = new Map<string, { readonly file: SimulatedFile; readonly kind: DamageKind }>();
  readonly #disk: Disk;
  readonly #storePath: string;

  constructor(disk: Disk, storePath: string) {
    this.#disk = disk;
    this.#storePath = storePath;
  }

  get keys(): readonly string[] {
    return [...this.#undamaged.keys()];
  }

  has(key: string): boolean {
    return this.#undamaged.has(key);
  }

  isGone(key: string): boolean {
    return this.#undamaged.get(key)?.kind === 'gone';
  }

  /** Whether an object is gone, or longer or shorter than it was. */
  hasOtherSize(key: string): boolean {
    const before = this.#undamaged.get(key);
    if (before === undefined) return false;
    return this.#disk.file(`${this.#storePath}/${key}`)?.content.length !== before.file.content.length;
  }

  /** Damages one object that is whole so far. */
  inflict(kind: DamageKind, key: string, dice: Dice): void {
    const path = `${this.#storePath}/${key}`;
    const file = this.#disk.file(path);
    if (file === null || this.has(key) || file.content.length === 0) return;
    const bytes = Buffer.from(file.content);
    const changed = ((): Buffer | null => {
      switch (kind) {
        case 'flipped':
          bytes[dice.below(bytes.length)]! ^= 1 << dice.below(8);
          return bytes;
        case 'cut':
          return bytes.subarray(0, dice.below(bytes.length));
        case 'lengthened':
          return Buffer.concat([bytes, Buffer.alloc(1 + dice.below(100))]);
        case 'zeroed':
          return Buffer.alloc(bytes.length);
        case 'gone':
          return null;
        case 'exchanged':
          return this.#another(path, dice);
      }
    })();
    if (changed === null ? kind !== 'gone' : changed.equals(file.content)) return;
    this.#undamaged.set(key, { file, kind });
    const replacement =
      changed === null
        ? null
        : Object.assign(new SimulatedFile(file.mode), { content: changed, durable: changed });
    this.#disk.put(path, replacement);
  }

  /** Puts an object back as it was: somebody had a copy. */
  mend(key: string): void {
    const before = this.#undamaged.get(key);
    if (before === undefined) return;
    this.#undamaged.delete(key);
    this.#disk.put(`${this.#storePath}/${key}`, before.file);
  }

  /** What was damaged was removed for good: nobody will bring it back. */
  forget(isRemoved: (key: string) => boolean): void {
    for (const key of this.#undamaged.keys()) if (isRemoved(key)) this.#undamaged.delete(key);
  }

  #another(path: string, dice: Dice): Buffer | null {
    const directory = path.slice(0, path.lastIndexOf('/'));
    const others = [...this.#disk.filesBelow(directory)].filter(([other]) => other !== path);
    return others.length === 0 ? null : dice.pick(others)[1].content;
  }
}
