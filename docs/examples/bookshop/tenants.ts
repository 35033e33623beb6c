import { runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { Book, Client } from './entities.js';

// #region create
export async function openShop(em: TenantEntityManager): Promise<Client> {
  const acme = new Client({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme' });
  await em.persistAndFlush(acme); // row, schema, tables and history, in one transaction

  return acme;
}
// #endregion create

// #region schema
export async function renameAndClose(acme: Client): Promise<void> {
  await tenants().rename(acme, 'acme_books'); // alter schema "acme" rename to "acme_books", and the row
  await tenants().drop('acme_books'); // the row, and the schema with all that is in it
}
// #endregion schema

// #region keep
export async function closeAndReopen(em: TenantEntityManager, acme: Client): Promise<Client> {
  const data = { name: acme.name, domainUrl: acme.domainUrl, schemaName: acme.schemaName };
  await em.removeAndFlush(acme); // the row is gone, the schema is kept

  return tenants<Client>().create(data, { adoptSchema: true }); // a new row for the schema that was kept
}
// #endregion keep

// #region titles
export async function titlesOf(client: Client): Promise<string[]> {
  return runInTenant(client, async em => (await em.find(Book, {}, { orderBy: { id: 1 } })).map(book => book.title));
}
// #endregion titles
