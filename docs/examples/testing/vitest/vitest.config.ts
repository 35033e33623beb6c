import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: '@landlord/mikro-orm/testing/server',
    include: ['**/*.test.ts'],
    maxWorkers: 2,
    // the first worker makes the template
    hookTimeout: 120_000,
  },
});
