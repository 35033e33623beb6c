import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Client, Genre, User } from '../bookshop/entities.js';

export default withTenants(
  defineConfig({
    entities: [Client, Genre, Book, User],
    clientUrl: process.env['POOLER_URL']!, // PgBouncer, with pool_mode = transaction
  }),
  {
    tenant: Client,
    migrations: { path: 'migrations/tenant' },
    directory: { listen: { url: process.env['DIRECT_URL']! } }, // PostgreSQL itself: one connection for each process
    connections: { preferServed: false, maxTenants: false }, // the connections are PgBouncer's
  },
);
