/**
 * Runs `work` so many times side by side. Where one fails, the others come to their own end first, so that nothing
 * goes on behind the caller's back; then the first failure is thrown.
 */
export async function runWorkers(count: number, work: () => Promise<void>): Promise<void> {
  const ends = await Promise.allSettled(Array.from({ length: count }, work));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
