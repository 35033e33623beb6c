import { runInPublic, runInTenant, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { helper, ref, Reference, rel, type EntityClass } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Book, Genre, Library, Tag } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases, type SpecDatabase } from '../support/databases/database.ts';
import { ownDatabase } from '../support/databases/own-database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openBeside, openPlainOrm } from '../support/orm/open-orm.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';

/** An author, and a book with that author and a tag, of the tenant of the same name in the other database. */
interface Theirs {
  readonly author: Author;
  readonly book: any;
}

/** What is done in this one's tenant with them. */
const USES: Readonly<Record<string, (em: TenantEntityManager, theirs: Theirs) => unknown>> = {
  'em.find()': (em, { author }) => em.find(Book, { author }),
  'em.find() by a reference': (em, { author }) => em.find(Book, { author: ref(author) }),
  'em.findOne()': (em, { book }) => em.findOne(Book, book),
  'em.count()': (em, { author }) => em.count(Book, { author }),
  'em.nativeUpdate()': (em, { author }) => em.nativeUpdate(Book, { id: 1 }, { author }),
  'em.nativeDelete()': (em, { author }) => em.nativeDelete(Book, { author }),
  'em.insert()': (em, { author }) => em.insert(Book, { id: 9, title: 'x', author }),
  'em.insertMany() of entities': (em, { book }) => em.insertMany(Book, [book]),
  'em.upsert()': (em, { author }) => em.upsert(Book, { id: 2, title: 'x', author }),
  'em.create()': (em, { author }) => em.create(Book, { title: 'x', author } as never),
  'em.assign()': async (em, { author }) => em.assign(await em.findOneOrFail(Book, 1), { author }),
  'em.merge()': (em, { book }) => em.merge(book),
  'em.persist()': (em, { author }) => {
    author.name = 'of the other';
    em.persist(author);
  },
  'em.remove()': (em, { book }) => em.remove(book),
  'em.remove() of one that refers to nothing': (em, { author }) => em.remove(author),
  'em.refresh()': (em, { author }) => em.refresh(author),
  'em.populate()': (em, { book }) => em.populate([book], ['author.books'] as never),
  'em.qb()': (em, { author }) =>
    em
      .qb(Book as EntityClass<any>)
      .where({ author })
      .getResultList(),
  'a property': async (em, { author }) => {
    (await em.findOneOrFail(Book, 1)).author = author;
  },
  'a collection': async (em, { book }) => {
    (await em.findOneOrFail(Book, 1, { populate: ['tags'] as never })).tags.add(book.tags[0] as Tag);
  },
};

/** References that no EntityManager makes. */
const REFERENCES: Readonly<Record<string, (key: number) => any>> = {
  'ref()': key => ref(Author as EntityClass<Author>, key as never),
  'rel()': key => rel(Author as EntityClass<Author>, key as never),
  'Reference.createFromPK()': key => Reference.createFromPK(Author, key),
};

/** What is done here with the row of a tenant of the other database. */
const LIVES: Readonly<Record<string, (orm: LibraryOrm, row: Library) => Promise<unknown>>> = {
  'runInTenant()': (orm, row) => runInTenant(row, em => em.find(Book, {}), { orm }),
  'tenants().drop()': (orm, row) => tenants<Library>(orm).drop(row),
  'tenants().drop() softly': (orm, row) => tenants<Library>(orm).drop(row, { soft: true }),
  'tenants().rename()': (orm, row) => tenants<Library>(orm).rename(row, 'carl'),
  'tenants().provision()': (orm, row) => tenants<Library>(orm).provision(row),
  'a flush that deletes it': (orm, row) => orm.em.fork().removeAndFlush(row),
  'a flush that deletes it in the public scope': (orm, row) => runInPublic(em => em.removeAndFlush(row), { orm }),
  'a flush that renames it': (orm, row) => orm.em.fork().persistAndFlush(Object.assign(row, { schemaName: 'carl' })),
  'a flush that changes it': (orm, row) => orm.em.fork().persistAndFlush(Object.assign(row, { name: 'changed' })),
};

