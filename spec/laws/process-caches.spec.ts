import { currentTenant, runInPublic, runInTenant, withTenants, type TenantEntityManager } from '@landlord/mikro-orm';
import {
  defineEntity,
  helper,
  MikroORM,
  p,
  raw,
  ref,
  type EntityMetadata,
  type EventArgs,
  type EventSubscriber,
  type MetadataStorage,
  type Options,
} from '@mikro-orm/core';
import { expect } from 'chai';
import { setImmediate } from 'node:timers/promises';
import { Author, Book, Genre, Library, Tag } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { addMatrixTables } from './matrix/entities.ts';
import { ormPaths, PATHS_CONFIG } from '../support/orm/orm-paths.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

/*
 * Everything that MikroORM 7.2.1, Kysely and pg keep longer than one EntityManager. Found by reading their sources for static fields, module
 * variables, and names that contain "cache":
 *
 * | kept                                                     | by                         | told apart by                 | S10 here                 |
 * | -------------------------------------------------------- | -------------------------- | ----------------------------- | ------------------------ |
 * | result cache                                             | the Configuration          | key of the query, or a name   | caches.spec.ts           |
 * | metadata, `MetadataStorage`, `EntitySchema.REGISTRY`     | ORM, process               | entity class                  | metadata                 |
 * | hydrators, comparators, mappers, snapshot and key getters| `Hydrator`, `Comparator`   | metadata, variant             | generated functions      |
 * | services (`getCachedService`)                            | the Configuration          | name of the class             | generated functions      |
 * | repositories (`#repositoryMap`)                          | each EntityManager         | metadata                      | repositories             |
 * | filters and their parameters                             | each EntityManager         | name; copied by a fork        | filters                  |
 * | row-level-security filters (`rlsFilterDefs`)             | process                    | MetadataStorage, name         | definitions alone        |
 * | identity map                                             | each unit of work          | schema and key                | identity maps            |
 * | dataloaders, `DataloaderUtils.DataLoader`                | each EntityManager, process| a new object for each load    | dataloaders              |
 * | subscribers (`EventManager`)                             | shared by all forks        | event, entity class           | subscribers              |
 * | raw fragments (`rawQueryReferences`)                     | process                    | symbol of the fragment        | raw fragments            |
 * | Kysely results (`MikroKyselyPlugin.#queryNodeCache`)     | process                    | id object of the query        | Kysely                   |
 * | the tables that Kysely knows (`kysely-schemas.ts`)       | ORM                        | table name; no tenant in it   | Kysely                   |
 * | custom types (`Type.types`)                              | process                    | class; stateless              | nothing of a tenant      |
 * | prepared statements of PostgreSQL                        | connection                 | name; neither names one       | statements               |
 * | plans of functions in the database                       | connection                 | function; replanned for a path| statements               |
 * | sequences                                                | database                   | table, by OID                 | sequences                |
 *
 * A query builder and its criteria nodes, aliases and joins live as long as the query; there is no cache of compiled queries.
 */
