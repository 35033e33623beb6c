import { AsyncResource } from 'node:async_hooks';
import type { TenantEntityManager } from '@landlord/mikro-orm';
import DataLoader from 'dataloader';
import { Book } from '../start/entities.js';

// #region queue
/** Puts work into a queue that the whole process shares, for the tenant of the scope that it is put in from. */
export function enqueue(queue: { push(work: () => Promise<void>): unknown }, work: () => Promise<void>): void {
  queue.push(AsyncResource.bind(work));
}
// #endregion queue

// #region loader
const loaders = new WeakMap<object, DataLoader<number, Book | undefined>>();

/** A loader of its own for each scope. */
export function bookLoader(orm: { readonly em: TenantEntityManager }): DataLoader<number, Book | undefined> {
  const em = orm.em.getContext(); // that of the scope
  const loader =
    loaders.get(em) ??
    new DataLoader(async (ids: readonly number[]) => {
      const books = await em.find(Book, { id: { $in: [...ids] } });
      return ids.map(id => books.find(book => book.id === id));
    });
  loaders.set(em, loader);

  return loader;
}
// #endregion loader
