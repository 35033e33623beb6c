import type { TestKitOptions } from '@landlord/mikro-orm/testing';
import { MikroORM } from '@mikro-orm/postgresql';
import { config, type Orm } from './app.js';

/** What every runner gives the kit. */
export const kitOptions: TestKitOptions<Orm> = {
  orm: () => MikroORM.init(config),
  tenant: number => ({ name: `Client ${number}` }),
  readyTenants: 2,
};
