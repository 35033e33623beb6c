import { runInPublic, runInTenant, tenants, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, FullTextType, p, raw, type EntityManager } from '@mikro-orm/postgresql';
import { Migrator } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { PostgresDialect } from 'kysely';
import pg from 'pg';
import { onDatabasesAndPooler, type SpecDatabase } from '../support/databases/database.ts';
import { withExtensions, withExtensionsOnPath } from '../support/databases/extension-schema.ts';
import { Client, ClientSchema, newClient } from '../support/orm/evolving-orm.ts';
import { readSession } from '../support/databases/session-state.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openOrm, openPlainOrm, type OrmConfig, type SpecOrm } from '../support/orm/open-orm.ts';
import { migrationOf, sqlMigration } from '../support/orm/tenant-set.ts';

/** Tenants' books, or those of an application without tenants, and shared shelves. */
const entitiesOf = (own: { schema?: '*' }) => {
  const Shelf = defineEntity({
    name: 'Shelf',
    properties: { code: p.string().columnType('citext').primary(), label: p.string().columnType('citext') },
  });
  const Book = defineEntity({
    name: 'Book',
    ...own,
    properties: {
      id: p.integer().primary(),
      title: p.string().columnType('citext').unique(),
      words: p.type(new FullTextType('mycfg')).nullable(),
      shelf: () => p.manyToOne(Shelf).nullable(),
      notes: () => p.oneToMany(Note).mappedBy('book'),
    },
  });
  const Note = defineEntity({
    name: 'Note',
    ...own,
    properties: {
      code: p.string().columnType('citext').primary(),
      book: () => p.manyToOne(Book),
      answers: () => p.manyToOne(Note).nullable(),
    },
  });

  return { Shelf, Book, Note };
};

const own = entitiesOf({ schema: '*' });

const plain = entitiesOf({});

const CREATE = [
  `create table book (id int primary key, title citext not null unique, words tsvector, shelf_code citext references public.shelf (code))`,
  `create table note (code citext primary key, book_id int not null references book (id), answers_code citext references note (code))`,
];

const openWith = (
  database: SpecDatabase,
  options: Partial<TenantsOptions<Client>> = { searchPath: ['ext'] },
  config: OrmConfig = {},
): Promise<SpecOrm> =>
  openOrm(
    database,
    { tenant: Client, migrations: { migrationsList: [sqlMigration('M1', CREATE)] }, ...options },
    { entities: [ClientSchema, ...Object.values(own)], pool: { min: 1, max: 1 }, ...config },
  );

type Entities = typeof plain;

type Use = (em: EntityManager, entities: Entities) => Promise<unknown>;

/** What needs an operator, a type or a name of an extension. */
const READS: Readonly<Record<string, Use>> = {
  equality: (em, { Book }) => em.count(Book, { title: 'MOBY DICK' }),
  'a list': (em, { Book }) => em.count(Book, { title: { $in: ['MOBY DICK', 'EMMA'] } }),
  inequality: (em, { Book }) => em.count(Book, { title: { $ne: 'MOBY DICK' } }),
  'a pattern': (em, { Book }) => em.count(Book, { title: { $like: 'MOBY%' } }),
  'a range': async (em, { Book }) => (await em.find(Book, { title: { $gte: 'F' } })).map(({ id }) => id),
  'an order': async (em, { Book }) => (await em.find(Book, {}, { orderBy: { title: 'asc' } })).map(({ id }) => id),
  'a query builder': async (em, { Book }) => (await em.qb(Book).where({ title: 'EMMA' }).getResult()).map(({ id }) => id),
  'a fragment': async (em, { Book }) =>
    (await em.find(Book, { [raw(alias => `${alias}.title % ?`, ['moby dik'])]: true })).map(({ id }) => id),
  'a distance': async (em, { Book }) =>
    (await em.find(Book, {}, { orderBy: { [raw(alias => `${alias}.title::text <-> 'emma'`)]: 'asc' } })).map(({ id }) => id),
  words: (em, { Book }) => em.count(Book, { words: { $fulltext: 'whale' } }),
  'a key of another case': async (em, { Note }) => (await em.findOne(Note, 'FIRST'))?.code,
  'a join': (em, { Book }) => em.count(Book, { shelf: { label: 'SEA' } }),
  'a joined collection': async (em, { Book }) =>
    (await em.find(Book, { notes: { code: 'FIRST' } }, { populate: ['notes', 'shelf'], strategy: 'joined' })).map(({ notes, shelf }) => [
      notes.count(),
      shelf?.label,
    ]),
  'a loaded collection': async (em, { Book }) =>
    (await em.find(Book, {}, { populate: ['notes', 'shelf'], strategy: 'select-in', orderBy: { id: 'asc' } })).map(({ notes, shelf }) => [
      notes.count(),
      shelf?.label,
    ]),
  'a transaction': (em, { Book }) => em.transactional(tx => tx.count(Book, { title: 'MOBY DICK' })),
  'a savepoint that is rolled back': (em, { Book }) =>
    em.transactional(async tx => {
      await tx
        .transactional(async inner => {
          await inner.count(Book, { title: 'MOBY DICK' });
          throw new Error('no');
        })
        .catch(() => undefined);

      return tx.count(Book, { title: 'MOBY DICK' });
    }),
  'a transaction whose isolation level is set': (em, { Book }) =>
    em.transactional(async tx => {
      await tx.execute('set transaction isolation level serializable');
      await tx.execute('select 1 from book');

      return [await tx.count(Book, { title: 'MOBY DICK' }), await tx.execute('show transaction_isolation')];
    }),
};

