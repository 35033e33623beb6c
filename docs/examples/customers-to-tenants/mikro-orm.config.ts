// mikro-orm.config.ts
import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Customer } from './entities.js';

export default withTenants(
  defineConfig({
    entities: [Customer, Book],
    clientUrl: process.env.DATABASE_URL!,
    migrations: { path: 'migrations/public', dropTables: false },
  }),
  { tenant: Customer, migrations: { path: 'migrations/tenant', dropTables: true } },
);
