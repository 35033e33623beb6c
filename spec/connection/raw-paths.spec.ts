import { runInPublic, runInTenant, TenantError, type TenantEntityManager } from '@landlord/mikro-orm';
import { raw } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Author, Book, Genre } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { FRAGMENTS, STATEMENTS } from '../support/orm/raw-paths.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';

onDatabasesAndPooler('raw SQL that names no schema, on a pool of one', database => {
  let orm: LibraryOrm;
  let connection: { path: string; role: string };

  const onTheConnection = async (): Promise<typeof connection> => {
    const [row] = await orm.em.getConnection().execute<(typeof connection)[]>(PATH_AND_ROLE);

    return row as typeof connection;
  };

  before(async () => {
    orm = await openTwins(database, { pool: { min: 1, max: 1 } });
    connection = await onTheConnection();

    for (const name of ['acme', 'bob']) {
      await database.query(`create table ${name}.shelf as select '${name}' as label, 1 as author_id`);
    }
  });

  afterEach(async () => {
    expect(await onTheConnection(), 'N3: the connection').to.deep.equal(connection);
  });

  for (const [name, path] of Object.entries({ ...STATEMENTS, ...FRAGMENTS })) {
    // inside a transaction, the connection's own `transactional()` would wait forever for the only connection
    const needsConnection =
      /getConnection\(\)\.(transactional|begin|executeDump|getClient)|a transaction|\("read"\)|getConnection\(\)\.execute$/.test(name);

    it(`law 2, N3: "${name}" in a tenant's scope reads that tenant, and leaves nothing on the connection`, async () => {
      for (const [tenant, other] of [
        ['acme', 'bob'],
        ['bob', 'acme'],
      ] as const) {
        const answers = [
          name in FRAGMENTS
            ? await runInTenant(tenant, em => em.transactional(tx => inSavepoint(tx, path)))
            : await runInTenant(tenant, em => path(em)),
          needsConnection ? tenant : await runInTenant(tenant, em => em.transactional(() => inSavepoint(orm.em, path))),
          needsConnection
            ? tenant
            : await runInPublic(em => em.transactional(() => runInTenant(tenant, inner => inSavepoint(inner, path)))),
          name in FRAGMENTS ? await orm.em.fork({ schema: tenant }).transactional(tx => inSavepoint(tx, path)) : tenant,
        ];

        for (const answer of answers) {
          expect(JSON.stringify(answer)).to.contain(tenant).and.not.contain(other).and.not.contain('decoy');
        }
      }
    });
  }

  for (const [name, path] of Object.entries(STATEMENTS)) {
    it(`N2: "${name}" outside a tenant never reads one, with tenants read before on the connection`, async () => {
      for (const tenant of ['acme', 'bob']) {
        await runInTenant(tenant, em => em.execute('select title from book'));

        for (const answer of [await attempt(orm.em.fork(), path), await runInPublic(em => attempt(em, path))]) {
          expect(JSON.stringify(answer ?? 'refused'))
            .not.to.contain('acme')
            .and.not.to.contain('bob');
        }
      }
    });
  }

  it('law 3: in the public scope the path is the public schema, in a tenant’s the tenant and then the public one', async () => {
    const pathOf = (em: TenantEntityManager): Promise<unknown> => em.execute(`select current_schemas(false)::text[] as path`);

    expect(await runInPublic(pathOf)).to.deep.equal([{ path: ['public'] }]);
    expect(await runInTenant('acme', pathOf)).to.deep.equal([{ path: ['acme', 'public'] }]);
    expect(await runInTenant('acme', em => em.execute('select name from genre'))).to.deep.equal([{ name: 'crime' }]);
  });

  it('law 3: a query of the ORM without SQL of the user’s is sent without a path', async () => {
    await runInTenant('acme', async em => {
      database.statements.length = 0;
      await em.find(Author, { books: { title: { $like: '%"; from book%' } } }, { populate: ['*'], strategy: 'joined' });
      await em.findAndCount(Book, { author: { name: "it’s \\' from tag" } }, { limit: 1 });
    });

    expect(database.statements).to.have.length.above(2);
    expect(database.statements.filter(sent => /search_path|begin/.test(sent))).to.deep.equal([]);
  });

  it('law 3: pieces of raw SQL that name columns alone are sent without a path, and answer as on MikroORM alone', async () => {
    const query = (em: SqlEntityManager): Promise<unknown> =>
      em
        .createQueryBuilder(Book, 'b')
        .select(['title', raw('copies * 2 as twice')])
        .where({ [raw('lower(title)')]: { $like: '%book%' } })
        .andWhere('copies >= ?', [0])
        .orderBy([{ [raw('length(title)')]: 'desc' }, { id: 'asc' }])
        .execute();

    const answers = await runInTenant('acme', async em => {
      database.statements.length = 0;

      return [await query(em), await em.find(Book, { [raw('copies + 1')]: { $gt: 0 } }).then(books => books.map(({ title }) => title))];
    });

    expect(database.statements).to.have.length(2);
    expect(answers).to.deep.equal([
      await database.query(
        `select title, copies * 2 as twice from acme.book where lower(title) like '%book%' and copies >= 0 order by length(title) desc, id`,
      ),
      (await database.query<{ title: string }>('select title from acme.book where copies + 1 > 0')).map(({ title }) => title),
    ]);
  });

  it('S11 raw SQL of two tenants at once in one transaction never reads the other’s path, by whatever way', async () => {
    await runInPublic(em =>
      em.transactional(async () => {
        const names = Array.from({ length: 24 }, (_, index) => (index % 2 === 0 ? 'acme' : 'bob'));
        const read = await Promise.all(
          names.map((name, index) =>
            runInTenant(name, async (inner): Promise<unknown> => {
              const ctx = inner.getTransactionContext();

              return [
                () => inner.execute(TITLE),
                () => inner.getDriver().execute(TITLE, [], 'all', ctx),
                () => inner.qb(Author, 'a').select(sqlTitle()).where({ id: 1 }).execute(),
                async () => (await inner.findOneOrFail(Book, 1)).title,
              ][Math.floor(index / 2) % 4]?.();
            }),
          ),
        );
        read.forEach((answer, index) => expect(JSON.stringify(answer)).to.contain(`${names[index]} book 1`));
      }),
    );
  });

  it('S11 a commit that comes while raw SQL is under way waits for it', async () => {
    await runInTenant('acme', async em => {
      const raw = em.getConnection();
      const ctx = await raw.begin();
      const reading = raw.execute(TITLE, [], 'all', ctx);
      await raw.commit(ctx);
      expect(await reading).to.deep.equal([{ title: 'acme book 1' }]);
    });
  });

  it('S11 a savepoint rolled back after a switch leaves raw SQL on its tenant', async () => {
    await runInTenant('acme', em =>
      em.transactional(async () => {
        const failed = orm.em.transactional(async tx => {
          await tx.execute(TITLE);
          await runInTenant('bob', bob => bob.execute(TITLE));
          await tx.execute('select * from nothing');
        });
        expect(sqlStateOf(await failureOf(failed))).to.equal('42P01');
        expect(await orm.em.execute(TITLE)).to.deep.equal([{ title: 'acme book 1' }]);
        expect(await orm.em.qb(Author, 'a').select(sqlTitle()).where({ id: 1 }).execute()).to.deep.equal([{ title: 'acme book 1' }]);
      }),
    );
  });

  for (const statement of [
    'set search_path to bob',
    `select set_config('search_path', 'bob', false)`,
    'set session search_path to bob, public',
  ]) {
    it(`N3: "${statement}" in a caller’s transaction is of that statement alone, and is not on the connection afterwards`, async () => {
      await runInTenant('acme', em =>
        em.transactional(async tx => {
          await tx.execute(statement);
          expect(await tx.execute(TITLE)).to.deep.equal([{ title: 'acme book 1' }]);
        }),
      );
    });
  }

  it('N3: a role that raw SQL takes for the session is not on the connection afterwards', async () => {
    await runInTenant('acme', em => em.execute('set role pg_monitor'));
    await runInTenant('acme', em => em.transactional(tx => tx.execute('set role pg_monitor')));
    await runInPublic(em => em.transactional(tx => tx.execute(`select set_config('role', 'pg_monitor', false)`)));
  });

  it('G4 MikroORM’s session context holds in a tenant’s scope, with raw SQL and without', async () => {
    await runInTenant('acme', async em => {
      const fork = em.fork({ session: { variables: { 'app.visitor': 'one' } } });
      const read = (inner: TenantEntityManager): Promise<unknown> =>
        inner.execute(`select current_setting('app.visitor') as visitor, title from book where id = 1`);

      expect(await read(fork)).to.deep.equal([{ visitor: 'one', title: 'acme book 1' }]);
      expect(await fork.transactional(tx => read(tx))).to.deep.equal([{ visitor: 'one', title: 'acme book 1' }]);
      expect((await fork.findOneOrFail(Book, 1)).title).to.equal('acme book 1');
    });
  });

  it('N3: a stream of raw SQL keeps its tenant wherever it is read, and gives its connection back as it was', async function () {
    if (database.kind === 'pglite') {
      // it does not stream
      return;
    }

    const open = (name: string): Promise<() => AsyncIterable<{ title: string }>> =>
      runInTenant(name, em => {
        const stream = em.getConnection().stream<{ title: string }>('select title from book order by id', [], undefined, undefined, 1);

        return () => stream;
      });
    const titles: string[] = [];
    const acme = (await open('acme'))();

    await runInTenant('bob', async () => {
      for await (const row of acme) {
        titles.push(row.title);
      }
    });

    for await (const row of (await open('bob'))()) {
      titles.push(row.title);
      break;
    }

    for await (const author of await runInTenant('acme', em => ({
      stream: em.stream(Author, { where: { id: { $in: sqlIds() } } as never }),
    })).then(({ stream }) => stream)) {
      titles.push(author.name);
    }

    expect(titles).to.deep.equal(['acme book 1', 'acme book 2', 'bob book 1', 'acme author 1']);
  });

  it('law 2: an EntityManager of another tenant is refused raw SQL in a tenant’s scope', async () => {
    const bobs = await runInTenant('bob', em => em.fork());

    await runInTenant('acme', async () => {
      await refusal(() => bobs.execute(TITLE), 'CROSS_TENANT');
      await refusal(() => bobs.getKysely<any>().selectFrom('book').selectAll().execute(), 'CROSS_TENANT');
    });
  });

  it('law 2: a query of a shared entity by an EntityManager of another tenant sends nothing in a tenant’s scope', async () => {
    const titles = (em: TenantEntityManager): Promise<unknown> =>
      em.qb(Genre, 'g').select(raw('(select max(title) from book) as title')).execute();

    await runInTenant('acme', async em => {
      await refusal(() => titles(em.fork({ schema: 'bob' })), 'CROSS_TENANT');
      expect(await titles(em.fork({ schema: 'public' }))).to.deep.equal([{ title: 'acme book 2' }]);
    });
    expect(await titles(orm.em.fork({ schema: 'public' }))).to.deep.equal([{ title: 'decoy' }]);
    expect(await runInPublic(em => titles(em.fork({ schema: 'bob' })))).to.deep.equal([{ title: 'bob book 2' }]);
  });

  it('M1 the public set runs on the public schema in a tenant’s scope too', async () => {
    await runInTenant('acme', async () => {
      expect(await orm.migrator.getPending()).to.deep.equal([]);
      expect((await orm.migrator.getExecuted()).length).to.be.above(0);
      await orm.schema.execute('create table made_in_a_scope (id int)');
    });
    expect(await database.query(`select schemaname::text as name from pg_tables where tablename = 'made_in_a_scope'`)).to.deep.equal([
      { name: 'public' },
    ]);
  });
});

function sqlTitle(): never {
  return raw('(select max(title) from book where id = 1) as title') as never;
}

function sqlIds(): never {
  return raw('(select author_id from book)') as never;
}

/** The answer, or nothing if the path is refused. */
async function attempt(em: TenantEntityManager, path: (em: TenantEntityManager) => Promise<unknown>): Promise<unknown> {
  return path(em).catch((error: unknown) => {
    // like a query for an entity, which has no schema there
    expect(error).to.be.instanceOf(TenantError).with.property('code', 'TENANT_CONTEXT_REQUIRED');
  });
}

// plain values can be compared
async function inSavepoint(em: TenantEntityManager, path: (em: TenantEntityManager) => Promise<unknown>): Promise<unknown> {
  return rollBackAfter(em, async tx =>
    JSON.parse(JSON.stringify(await path(tx), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))),
  );
}

const TITLE = 'select title from book where id = 1';

// qualified and quoted, so that the guard sends it unchanged in a scope too
const PATH_AND_ROLE = `select pg_catalog.current_setting('search_path') as "path", pg_catalog.current_setting('role') as "role"`;