const WRITES: Readonly<Record<string, Use>> = {
  'a native update': (em, { Book }) => em.nativeUpdate(Book, { title: 'EMMA' }, { words: null }),
  'an upsert': async (em, { Book }) => {
    await em.upsert(Book, { id: 2, title: 'EMMA' }, { onConflictFields: ['title'] });

    return em.fork().find(Book, {}, { orderBy: { id: 'asc' }, fields: ['id', 'title'] });
  },
  'a flush': async (em, { Book, Note }) => {
    const book = await em.findOneOrFail(Book, { title: 'MOBY DICK' });
    em.create(Note, { code: 'third', book });
    book.title = 'Moby-Dick';
    await em.flush();

    return em.fork().count(Note, { code: 'THIRD', book: { title: 'MOBY-DICK' } });
  },
  words: async (em, { Book }) => {
    em.create(Book, { id: 9, title: 'Whales', words: 'three whales' });
    await em.flush();

    return em.fork().count(Book, { words: { $fulltext: 'whale' } });
  },
  'a native delete': (em, { Note }) => em.nativeDelete(Note, { code: 'THIRD' }),
};

const FILL: Use = async (em, { Shelf, Book, Note }) => {
  const shelf = em.create(Shelf, { code: 'Upper', label: 'Sea' });
  const books = [
    em.create(Book, { id: 1, title: 'Moby Dick', words: 'the whale', shelf }),
    em.create(Book, { id: 2, title: 'Emma', words: 'a match' }),
    em.create(Book, { id: 3, title: 'dune', words: 'a desert' }),
  ] as const;
  em.create(Note, { code: 'Second', book: books[0], answers: em.create(Note, { code: 'First', book: books[0] }) });
  await em.flush();
};

