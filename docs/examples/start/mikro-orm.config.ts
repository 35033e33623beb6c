// mikro-orm.config.ts
import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Client } from './entities.js';

export default withTenants(
  defineConfig({ entities: [Client, Book], clientUrl: process.env.DATABASE_URL!, migrations: { path: 'migrations/public' } }),
  { tenant: Client, migrations: { path: 'migrations/tenant' } },
);
