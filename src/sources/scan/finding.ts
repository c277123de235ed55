/** How a scan ended. */
export interface Finding {
  /** True if every document that existed, unchanged, throughout the scan was received. */
  readonly proved: boolean;
  /** Why nothing was proved. */
  readonly reason?: string;
  /** Documents known to exist that the server could not deliver. */
  readonly missing: readonly string[];
  /** What was received so far must be thrown away, and another way begun. */
  readonly startAfresh?: boolean;
}
