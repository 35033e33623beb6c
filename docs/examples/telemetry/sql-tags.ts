import { withTenants } from '@landlord/mikro-orm';
import { defineConfig } from '@mikro-orm/postgresql';
import { Book, Client, Genre, User } from '../bookshop/entities.js';

// #region tags
export default withTenants(defineConfig({ entities: [Client, Genre, Book, User] }), {
  tenant: Client,
  sqlTags: ({ schemaName, tenant }) => ({ tenant: schemaName, trial: tenant?.onTrial === true ? 'yes' : undefined }),
});
// #endregion tags
