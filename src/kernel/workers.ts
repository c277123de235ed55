/**
 * Runs `work` so many times side by side. Where one fails, the others come to their own end first, so that nothing
 * goes on behind the caller's back; then the failure that came first is thrown: the others may only follow from it.
 */
export async function runWorkers(count: number, work: () => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  const workToTheEnd = async (): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      failures.push(thrown);
    }
  };
  await Promise.all(Array.from({ length: count }, workToTheEnd));
  if (failures.length > 0) throw failures[0];
}