onDatabasesAndPooler('process-wide caches', database => {
  let orm: LibraryOrm;

  const both = async <Result>(fn: (em: TenantEntityManager, name: string) => Promise<Result>): Promise<[acme: Result, bob: Result]> => [
    await runInTenant('acme', em => fn(em, 'acme')),
    await runInTenant('bob', em => fn(em, 'bob')),
  ];

  before(async () => {
    orm = await openTwins(database, { ...PATHS_CONFIG, pool: { min: 1, max: 1 } });
    await addMatrixTables(database);
  });

  beforeEach(() => {
    database.statements.length = 0;
  });

  describe('metadata', () => {
    it('S10 nothing that is read or written in a tenant changes it', async () => {
      const before = metadataOf(orm);

      for (const name of ['acme', 'bob']) {
        for (const { run } of Object.values(ormPaths(database.kind))) {
          await runInTenant(name, em => rollBackAfter(em, () => run(orm.em)));
        }
      }

      expect(metadataOf(orm)).to.deep.equal(before);
      expect(before).not.to.match(/acme|bob/);
    });

    it('S10 of two ORMs with one set of entities each has its own', async () => {
      const entities = [...orm.getMetadata().getAll().values()].filter(meta => !meta.pivotTable).map(meta => meta.class);
      const schemasOf = (metadata: MetadataStorage): (string | undefined)[] => [
        metadata.get(Genre).schema,
        metadata.get(Library).schema,
        metadata.get(Author).schema,
      ];
      const other = new MikroORM(
        withTenants({ ...database.options(), entities } as Partial<Options<any, any, any>>, { tenant: Library, publicSchema: 'elsewhere' }),
      );

      try {
        expect(schemasOf(other.getMetadata())).to.deep.equal(['elsewhere', 'elsewhere', '*']);
        expect(schemasOf(orm.getMetadata())).to.deep.equal(['public', 'public', '*']);
        expect((await runInTenant('acme', em => em.findOneOrFail(Book, 1, { populate: ['genre'] }), { orm })).genre?.name).to.equal(
          'crime',
        );
      } finally {
        await other.close();
      }
    });
  });

  describe('generated functions', () => {
    it('S10 what was generated for the first tenant hydrates, compares and writes the second one’s as its own', async () => {
      const read = (em: TenantEntityManager): Promise<Book[]> =>
        em.find(Book, {}, { populate: ['author', 'tags', 'genre', 'sequelOf'], orderBy: { id: 'asc' } });
      const schemas = (books: Book[]): (string | undefined)[] =>
        [...books, ...books.map(book => book.author), ...books.flatMap(book => book.tags.getItems())].map(
          entity => helper(entity).__schema,
        );
      const [acme, bob] = await both(async (em, name) => {
        const books = await read(em);
        books[1]!.title = `${name} changed`;
        await em.flush();

        return books;
      });

      expect(new Set(schemas(acme))).to.deep.equal(new Set(['acme']));
      expect(new Set(schemas(bob))).to.deep.equal(new Set(['bob']));
      expect(helper(bob[0]!.genre!).__schema).not.to.equal('bob');

      for (const name of ['acme', 'bob']) {
        expect(await database.query(`select title from ${name}.book order by id`)).to.deep.equal([
          { title: `${name} book 1` },
          { title: `${name} changed` },
        ]);
        await database.query(`update ${name}.book set title = '${name} book 2' where id = 2`);
      }
    });

    it('S10 they are the same functions for both, so that nothing of a tenant can be in them', async () => {
      const [acme, bob] = await both(async em => [
        em.getComparator().getSnapshotGenerator(Book as never),
        em.getComparator().getEntityComparator(Book as never),
        em.getHydrator(),
      ]);

      expect(acme.every((fn, index) => fn === bob[index])).to.equal(true);
      expect(acme.map(String).join()).not.to.match(/acme|bob/);
    });
  });

  describe('repositories', () => {
    it('S10 one of the global EntityManager reads the tenant of the scope that it is used in', async () => {
      const inAcme = await runInTenant('acme', () => ({ repository: orm.em.getRepository(Book) }));
      const before = orm.em.getRepository(Book);

      for (const repository of [before, inAcme.repository]) {
        const [acme, bob] = await both(() => repository.findOneOrFail(1));
        expect([acme.title, bob.title]).to.deep.equal(['acme book 1', 'bob book 1']);
      }
    });

    it('S10 one of a scope’s EntityManager is refused in another tenant’s', async () => {
      const { repository } = await runInTenant('acme', em => ({ repository: em.getRepository(Book) }));

      await runInTenant('bob', () => refusal(() => repository.findAll(), 'CROSS_TENANT'));
      expect(database.statements.filter(sql => sql.includes('book'))).to.deep.equal([]);
      expect((await runInTenant('acme', () => repository.findOneOrFail(1))).title).to.equal('acme book 1');
      expect(await runInTenant('bob', em => Promise.resolve(em.getRepository(Book) === repository))).to.equal(false);
    });
  });

  describe('filters', () => {
    const only = { name: 'only', cond: (args: Record<string, any>) => ({ id: args['id'] }), entity: Book } as const;
    const titles = async (): Promise<string[]> => (await orm.em.find(Book, {}, { orderBy: { id: 'asc' } })).map(({ title }) => title);

    it('S10 a filter and its parameters of one scope are no other’s', async () => {
      await runInTenant('acme', async em => {
        em.addFilter(only);
        em.setFilterParams('only', { id: 2 });
        expect(await titles()).to.deep.equal(['acme book 2']);
      });

      expect(await runInTenant('bob', titles)).to.deep.equal(['bob book 1', 'bob book 2']);
      expect(await runInTenant('acme', titles)).to.deep.equal(['acme book 1', 'acme book 2']);
    });

    it('S10 they are not another’s that goes on at the same time, also where both use the global EntityManager', async () => {
      const filtered = (name: string, id: number): Promise<string[]> =>
        runInTenant(name, async () => {
          orm.em.addFilter(only);
          await setImmediate();
          orm.em.setFilterParams('only', { id });
          await setImmediate();

          return titles();
        });

      expect(await Promise.all([filtered('acme', 1), filtered('bob', 2), runInTenant('bob', titles)])).to.deep.equal([
        ['acme book 1'],
        ['bob book 2'],
        ['bob book 1', 'bob book 2'],
      ]);
    });

    it('S10 a nested scope begins with those of the outer one, and keeps its own to itself', async () => {
      await runInTenant('acme', async em => {
        em.addFilter(only);
        em.setFilterParams('only', { id: 1 });
        await runInTenant('bob', async inner => {
          expect(await titles()).to.deep.equal(['bob book 1']);
          inner.setFilterParams('only', { id: 2 });
          expect(await titles()).to.deep.equal(['bob book 2']);
        });
        expect(await titles()).to.deep.equal(['acme book 1']);
      });
    });
  });

  describe('identity maps', () => {
    it('S8, S10 one key is two entities in two scopes, and also in one fork outside of all that names both tenants', async () => {
      const [acme, bob] = await both(em => em.findOneOrFail(Book, 1));
      const fork = orm.em.fork();
      const [first] = await fork.find(Book, { id: 1 }, { schema: 'acme' });
      const [second] = await fork.find(Book, { id: 1 }, { schema: 'bob' });

      expect([acme.title, bob.title]).to.deep.equal(['acme book 1', 'bob book 1']);
      expect([first?.title, second?.title]).to.deep.equal(['acme book 1', 'bob book 1']);
      expect(fork.getReference(Book, 1, { schema: 'bob' })).to.equal(second);
      expect(fork.getReference(Book, 1, { schema: 'acme' })).to.equal(first);
    });
  });

  describe('dataloaders', () => {
    const authorOf = async (em: TenantEntityManager): Promise<Author> => em.findOneOrFail(Author, 1);
    const titlesOf = async (author: Author): Promise<string[]> =>
      (await author.books.loadItems({ dataloader: true, refresh: true })).map(book => book.title).sort();

    it('S10 batches of two tenants at once are each of their own', async () => {
      const load = (name: string): Promise<unknown> =>
        runInTenant(name, async em => {
          const [author, second] = await Promise.all([authorOf(em), em.findOneOrFail(Author, 2)]);
          await setImmediate();

          return Promise.all([
            titlesOf(author),
            titlesOf(second),
            author.books.loadCount({ dataloader: true, refresh: true }),
            ref(em.getReference(Tag, 1))
              .load({ dataloader: true, refresh: true })
              .then(tag => tag?.name),
          ]);
        });

      expect(await Promise.all(['acme', 'bob', 'acme'].map(load))).to.deep.equal(
        ['acme', 'bob', 'acme'].map(name => [[`${name} book 1`, `${name} book 2`], [], 2, `${name} tag 1`]),
      );
    });

    it('S10 what is asked of one tenant’s in another’s scope is refused, or is that tenant’s, also of one batch', async () => {
      const [acme, bob] = await both(async em => ({ author: await authorOf(em) }));
      const asked = await Promise.allSettled([
        runInTenant('bob', () => titlesOf(acme.author)),
        runInTenant('bob', () => titlesOf(bob.author)),
        runInTenant('acme', () => titlesOf(acme.author)),
        runInTenant('acme', () => titlesOf(bob.author)),
      ]);

      for (const [index, outcome] of asked.entries()) {
        const name = index % 2 === 0 ? 'acme' : 'bob';
        const answer: unknown = outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as { code: string }).code;
        expect([JSON.stringify([`${name} book 1`, `${name} book 2`]), '"CROSS_TENANT"']).to.include(JSON.stringify(answer));
      }

      expect(asked[0].status).to.equal('rejected');
    });
  });

  describe('subscribers', () => {
    it('S10 one that all tenants share is called in the scope of the flush, with its EntityManager', async () => {
      const seen: unknown[] = [];

      class Watcher implements EventSubscriber<Tag> {
        getSubscribedEntities(): [typeof Tag] {
          return [Tag];
        }

        async afterCreate({ entity, em }: EventArgs<Tag>): Promise<void> {
          await setImmediate();
          const others = await orm.em
            .fork({ keepTransactionContext: true })
            .count(Book, { title: { $like: `${currentTenant()?.schemaName}%` } });
          seen.push([entity.name, currentTenant()?.schemaName, (em as TenantEntityManager).schema, others]);
        }
      }

      await runInTenant('acme', em => em.getEventManager().registerSubscriber(new Watcher()));
      await both((em, name) => em.persistAndFlush(em.create(Tag, { id: 900, name: `${name} watched` })));

      expect(seen).to.deep.equal([
        ['acme watched', 'acme', 'acme', 2],
        ['bob watched', 'bob', 'bob', 2],
      ]);
    });
  });

  describe('raw fragments', () => {
    it('S10 options that are made once serve each tenant, also where MikroORM writes to them', async () => {
      const options = { where: { id: 1 } };
      const namesOf = async (em: TenantEntityManager): Promise<unknown> =>
        (await (await em.findOneOrFail(Book, 2)).tags.matching(options)).map(({ name }) => name);

      for (const tenant of ['acme', 'bob']) {
        expect(await runInTenant(tenant, namesOf)).to.deep.equal([`${tenant} tag 1`]);
        expect(await namesOf(orm.em.fork({ schema: tenant }))).to.deep.equal([`${tenant} tag 1`]);
      }

      expect(options).to.deep.equal({ where: { id: 1 } });
    });

    it('S10 one that is made once serves each tenant, as condition, order and value', async () => {
      const upper = raw(alias => `upper(${alias}.title)`);
      const read = async (em: TenantEntityManager, name: string): Promise<string[]> => {
        const found = await em.find(Book, { [upper as never]: `${name} BOOK 1`.toUpperCase() }, { orderBy: { [upper as never]: 'desc' } });

        return found.map(({ title }) => title);
      };

      for (const _ of [1, 2]) {
        expect(await both(read)).to.deep.equal([['acme book 1'], ['bob book 1']]);
      }
    });
  });

  describe('Kysely', () => {
    it('S10 results are each query’s own, also of one query that is compiled once and run again', async () => {
      const read = (em: TenantEntityManager): (() => Promise<string[]>) => {
        const query = em
          .getKysely<{ Book: { title: string; id: number } }>({ tableNamingStrategy: 'entity', columnNamingStrategy: 'property' })
          .selectFrom('Book')
          .select('title')
          .orderBy('id');

        return async () => (await query.execute()).map(({ title }) => title);
      };
      const [acme, bob] = await both(async em => ({ run: read(em) }));

      for (const _ of [1, 2]) {
        expect(await acme.run()).to.deep.equal(['acme book 1', 'acme book 2']);
        expect(await runInTenant('acme', () => bob.run())).to.deep.equal(['bob book 1', 'bob book 2']);
      }
    });

    it('S10, N2 an entity that is discovered after the first query is under guard as well', async () => {
      const query = (em: TenantEntityManager): Promise<unknown> =>
        em.getKysely<{ shelf: object }>().selectFrom('shelf').selectAll().execute();
      await runInTenant('acme', em => em.getKysely<{ book: object }>().selectFrom('book').selectAll().execute());
      orm.discoverEntity(Shelf);
      await database.query(`create table public.shelf (id int)`);
      await database.query(`insert into public.shelf values (1)`);
      await database.query(`create table acme.shelf (id int)`);

      await refusal(() => query(orm.em.fork()), 'TENANT_CONTEXT_REQUIRED');
      await runInPublic(em => refusal(() => query(em), 'TENANT_CONTEXT_REQUIRED'));
      expect(await runInTenant('acme', query)).to.deep.equal([]);
    });

    it('S6, S10 a shared entity that is discovered later stays in the public schema, and one that cannot be is refused', async () => {
      await database.query(`create table public.poster (id int)`);
      await database.query(`insert into public.poster values (7)`);
      await database.query(`create table acme.poster (id int)`);
      orm.discoverEntity(Poster);

      await runInTenant('acme', async em => {
        expect(await em.count(Poster)).to.equal(1);
        expect((await em.find(Poster, {}))[0]?.id).to.equal(7);
        expect(await em.getKysely<{ poster: { id: number } }>().selectFrom('poster').select('id').execute()).to.deep.equal([{ id: 7 }]);
      });
      await refusal(() => orm.discoverEntity(Receipt), 'TENANT_CONFIG');
    });
  });

  describe('statements', () => {
    it('S10 none is prepared under a name, by which one tenant’s plan would be another’s', async () => {
      for (const [name, { run }] of Object.entries(ormPaths(database.kind)).filter(([, { writes }]) => !writes)) {
        await both(em => run(em)).catch((error: unknown) => expect.fail(`${name}: ${String(error)}`));
      }

      await both(em => em.execute('select title from book where id = ?', [1]));
      // on the ORM's only connection
      expect(await orm.em.fork().execute('select name, statement from pg_prepared_statements')).to.deep.equal([]);
    });

    it('S10 one SQL text on one connection reads each tenant’s table, also through a function that has a plan', async () => {
      await database.query(
        `create function public.planned_title() returns text language plpgsql as $$ begin return (select title from book where id = 1); end $$`,
      );
      const read = async (em: TenantEntityManager): Promise<unknown[]> => [
        ...(await em.execute<object[]>('select title from book where id = ?', [1])),
        ...(await em.execute<object[]>('select public.planned_title() as title')),
      ];

      for (const _ of [1, 2]) {
        const [acme, bob] = await both(read);
        expect(acme).to.deep.equal([{ title: 'acme book 1' }, { title: 'acme book 1' }]);
        expect(bob).to.deep.equal([{ title: 'bob book 1' }, { title: 'bob book 1' }]);
      }
    });
  });

  describe('sequences', () => {
    it('S10 each tenant counts on its own, whatever writes', async () => {
      const writes: ((em: TenantEntityManager) => Promise<unknown>)[] = [
        async em => {
          const author = em.create(Author, { name: 'by flush' } as never);
          await em.persistAndFlush(author);

          return author.id;
        },
        em => em.insert(Author, { name: 'by insert' }),
        async em => (await em.insertMany(Author, [{ name: 'by insertMany' }]))[0],
        async em => {
          await em.qb(Author).insert({ name: 'by qb' }).execute();

          return (await em.findOneOrFail(Author, { name: 'by qb' })).id;
        },
        async em => Number((await em.execute<{ id: string }[]>(`select nextval('author_id_seq') as id`))[0]?.id),
        async em => Number((await em.execute<{ id: string }[]>(`select nextval(pg_get_serial_sequence('author', 'id')) as id`))[0]?.id),
      ];

      for (const name of ['acme', 'bob']) {
        await database.query(`select setval('${name}.author_id_seq', ${name === 'acme' ? 1000 : 2000})`);
      }

      for (const [index, write] of writes.entries()) {
        expect(await both(write), `write ${index}`).to.deep.equal([1001 + index, 2001 + index]);
      }
    });

    it('S10 a default is of the tenant’s own sequence, in the catalog as well', async () => {
      const owned = await database.query<{ default: string }>(
        `select n.nspname || ': ' || s.relnamespace::regnamespace as default
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           join pg_attrdef d on d.adrelid = c.oid
           join pg_depend p on p.objid = d.oid and p.classid = 'pg_attrdef'::regclass and p.refclassid = 'pg_class'::regclass
           join pg_class s on s.oid = p.refobjid and s.relkind = 'S'
          where n.nspname in ('acme', 'bob') group by 1 order by 1`,
      );

      expect(owned).to.deep.equal([{ default: 'acme: acme' }, { default: 'bob: bob' }]);
    });
  });
});

