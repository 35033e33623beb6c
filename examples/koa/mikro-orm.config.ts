import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/pglite';
import { Priority, Task, Team, TeamDomain } from './entities.ts';

/** PostgreSQL inside of the process, in a folder. For a server, take `defineConfig` of `@mikro-orm/postgresql`, and give it a `clientUrl`. */
export default withTenants(
  defineConfig({
    baseDir: import.meta.dirname,
    dbName: process.env['EXAMPLE_DATA'] ?? '.data',
    entities: [Team, TeamDomain, Priority, Task],
    migrations: { path: 'migrations/public', silent: true },
  }),
  { tenant: Team, domains: TeamDomain, migrations: { path: 'migrations/tenant' } },
);
