import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Client, Genre, User } from '../bookshop/entities.js';

export default withTenants(
  defineConfig({
    entities: [Client, Genre, Book, User],
    clientUrl: process.env['PRIMARY_URL']!,
    replicas: [{ name: 'replica', clientUrl: process.env['REPLICA_URL']! }],
  }),
  { tenant: Client, migrations: { path: 'migrations/tenant' } },
);
