import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/pglite';
import { Book, Client } from './entities.js';

export default withTenants(defineConfig({ entities: [Client, Book], dbName: '.data', migrations: { path: 'migrations/public' } }), {
  tenant: Client,
  migrations: { path: 'migrations/tenant' },
});
