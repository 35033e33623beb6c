import { runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { Book, Client } from '../start/entities.js';

export async function signUp(em: TenantEntityManager) {
  // #region persist
  const client = new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' });
  await em.persistAndFlush(client);
  // #endregion persist
  return client;
}

export async function createFilled(em: TenantEntityManager, client: Client) {
  // #region filled
  await em.transactional(async tx => {
    await tx.persistAndFlush(client);
    await runInTenant(client, async inner => inner.persistAndFlush(inner.create(Book, { title: 'Welcome' })));
  });
  // #endregion filled
}

export async function storeRowOnly(em: TenantEntityManager) {
  // #region later
  const client = new Client({ name: 'Bob', domainUrl: 'bob.example.com', schemaName: 'bob' });
  client.autoCreateSchema = false; // only the row is stored
  await em.persistAndFlush(client);

  await tenants().provision(client); // the schema and its tables
  // #endregion later
}

export async function renameAndDrop() {
  // #region rename
  await tenants().rename('acme', 'acme_ltd'); // row and schema
  await tenants().drop('acme_ltd'); // row and schema, with all data
  // #endregion rename
}
