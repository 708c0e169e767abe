import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // What the examples import.
  resolve: { alias: { pgcredits: fileURLToPath(new URL('src/client.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: 'test/support/property-seed.ts',
    globalSetup: 'test/support/global-setup.ts',
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
