/** How one way of scanning ended. `proved`: every document that existed, unchanged, throughout was received. */
export type Ending =
  | { readonly proved: true }
  | {
      readonly proved: false;
      /** Why nothing was proved. */
      readonly reason: string;
      /** What was received must be thrown away, and another way begun. */
      readonly startAfresh?: true;
    };

export function unproved(reason: string): Ending {
  return { proved: false, reason };
}

/** The ways of design.md §6. */
export type Way = 'keyset' | 'covered offset' | 'counted passes' | 'other roads' | 'none needed';

/** How a scan ended. */
export interface Finding {
  /** True if every document that existed, unchanged, throughout the scan was received, but for those in `missing`. */
  readonly proved: boolean;
  /** Why nothing was proved. */
  readonly reason?: string;
  /** Documents known to exist that the server could not deliver. */
  readonly missing: readonly string[];
  /** The way that ended the scan. */
  readonly way: Way;
}
