import type { TestKitOptions } from '@landlord/mikro-orm/testing';
import { openOrm, type Orm } from './app.js';

/** What every runner gives the kit. */
export const kitOptions: TestKitOptions<Orm> = {
  orm: openOrm,
  tenant: number => ({ name: `Client ${number}` }),
  readyTenants: 2,
};
