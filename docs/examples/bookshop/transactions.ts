import { forEachTenant, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { Book, Client, Genre, User } from './entities.js';

// #region tenant
export async function renameGenre(): Promise<void> {
  await runInTenant('acme', em =>
    em.transactional(async tx => {
      const novel = await tx.findOneOrFail(Genre, { name: 'Novel' }); // shared
      novel.name = 'Fiction';
      tx.create(Book, { title: 'Persuasion', genre: novel }); // of acme
    }),
  ); // both are committed, or neither
}
// #endregion tenant

// #region savepoint
export async function importUsers(emails: readonly string[]): Promise<string[]> {
  const refused: string[] = [];

  await runInTenant('acme', em =>
    em.transactional(async tx => {
      for (const email of emails) {
        try {
          await tx.transactional(async inner => void inner.create(User, { email })); // a savepoint
        } catch (error) {
          if (!(error instanceof UniqueConstraintViolationException)) {
            throw error; // nothing of the import is stored
          }

          refused.push(email); // the others stay
        }
      }
    }),
  );

  return refused;
}
// #endregion savepoint

// #region creation
export async function signUp(em: TenantEntityManager, name: string, firstTitle: string): Promise<Client> {
  return em.transactional(async tx => {
    const client = new Client({ name, domainUrl: `${name}.example.com`, schemaName: name });
    await tx.persistAndFlush(client);

    // the scope joins the transaction, so the tables are there
    await runInTenant(client, async inner => {
      if (firstTitle === '') {
        throw new Error('A shop begins with a book.');
      }

      await inner.persistAndFlush(inner.create(Book, { title: firstTitle }));
    });

    return client;
  });
}
// #endregion creation

// #region all
export async function countAll(em: TenantEntityManager): Promise<number> {
  return em.transactional(async () => {
    const outcomes = await forEachTenant(inner => inner.count(Book)); // one savepoint for each tenant

    return outcomes.reduce((sum, outcome) => sum + outcome.value, 0);
  });
}
// #endregion all
