import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Client, Genre, User } from '../bookshop/entities.ts';

export default withTenants(
  defineConfig({
    entities: [Client, Genre, Book, User],
    // the coordinator
    clientUrl: process.env['DATABASE_URL'] ?? 'postgresql://app:secret@coordinator.internal:5432/bookshop',
    migrations: { path: 'migrations/public' },
    // ends what waits for a node that hangs
    driverOptions: { statement_timeout: 1_000 },
  }),
  {
    tenant: Client,
    migrations: { path: 'migrations/tenant' },
    citus: { nodeLimits: { concurrency: 3 } },
  },
);
