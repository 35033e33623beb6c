import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Client, Genre, User } from './entities.js';

export default withTenants(
  defineConfig({
    entities: [Client, Genre, Book, User],
    clientUrl: process.env.DATABASE_URL!,
    // where `tsc` puts them, and where they are written
    migrations: { path: 'dist/migrations/public', pathTs: 'migrations/public' },
  }),
  { tenant: Client, migrations: { path: 'dist/migrations/tenant', pathTs: 'migrations/tenant' } },
);
