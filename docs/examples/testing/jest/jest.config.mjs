export default {
  testEnvironment: 'node',
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '\\.ts$': './transform.mjs' },
  globalSetup: '@landlord/mikro-orm/testing/server',
  globalTeardown: '@landlord/mikro-orm/testing/server/teardown',
  maxWorkers: 2,
};
