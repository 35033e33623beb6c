import { currentTenant, forEachTenant, runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { Book, Client } from '../start/entities.js';

export async function countAsAcme(orm: { readonly em: TenantEntityManager }) {
  // #region tenant
  const count = await runInTenant('acme', async (em, acme) => {
    await em.persistAndFlush(em.create(Book, { title: 'Emma' })); // insert into "acme"."book"
    await orm.em.find(Book, {}); // the same tenant: the global em is the scope's fork

    console.log(currentTenant<Client>()?.name, acme.schemaName); // Acme acme
    return em.count(Book, {});
  });
  // #endregion tenant
  return count;
}

export async function listClients() {
  // #region public
  const clients = await runInPublic(async em => em.find(Client, {}));
  // #endregion public
  return clients;
}

export async function countEverywhere() {
  // #region each
  const outcomes = await forEachTenant(async em => em.count(Book, {}), { concurrency: 8 });

  for (const { schemaName, value } of outcomes) {
    console.log(schemaName, value); // acme 1, then bob 0
  }
  // #endregion each
  return outcomes;
}
