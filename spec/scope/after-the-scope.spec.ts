import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Author, Book } from '../../fixtures/entities/index.ts';
import { onDatabases, onDatabasesAndPooler, SERVER_AND_POOLER } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins, schemasIn } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';

onDatabasesAndPooler('what outlives its scope', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
  });

  beforeEach(() => {
    database.statements.length = 0;
  });

  it('S9 a query builder stays on the tenant of the scope it was made in', async () => {
    const made = (): Promise<() => Promise<Book[]>> =>
      runInTenant('acme', em => {
        const query = em.qb(Book, 'b').leftJoinAndSelect('b.tags', 't').orderBy({ id: 'asc' });

        return () => query.clone().getResultList();
      });
    const run = await made();

    expect((await run())[0]?.title).to.equal('acme book 1');
    expect((await runInTenant('bob', () => run()))[0]?.title).to.equal('acme book 1');
    expect((await runInPublic(() => run()))[0]?.title).to.equal('acme book 1');
    expect(schemasIn(database.statements)).to.deep.equal(['acme', 'public']);
  });

  it('S9 a query builder made in no scope never reads without a tenant, and in a scope reads no other', async () => {
    const query = orm.em.fork().qb(Book, 'b');

    await refusal(() => query.clone().getResult(), 'TENANT_CONTEXT_REQUIRED');
    await runInTenant('bob', () => refusal(() => query.clone().getResult(), 'TENANT_CONTEXT_REQUIRED'));
    // where tenants are looked up
    expect(schemasIn(database.statements).filter(schema => schema !== 'public')).to.deep.equal([]);
  });

  it('S9 a cursor’s next page is read in the scope it is asked for in', async () => {
    const page = await runInTenant('acme', em => em.findByCursor(Book, { first: 1, orderBy: { id: 'asc' } }));
    const next = await runInTenant('bob', em => em.findByCursor(Book, { first: 1, after: page, orderBy: { id: 'asc' } }));

    expect([page.items[0]?.title, next.items[0]?.title]).to.deep.equal(['acme book 1', 'bob book 2']);
  });

  it('S9 a fork that outlives its scope goes on with its own tenant, and is refused in another’s', async () => {
    const kept = await runInTenant('acme', em => em.fork());

    expect((await kept.findOneOrFail(Book, 1)).title).to.equal('acme book 1');
    await runInTenant('bob', async () => {
      database.statements.length = 0;
      await refusal(() => kept.find(Book, {}), 'CROSS_TENANT');
      await refusal(() => kept.execute('select * from book'), 'CROSS_TENANT');
      expect(database.statements).to.deep.equal([]);
    });
  });

  it('S9 what a kept EntityManager has loaded is refused in the scope of another tenant too, where no SQL is needed', async () => {
    const kept = await runInTenant('acme', em => em.fork());
    const ofScope = await runInTenant('acme', em => em);
    const found = new Map<object, Book>();

    for (const em of [kept, ofScope]) {
      found.set(em, await em.findOneOrFail(Book, 1, { populate: ['author'] }));
    }

    await runInTenant('bob', async () => {
      database.statements.length = 0;

      for (const em of [kept, ofScope]) {
        await refusal(() => em.findOne(Book, 1), 'CROSS_TENANT');
        await refusal(() => em.findOneOrFail(Book, { id: 1 }), 'CROSS_TENANT');
        // as code without types may write it
        await refusal(() => em.findOne('Book' as never, 1), 'CROSS_TENANT');
        await refusal(() => em.getRepository(Book).findOne(1), 'CROSS_TENANT');
        await refusal(() => em.fork({ clear: false }).findOne(Book, 1), 'CROSS_TENANT');
        await refusal(() => em.merge(Book, { id: 1 } as never), 'CROSS_TENANT');
        await refusal(() => em.getReference(Book, 1), 'CROSS_TENANT');
      }

      expect(database.statements).to.deep.equal([]);
    });

    for (const em of [kept, ofScope]) {
      expect(await em.findOne(Book, 1)).to.equal(found.get(em));
      expect(await runInTenant('acme', () => em.findOne(Book, 1))).to.equal(found.get(em));
      expect(await runInTenant('bob', () => runInTenant('acme', () => em.findOne(Book, 1)))).to.equal(found.get(em));
    }
  });

  it('S9 the EntityManager of a scope that has ended is no other tenant’s in the next one', async () => {
    const kept = await runInTenant('acme', em => em);

    await runInTenant('bob', async () => {
      database.statements.length = 0;
      await refusal(() => kept.find(Book, {}), 'CROSS_TENANT');
      await refusal(() => kept.qb(Book).getResult(), 'CROSS_TENANT');
      expect(database.statements).to.deep.equal([]);
    });
    expect((await kept.findOneOrFail(Book, 2)).title).to.equal('acme book 2');
  });

  it('S8, S9 what an entity refers to is loaded from its own tenant or refused, never from another', async () => {
    const load = async (book: Book): Promise<string[]> => {
      await book.tags.init();
      await orm.em.getRepository(Author).getEntityManager().populate([book], ['author']);

      return [book.author.name, ...book.tags.getItems().map(tag => tag.name)];
    };
    const book = await runInTenant('acme', em => em.findOneOrFail(Book, 1));

    await runInTenant('bob', async () => {
      database.statements.length = 0;
      await refusal(() => load(book), 'CROSS_TENANT');
      await refusal(() => book.tags.loadCount(true), 'CROSS_TENANT');
      await refusal(() => book.tags.matching({}), 'CROSS_TENANT');
      expect(database.statements).to.deep.equal([]);
    });
    await book.tags.init();
    expect(book.tags.getItems().map(tag => tag.name)).to.deep.equal(['acme tag 1']);
    expect(await book.tags.loadCount(true)).to.equal(1);
  });

  it('S1 a repository made before any scope reads the scope’s tenant', async () => {
    const repository = orm.em.getRepository(Book);

    for (const name of ['acme', 'bob']) {
      expect((await runInTenant(name, () => repository.findOneOrFail(1))).title).to.equal(`${name} book 1`);
      expect((await runInTenant(name, () => repository.qb('b').where({ id: 2 }).getSingleResult()))?.title).to.equal(`${name} book 2`);
    }

    database.statements.length = 0;
    await runInPublic(() => refusal(() => repository.findAll(), 'TENANT_CONTEXT_REQUIRED'));
    expect(database.statements).to.deep.equal([]);
  });

  it('S9 Kysely taken in a scope stays on its tenant', async () => {
    const kysely = await runInTenant('acme', em => Promise.resolve({ of: em.getKysely<{ book: { id: number; title: string } }>() }));
    const read = (): Promise<{ title: string }[]> => kysely.of.selectFrom('book').select('title').orderBy('id').execute();

    expect((await read())[0]?.title).to.equal('acme book 1');
    expect((await runInTenant('bob', read))[0]?.title).to.equal('acme book 1');
  });

  it('law 2: Kysely is refused another tenant by every name it can be given', async () => {
    await runInTenant('acme', async em => {
      const kysely = em.getKysely<{ book: { title: string }; 'bob.book': { title: string } }>();
      await refusal(() => kysely.withSchema('bob').selectFrom('book').selectAll().execute(), 'CROSS_TENANT');
      await refusal(() => kysely.selectFrom('bob.book').selectAll().execute(), 'CROSS_TENANT');
      await refusal(
        () =>
          kysely
            .with('x', query => query.selectFrom('bob.book').selectAll())
            .selectFrom('x')
            .selectAll()
            .execute(),
        'CROSS_TENANT',
      );
      const { message } = await refusal(
        () => kysely.withSchema('public').selectFrom('book').selectAll().execute(),
        'TENANT_CONTEXT_REQUIRED',
      );
      expect(message).to.contain('it was used with the public schema "public", in which it has no table.');
      await refusal(
        () => kysely.transaction().execute(trx => trx.withSchema('bob').selectFrom('book').selectAll().execute()),
        'CROSS_TENANT',
      );
      const ctes = await kysely
        .with('book_titles', query => query.selectFrom('book').select('title'))
        .selectFrom('book_titles as b')
        .select('b.title')
        .orderBy('b.title')
        .execute();
      expect(ctes[0]?.title).to.equal('acme book 1');
    });
  });
});

