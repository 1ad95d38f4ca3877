/**
 * Two projects: `unit` is everything that runs in milliseconds without the operating system's help (`npm run check`); `interop`
 * needs root and Debian's strongSwan, runs after it, one file at a time.
 */
import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    maxWorkers: '100%', // the default leaves a core free: half the machine where there are two
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**'],
          isolate: false, // a process of its own for each file is half the run, and what is tested keeps nothing in its modules
          sequence: { groupOrder: 0 },
          testTimeout: 30_000, // for what hangs: a busy machine takes ten times as long as a quiet one
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          globalSetup: ['test/interop/support/globalSetup.ts'],
          sequence: { groupOrder: 1, concurrent: false },
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
