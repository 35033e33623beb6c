import { currentSchema, currentTenant, runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { Book, Client, Genre } from './entities.js';

// #region tenant
export async function inTheScopeOfATenant(): Promise<number> {
  return runInTenant('acme', async em => {
    await em.persistAndFlush(em.create(Book, { title: 'Emma' })); // insert into "acme"."book"

    return em.count(Book); // select count(*) from "acme"."book"
  });
}
// #endregion tenant

// #region public
export async function inThePublicScope(): Promise<string[]> {
  return runInPublic(async em => {
    const clients = await em.find(Client, {}, { orderBy: { name: 1 } }); // shared: works in every scope
    await em.find(Book, {}); // throws TENANT_CONTEXT_REQUIRED: whose books?

    return clients.map(client => client.name);
  });
}
// #endregion public

// #region none
export async function inNoScope(em: TenantEntityManager): Promise<number> {
  await em.find(Genre, {}); // shared entities work
  await em.find(Book, {}, { schema: 'acme' }); // a tenant that is named explicitly works

  return em.count(Book); // throws TENANT_CONTEXT_REQUIRED
}
// #endregion none

// #region follows
export async function followsTheWork(): Promise<readonly (string | undefined)[]> {
  const seen: (string | undefined)[] = [];

  await runInTenant('acme', async () => {
    await new Promise(resolve => setTimeout(resolve, 1));
    seen.push(currentSchema()); // acme: after the timer too

    await runInTenant('bob', async () => {
      seen.push(currentSchema()); // bob
    });

    await runInPublic(async () => {
      seen.push(currentSchema()); // public
    });

    seen.push(currentTenant<Client>()?.name); // acme again
  });

  seen.push(currentSchema()); // undefined: the scope has ended

  return seen;
}
// #endregion follows

// #region other
export async function askForAnotherTenant(): Promise<Book[]> {
  return runInTenant('acme', em => em.find(Book, {}, { schema: 'bob' })); // throws CROSS_TENANT
}
// #endregion other
