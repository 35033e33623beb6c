export default {
  testEnvironment: 'node',
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '\\.ts$': './transform.mjs' },
  globalSetup: '@landlord/mikro-orm/testing/server',
  globalTeardown: '@landlord/mikro-orm/testing/server/teardown',
  maxWorkers: 2,
  // the leak suite makes two tenants, and sends each request many times
  testTimeout: 30_000,
};
