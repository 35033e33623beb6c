// mikro-orm.config.ts
import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Author, Book, Client } from './entities.js';

export default withTenants(
  defineConfig({
    entities: [Author, Book, Client],
    clientUrl: process.env.DATABASE_URL!,
    migrations: { path: 'migrations/public', dropTables: false },
  }),
  { tenant: Client, migrations: { path: 'migrations/tenant', dropTables: true } },
);