const ShelfSchema = defineEntity({ name: 'Shelf', schema: '*', properties: { id: p.integer().primary() } });

class Shelf extends ShelfSchema.class {}
ShelfSchema.setClass(Shelf);

const PosterSchema = defineEntity({ name: 'Poster', properties: { id: p.integer().primary() } });

class Poster extends PosterSchema.class {}
PosterSchema.setClass(Poster);

// a shared entity that refers to a tenant's
const ReceiptSchema = defineEntity({ name: 'Receipt', properties: { id: p.integer().primary(), book: () => p.manyToOne(Book) } });

class Receipt extends ReceiptSchema.class {}
ReceiptSchema.setClass(Receipt);

/** All metadata as text, with the source of functions. */
function metadataOf(orm: LibraryOrm): string {
  const seen = new Set<object>();
  const all = [...orm.getMetadata().getAll().values()].map((meta: EntityMetadata) => Object.fromEntries(Object.entries(meta)));

  return JSON.stringify(all, (_, value: unknown) => {
    if (typeof value === 'function') {
      return String(value);
    }

    if (typeof value === 'object' && value !== null) {
      if (seen.has(value)) {
        return '(above)';
      }

      seen.add(value);
    }

    return value instanceof Map || value instanceof Set ? [...value] : value;
  });
}
