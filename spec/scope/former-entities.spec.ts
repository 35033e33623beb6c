import { runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { ChangeSetType, ref, type UnitOfWork } from '@mikro-orm/core';
import { expect } from 'chai';
import { AsyncLocalStorage } from 'node:async_hooks';
import { Author, Book, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { contentsOf, openTwins } from '../support/orm/twins.ts';

/** What the next flush does after the library's own check. */
let hook: ((uow: UnitOfWork) => void) | undefined;

/** What can be done with entities that were loaded for a tenant which had the name before. */
const USES: Readonly<Record<string, (em: TenantEntityManager, former: { author: Author; book: Book; tag: Tag }) => unknown>> = {
  'a relation of a new entity': (em, { author }) => em.persistAndFlush(em.create(Book, { title: 'x', author })),
  'a relation that is assigned': async (em, { author }) => {
    em.assign(await em.findOneOrFail(Book, 1), { author });
    await em.flush();
  },
  'a relation that is set': async (em, { author }) => {
    (await em.findOneOrFail(Book, 1)).author = author;
    await em.flush();
  },
  'a collection': async (em, { tag }) => {
    (await em.findOneOrFail(Book, 1, { populate: ['tags'] })).tags.add(tag);
    await em.flush();
  },
  'a condition': (em, { author }) => em.find(Book, { author }),
  'a condition, as a reference': (em, { author }) => em.find(Book, { author: ref(author) }),
  'data of an insert': (em, { author }) => em.insert(Book, { id: 9, title: 'x', author }),
  'data of an update': (em, { author }) => em.nativeUpdate(Book, {}, { author }),
  'a query builder': (em, { author }) => em.qb(Book).update({ author }).execute(),
  merged: (em, { book }) => em.merge(book),
  'changed and flushed': async (em, { book }) => {
    book.title = 'written';
    await em.persistAndFlush(book);
  },
  // nothing that it refers to tells whose it is
  'without relations, changed and flushed': async (em, { tag }) => {
    tag.name = 'written';
    await em.persistAndFlush(tag);
  },
  removed: (em, { book }) => em.removeAndFlush(book),
  'without relations, removed': (em, { tag }) => em.removeAndFlush(tag),
  'without relations, removed in a transaction': (em, { tag }) => em.transactional(async inner => void inner.remove(tag)),
  'without relations, removed with an own one': async (em, { tag }) => em.removeAndFlush([await em.findOneOrFail(Tag, 1), tag]),
  'without relations, refreshed': (em, { tag }) => em.refresh(tag),
  'without relations, upserted': (em, { tag }) => em.upsert(tag),
  'without relations, inserted': (em, { tag }) => em.insert(Object.assign(tag, { id: 9 })),
  'without relations, changed by a hook': async (em, { tag }) => {
    tag.name = 'written';
    hook = uow => uow.computeChangeSet(tag);
    await em.flush();
  },
  'without relations, removed by a hook': async (em, { tag }) => {
    hook = uow => uow.computeChangeSet(tag, ChangeSetType.DELETE);
    await em.flush();
  },
  populated: (em, { book }) => em.populate([book], ['author.books']),
};

onDatabases('entities of a tenant whose name is another’s', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
    orm.em.getEventManager().registerSubscriber({
      onFlush: ({ uow }) => {
        const act = hook;
        hook = undefined;
        act?.(uow);
      },
    });
  });

  for (const [use, tryIt] of Object.entries(USES)) {
    it(`S12, law 2: are that tenant’s still, and refused: ${use}`, async () => {
      const former = await runInTenant('acme', async em => ({
        author: await em.findOneOrFail(Author, 1),
        book: await em.findOneOrFail(Book, 1),
        tag: await em.findOneOrFail(Tag, 2),
      }));
      await swap();
      const before = [await contentsOf(database, 'acme'), await contentsOf(database, 'bob')];

      await runInTenant('acme', async em => {
        const error = await Promise.resolve()
          .then(() => tryIt(em, former))
          .then(
            () => undefined,
            (thrown: { readonly code?: string }) => thrown,
          );
        expect(['CROSS_TENANT', 'TENANT_CHANGED'], JSON.stringify(error)).to.include(error?.code);
      });
      expect([await contentsOf(database, 'acme'), await contentsOf(database, 'bob')]).to.deep.equal(before);
    });
  }

  it('S12 says that two tenants have had one name', async () => {
    const author = await runInTenant('acme', em => em.findOneOrFail(Author, 1));
    await swap();
    const { message } = await runInTenant('acme', em => refusal(() => em.find(Book, { author }), 'CROSS_TENANT'));

    expect(message).to.include('of schema "acme" (another tenant) was passed to tenant "acme"');
  });

  it('G4, S12 entities of one tenant are its own in each of its scopes', async () => {
    const author = await runInTenant('acme', em => em.findOneOrFail(Author, 1));

    await runInTenant('acme', async em => {
      expect(await em.count(Book, { author })).to.equal(2);
      await em.nativeUpdate(Book, { id: 1 }, { author });
    });
  });

  function swap(): Promise<void> {
    return leave(async () => {
      await tenants(orm).rename('acme', 'elsewhere');
      await tenants(orm).rename('bob', 'acme');
      await tenants(orm).rename('elsewhere', 'bob');
    });
  }
});

/** Runs `fn` in no scope. */
const leave = AsyncLocalStorage.snapshot() as <Result>(fn: () => Result) => Result;