onDatabasesAndPooler('extensions outside of the public schema', given => {
  let database: SpecDatabase;
  let orm: SpecOrm;
  let stock: EntityManager;
  let served: unknown;

  before(async () => {
    database = await withExtensions(given);
    served = await pathOfPooler();
    const twin = await openPlainOrm(
      { ...(await withExtensionsOnPath(given, 'path twin')), atEnd: close => given.atEnd(close) },
      { entities: Object.values(plain) },
    );
    await twin.schema.create();
    stock = twin.em as EntityManager;
    await FILL(stock.fork(), plain);

    orm = await openWith(database);
    await orm.schema.create();
    await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
    await runInTenant('acme', em => FILL(em as never, own as never));
  });

  for (const [kind, uses] of Object.entries({ READS, WRITES })) {
    for (const [name, use] of Object.entries(uses)) {
      it(`C6 ${kind.toLowerCase()}: ${name} is what it is where they are on the connection’s path`, async () => {
        const expected = await use(stock.fork(), plain);
        const found = await runInTenant('acme', em => use(em as never, own as never));
        expect(JSON.parse(JSON.stringify(found))).to.deep.equal(JSON.parse(JSON.stringify(expected)));
      });
    }
  }

  const inPublic: Use = async (em, { Shelf }) => [await em.count(Shelf, { label: 'SEA' }), (await em.findOne(Shelf, 'UPPER'))?.label];

  for (const [name, run] of Object.entries({
    'the public scope': (use: Use) => runInPublic(em => use(em as never, own as never)),
    'no scope': (use: Use) => use(orm.em.fork() as never, own as never),
    'no scope, in a transaction': (use: Use) => orm.em.fork().transactional(em => use(em as never, own as never)),
    'a tenant’s scope': (use: Use) => runInTenant('acme', em => use(em as never, own as never)),
  } satisfies Record<string, (use: Use) => Promise<unknown>>)) {
    it(`C6 a shared entity is found in ${name} as it is where they are on the connection’s path`, async () => {
      expect(await inPublic(stock.fork(), plain)).to.deep.equal([1, 'Sea']);
      expect(await run(inPublic)).to.deep.equal([1, 'Sea']);
    });
  }

  it('C6 a fork that names a tenant finds them too', async () => {
    expect(await orm.em.fork({ schema: 'acme' }).count(own.Book, { title: 'DUNE' })).to.equal(1);
    expect(await orm.em.fork({ schema: 'bob' }).count(own.Book, { title: 'DUNE' })).to.equal(0);
  });

  it('C6 what a query says for raw SQL is what it says for entities', async () => {
    const [row] = await runInTenant('acme', em => em.execute(`select count(*)::int as count from book where title = 'DUNE'`));

    expect(row).to.deep.equal({ count: 1 });
  });

  it('C6 the connection is as it was after whatever raw SQL has set', async () => {
    const before = await readSession(orm);
    expect(before.path).to.match(/^("\$user", )?public, "?ext"?$/);

    for (const sql of ['reset all', 'reset search_path', 'set search_path to acme', 'select 1 from book']) {
      await runInTenant('acme', em => em.execute(sql));
      await runInTenant('acme', em => em.transactional(tx => tx.execute(sql)));
      await orm.em.fork().transactional(async em => {
        await em.execute('select 1');
        await runInTenant('acme', inner => inner.execute(sql));
      });
      expect(await readSession(orm), sql).to.deep.equal(before);
      expect(await pathOfPooler(), sql).to.equal(served);
    }

    expect(await runInTenant('acme', em => em.count(own.Book, { title: 'DUNE' }))).to.equal(1);
  });

  it('C6 no tenant can have the name of such a schema', async () => {
    await refusal(tenants(orm).create({ schemaName: 'ext', domainUrl: 'ext.example.com', name: 'ext' }), 'SCHEMA_NAME_RESERVED');
  });

  it('C6 what is in the public schema and in one of `searchPath` is taken from the public schema, also by raw SQL', async () => {
    await database.query('create text search configuration public.mycfg (copy = pg_catalog.simple)');

    try {
      const counts = (em: EntityManager): Promise<number> => em.count(own.Book, { words: { $fulltext: 'whales' } });
      const found = `select count(*)::int as count from book where words @@ plainto_tsquery('mycfg', 'whales')`;
      expect(await runInTenant('acme', em => counts(em as never))).to.equal(0);
      expect(await runInTenant('acme', em => em.execute(found))).to.deep.equal([{ count: 0 }]);
    } finally {
      await database.query('drop text search configuration public.mycfg');
    }
  });

  it('C6 through a dialect of the user’s own, a path is set for each transaction alone', async () => {
    // of which there is none here
    if (database.kind === 'pglite') {
      return;
    }

    await orm.close();
    const pool = new pg.Pool({ connectionString: database.url, max: 1 });
    orm = await openWith(database, { searchPath: ['ext'] }, { driverOptions: new PostgresDialect({ pool }) });

    expect(await runInTenant('acme', em => em.count(own.Book, { title: 'DUNE' }))).to.equal(1);
    expect(await runInTenant('acme', em => em.transactional(tx => tx.count(own.Book, { title: 'DUNE' })))).to.equal(1);
    await orm.close();
    expect(await pathOfPooler()).to.equal(served);
    orm = await openWith(database);
  });

  it('C6 a session context of the connection takes nothing away', async () => {
    // MikroORM has none there
    if (database.kind === 'pglite') {
      return;
    }

    await orm.close();
    orm = await openWith(database, { searchPath: ['ext'] }, { sessionContext: 'connection' });

    for (const title of ['DUNE', 'Dune']) {
      expect(await runInTenant('acme', em => em.count(own.Book, { title }))).to.equal(1);
    }
  });

  it('C6 a migration outside a transaction leaves the path as it was', async function () {
    // which a pooler cannot run
    if (database.kind === 'pgbouncer') {
      return;
    }

    await orm.close();
    const outside = migrationOf('M2', migration => migration.addSql('create index concurrently on book (title)'), { transactional: false });
    orm = await openWith(database, { searchPath: ['ext'], migrations: { migrationsList: [sqlMigration('M1', CREATE), outside] } });
    const before = await readSession(orm);
    const { failed } = await tenants(orm).migrate();

    expect(failed).to.deep.equal([]);
    expect(await readSession(orm)).to.deep.equal(before);
    expect(await runInTenant('acme', em => em.count(own.Book, { title: 'DUNE' }))).to.equal(1);
  });

  it('C6 a connection that finds them by itself is asked once, and gets no transaction and no path', async () => {
    await orm.close();
    await setPath('public, ext');
    database.statements.length = 0;
    orm = await openWith(database);

    try {
      expect(await runInTenant('acme', em => em.count(own.Book, { title: 'DUNE' }))).to.equal(1);
      expect(await orm.em.fork().count(own.Shelf, { label: 'SEA' })).to.equal(1);
      expect(database.statements.filter(sql => /begin|search_path/.test(sql))).to.have.length(1);
    } finally {
      await orm.close();
      await setPath('default');
    }
  });

  /** What somebody else gets of the pooler, where there is one. */
  async function pathOfPooler(): Promise<unknown> {
    const client = new pg.Client({ connectionString: database.url ?? '' });

    if (database.kind !== 'pgbouncer') {
      return undefined;
    }

    await client.connect();

    try {
      return (await client.query('show search_path')).rows[0]?.search_path;
    } finally {
      await client.end();
    }
  }

  /** Sets what connections to the database begin with, also that of the pooler. */
  async function setPath(path: string): Promise<void> {
    if (database.kind === 'pglite') {
      await database.query(`set search_path to ${path}`);
      return;
    }

    await database.query(`do $$ begin execute format('alter database %I set search_path to ${path}', current_database()); end $$`);
    await database.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
  }
});

onDatabasesAndPooler('the shared tables, with extensions outside of the public schema', given => {
  const MIGRATION = sqlMigration('P1', [
    'create table shelf (code citext primary key, label citext not null)',
    `insert into shelf (code, label) values ('Upper', 'Sea')`,
    `update shelf set label = 'Lake' where label = 'SEA'`,
  ]);
  let database: SpecDatabase;

  before(async () => {
    database = await withExtensions(given);
  });

  it('C6 the public set, the schema generator and raw SQL of no scope find them', async () => {
    const orm = await openOrm(
      database,
      { tenant: Client, searchPath: ['ext'], migrations: { migrationsList: [] } },
      {
        entities: [ClientSchema, ...Object.values(own)],
        extensions: [Migrator],
        migrations: { migrationsList: [MIGRATION], silent: true },
      },
    );
    await orm.migrator.up();

    expect(await database.query('select label::text from public.shelf')).to.deep.equal([{ label: 'Lake' }]);
    expect(await orm.em.fork().execute(`select label from shelf where code = 'UPPER'`)).to.deep.equal([{ label: 'Lake' }]);
    await orm.schema.drop();
    await orm.schema.create();
    expect(await orm.em.fork().count(own.Shelf)).to.equal(0);
  });
});
