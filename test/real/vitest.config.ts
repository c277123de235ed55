import { defineConfig } from 'vitest/config';

/** Started by `test/real/run`, which starts the server: one file after the other, it has one event loop. */
export default defineConfig({
  test: {
    include: ['test/real/**/*.real.ts'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
});
