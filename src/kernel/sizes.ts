/** How much of its work a run holds at a time: more costs memory, less costs time, and the result is the same. */
export interface Sizes {
  /** Most bytes of text in a block of an archive, but for a document that is longer. */
  readonly blockBytes: number;
  /** Records that are sorted in memory before they go to scratch. */
  readonly sortedRecords: number;
  /** Keys that a scan remembers in memory before they go to scratch. */
  readonly rememberedKeys: number;
}

export const SIZES: Sizes = { blockBytes: 1 << 20, sortedRecords: 65_536, rememberedKeys: 250_000 };