onDatabases(
  'two ORMs on two databases, whose tenants have the same names',
  database => {
    let here: LibraryOrm;
    let there: LibraryOrm;
    let other: Pick<SpecDatabase, 'query' | 'options'>;

    before(async () => {
      here = await openTwins(database, { contextName: 'here' });
      const own = await ownDatabase(database, 'the other of two');
      other = own;
      there = await openTwins(
        {
          ...database,
          ...own,
          atEnd: close => database.atEnd(close),
          options: () => ({ ...database.options(), ...own.options() }),
        },
        { contextName: 'there' },
      );
    });

    const rows = async (): Promise<unknown> => [
      await everyRowOfTwins(database),
      await everyRowOfTwins({ ...database, query: other.query }),
      await database.query('select id, name, schema_name from public.library order by id'),
      await other.query('select id, name, schema_name from public.library order by id'),
    ];

    for (const [name, use] of Object.entries(USES)) {
      it(`law 2: entities of the one are refused in the tenant of that name in the other: ${name}`, async () => {
        const untouched = await rows();
        const theirs = await runInTenant('acme', em => load(em), { orm: there });

        for (const work of [
          () => runInTenant('acme', async em => flushAfter(em, use, theirs), { orm: here }),
          () => flushAfter(here.em.fork({ schema: 'acme' }), use, theirs),
        ]) {
          await refusal(work(), 'CROSS_TENANT', name);
        }

        expect(await rows()).to.deep.equal(untouched);
      });
    }

    for (const [name, live] of Object.entries(LIVES)) {
      it(`T16, law 2: the row of a tenant of the one is no tenant of the other: ${name}`, async () => {
        const untouched = await rows();
        const row = await there.em.fork().findOneOrFail(Library, { schemaName: 'acme' });
        await refusal(live(here, row), 'TENANT_UNKNOWN', name);
        const current = await runInTenant('acme', (_, tenant: Library) => tenant, { orm: there });
        await refusal(live(here, current), 'TENANT_UNKNOWN', name);
        expect(await rows()).to.deep.equal(untouched);
      });
    }

    for (const [name, make] of Object.entries(REFERENCES)) {
      it(`R6 a reference that is made of a key is of the tenant of the scope, whichever ORM was opened last: ${name}`, async () => {
        for (const [orm, title] of [
          [here, 'acme author 2'],
          [there, 'acme author 2'],
        ] as const) {
          await runInTenant(
            'acme',
            async em => {
              const author: Author = Reference.unwrapReference(make(2));
              expect(helper(author).__schema).to.equal('acme');
              expect(await em.count(Book, { author })).to.equal(0);
              (await em.findOneOrFail(Book, 2)).author = author;
              await em.flush();
              expect((await em.fork().findOneOrFail(Book, 2, { populate: ['author'] })).author.name).to.equal(title);
              await em.nativeUpdate(Book, { id: 2 }, { author: 1 });
            },
            { orm },
          );
          await refusal(
            runInPublic(() => make(2), { orm }),
            'TENANT_CONTEXT_REQUIRED',
          );
        }
      });
    }

    it('G4 entities of another ORM of the same database are the tenant’s own', async () => {
      const beside = await openBeside(database, here, { contextName: 'beside' });
      const theirs = await runInTenant('acme', em => load(em), { orm: beside });
      await runInTenant(
        'acme',
        async em => {
          expect(await em.count(Book, { author: theirs.author })).to.equal(2);
          expect((await em.findOne(Book, theirs.book))?.title).to.equal('acme book 2');
          await em.nativeUpdate(Book, { id: 2 }, { author: theirs.author });
        },
        { orm: here },
      );
      const row = await beside.em.fork().findOneOrFail(Library, { schemaName: 'acme' });
      expect(await runInTenant(row, em => em.count(Book), { orm: here })).to.equal(2);
    });

    it('law 2: entities that MikroORM without tenants has loaded from the other are refused too', async () => {
      const plain = await openPlainOrm(
        { atEnd: close => database.atEnd(close), options: () => ({ ...database.options(), ...other.options() }) },
        { entities: [Author, Book, Tag, Genre], contextName: 'plain' },
      );
      const theirs = await load(plain.em.fork({ schema: 'acme' }) as never);

      for (const [name, use] of Object.entries(USES)) {
        await refusal(
          runInTenant('acme', async em => flushAfter(em, use, theirs), { orm: here }),
          'CROSS_TENANT',
          name,
        );
      }
    });
  },
  ['postgresql', 'pglite'],
);

async function load(em: TenantEntityManager): Promise<Theirs> {
  return { author: await em.findOneOrFail(Author, 1), book: await em.findOneOrFail(Book, 2, { populate: ['author', 'tags'] as never }) };
}

async function flushAfter(
  em: TenantEntityManager,
  use: (em: TenantEntityManager, theirs: Theirs) => unknown,
  theirs: Theirs,
): Promise<void> {
  await use(em, theirs);
  await em.flush();
}
