export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** One line: what, how much, and what it had to be. */
export function showRatio(name: string, ratio: number, bound: { least?: number; most?: number }): void {
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = bound;
  const wanted =
    bound.least !== undefined ? `floor ${least}` : bound.most !== undefined ? `at most ${most}` : '';
  const verdict = ratio < least || ratio > most ? ', MISSED' : '';
  const digits = Math.abs(ratio) < 0.2 ? 3 : 2;
  console.log(`${name.padEnd(60)} ${ratio.toFixed(digits)} ×${wanted && ` (${wanted}${verdict})`}`);
}

export function showMegabytes(name: string, megabytes: number, most: number | null): void {
  const verdict = most === null ? '' : ` (at most ${most}${megabytes > most ? ', MISSED' : ''})`;
  console.log(`${name.padEnd(60)} ${megabytes.toFixed(0)} MB${verdict}`);
}

export function showMebibytes(name: string, mebibytes: number, most: number): void {
  const verdict = ` (at most ${most}${mebibytes > most ? ', MISSED' : ''})`;
  console.log(`${name.padEnd(60)} ${mebibytes.toFixed(2)} MiB${verdict}`);
}