onDatabases(
  'streams that outlive their scope',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openTwins(database);
    });

    for (const [kind, open] of [
      ['em.stream()', () => orm.em.stream(Book, { orderBy: { id: 'asc' } })],
      ['qb.stream()', () => orm.em.qb(Book, 'b').orderBy({ id: 'asc' }).stream()],
    ] as const) {
      it(`S5, S9 ${kind} opened in a scope and read in another, or in none, stays on its tenant`, async () => {
        const read = async (stream: AsyncIterable<{ title: string }>): Promise<string[]> => {
          const titles: string[] = [];

          for await (const { title } of stream) {
            titles.push(title);
          }

          return titles;
        };
        const opened = (): Promise<{ stream: AsyncIterable<{ title: string }> }> =>
          runInTenant('acme', () => ({ stream: open() as AsyncIterable<{ title: string }> }));
        const [first, second] = [await opened(), await opened()];

        expect(await read(first.stream)).to.deep.equal(['acme book 1', 'acme book 2']);
        expect(await runInTenant('bob', () => read(second.stream))).to.deep.equal(['acme book 1', 'acme book 2']);
      });

      it(`S9, N4 ${kind} that \`await using\` lets go of before its end gives no more rows`, async () => {
        const stream = (await runInTenant('acme', () => [open()]))[0] as AsyncGenerator<{ title: string }>;

        {
          await using first = stream;
          expect((await first.next()).value).to.include({ title: 'acme book 1' });
        }

        expect(await stream.next()).to.deep.equal({ done: true, value: undefined });
      });
    }
  },
  SERVER_AND_POOLER,
);
