import { onePiece, type Store } from '../../src/stores/store.ts';

/** What a put does instead of storing what it was given; it answers success all the same. */
export type Lie =
  | 'flips a bit'
  | 'cuts the end'
  | 'stores nothing'
  | 'stores no bytes'
  | 'adds bytes'
  | 'stores another object';

export const LIES: readonly Lie[] = [
  'flips a bit',
  'cuts the end',
  'stores nothing',
  'stores no bytes',
  'adds bytes',
  'stores another object',
];

export interface Dishonesty {
  readonly lie: Lie;
  /** Keys that start so. */
  readonly prefix: string;
  /** Which of the puts of such keys, counted from 1. */
  readonly nth: number;
}

/** A store that lies once. Another object is one whose key has the same prefix and that is there already. */
export function dishonestStore(
  store: Store,
  { lie, prefix, nth }: Dishonesty,
): Store & { readonly lied: boolean } {
  let puts = 0;
  let lied = false;
  return {
    ...store,
    get lied() {
      return lied;
    },
    async put(key, pieces, signal) {
      if (!key.startsWith(prefix) || ++puts !== nth) return await store.put(key, pieces, signal);
      const taken: Buffer[] = [];
      for await (const piece of pieces) taken.push(Buffer.from(piece));
      lied = true;
      const stored = await distorted(Buffer.concat(taken), lie, () => anotherObject(store, prefix));
      if (stored !== null) await store.put(key, onePiece(stored), signal);
    },
  };
}

async function distorted(bytes: Buffer, lie: Lie, another: () => Promise<Buffer>): Promise<Buffer | null> {
  switch (lie) {
    case 'flips a bit':
      bytes[bytes.length >> 1]! ^= 0x10;
      return bytes;
    case 'cuts the end':
      return bytes.subarray(0, -1);
    case 'stores nothing':
      return null;
    case 'stores no bytes':
      return Buffer.alloc(0);
    case 'adds bytes':
      return Buffer.concat([bytes, Buffer.alloc(16)]);
    case 'stores another object':
      return await another();
  }
}

async function anotherObject(store: Store, prefix: string): Promise<Buffer> {
  for await (const { key } of store.list(prefix)) {
    const pieces = await Array.fromAsync(store.get(key), (piece) => Buffer.from(piece));
    return Buffer.concat(pieces);
  }
  throw new Error(`there is no other object ${prefix}`);
}
