/** Why an incremental backup is not to be had; a full one is made instead. */
export class NotIncremental extends Error {
  override readonly name = 'NotIncremental';
}
