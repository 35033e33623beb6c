import { mochaKit } from '@landlord/mikro-orm/testing/mocha';
import { kitOptions } from '../kit-options.js';

// a PostgreSQL for the run, where DATABASE_URL names none
export { mochaGlobalSetup, mochaGlobalTeardown } from '@landlord/mikro-orm/testing/server';

export const worker = mochaKit(kitOptions);

export const { mochaHooks } = worker;
