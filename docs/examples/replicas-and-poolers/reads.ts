import { runInTenant } from '@landlord/mikro-orm';
import { Book } from '../bookshop/entities.js';

export async function addAndCount(title: string): Promise<{ replica: number; primary: number; inTransaction: number }> {
  return runInTenant('acme', async em => {
    await em.persistAndFlush(em.create(Book, { title })); // writes go to the primary

    return {
      replica: await em.count(Book), // may not have the new book yet
      primary: await em.count(Book, {}, { connectionType: 'write' }),
      inTransaction: await em.transactional(tx => tx.count(Book)), // the primary too
    };
  });
}
