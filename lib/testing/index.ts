export { openTestKit, TestKit } from './kit.js';
export type { TestKitOptions, TestOptions } from './kit-options.js';
export { startTestServer, type TestServer } from './database/server.js';
export { TestDatabaseError, TestError } from '../errors/testing-errors.js';
