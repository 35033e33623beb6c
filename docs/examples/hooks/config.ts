import { withTenants, type TenantHooks } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Client, Genre, User } from '../bookshop/entities.js';

// #region hooks
export const hooks: TenantHooks<Client> = {
  // in the transaction that creates the tenant: its tables are there
  afterCreate: ({ em, tenant, by }) => {
    // a copy of a tenant has its users already
    if (by !== 'create') {
      return;
    }

    em.persist(em.create(User, { email: `owner@${tenant.domainUrl}` }));
  },

  // it can refuse: then nothing is dropped
  beforeDrop: async ({ em }) => {
    if ((await em.count(Book, {})) > 100) {
      throw new Error('This shop has more than 100 books. Export them first.');
    }
  },

  onError: ({ operation, schemaName, error }) => {
    console.error(`${operation} of ${schemaName} has failed`, error);
  },
};
// #endregion hooks

// #region config
export default withTenants(defineConfig({ entities: [Client, Genre, Book, User], migrations: { path: 'migrations/public' } }), {
  tenant: Client,
  migrations: { path: 'migrations/tenant' },
  hooks,
});
// #endregion config
