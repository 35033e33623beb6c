export { openTestKit, TestKit } from './kit.js';
export type { TestKitOptions, TestOptions } from './kit-options.js';
export { startTestServer, type TestServer } from './database/server.js';
export { TestDatabaseError, TestError } from '../errors/testing-errors.js';
export { expectNoScope, expectTenantOf } from './assertions.js';
export { asTenant, inject, type AsTenantOptions, type Inject, type Injectable, type InjectOptions, type TenantNames } from './clients.js';
export { expectNoLeaks, findLeaks, type LeakReport, type LeakSuiteOptions } from './leaks/find-leaks.js';
export { requestsOf, type LeakRequest, type MarkedTenant, type OpenApiDocument, type RequestOf } from './leaks/requests.js';
export type { ServedApp } from './leaks/send.js';
