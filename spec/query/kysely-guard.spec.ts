import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { CompiledQuery, sql, type Kysely } from 'kysely';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { schemaNames } from '../support/databases/catalog.ts';

interface Tables {
  book: { id: number; title: string };
  'bob.book': { id: number; title: string };
  author: { id: number; name: string };
  genre: { id: number };
  /** Of no entity. */
  ledger: { id: number; title: string };
}

type Db = Kysely<Tables>;

const PASSING = { transformQuery: ({ node }: { node: any }) => node, transformResult: async ({ result }: { result: any }) => result };

/** The ways from the instance that `getKysely()` returns to another. */
const INSTANCES: Readonly<Record<string, <T>(db: Db, use: (db: Db) => Promise<T>) => Promise<T>>> = {
  itself: (db, use) => use(db),
  'withoutPlugins()': (db, use) => use(db.withoutPlugins()),
  'withoutPlugins() twice': (db, use) => use(db.withoutPlugins().withoutPlugins()),
  'withPlugin()': (db, use) => use(db.withPlugin(PASSING)),
  'withPlugin(), withoutPlugins()': (db, use) => use(db.withPlugin(PASSING).withoutPlugins()),
  'withTables()': (db, use) => use((db.withoutPlugins() as any).withTables()),
  'transaction()': (db, use) =>
    db
      .withoutPlugins()
      .transaction()
      .execute(trx => use(trx as Db)),
  'transaction(), withoutPlugins()': (db, use) => db.transaction().execute(trx => use(trx.withoutPlugins() as Db)),
  'connection()': (db, use) => db.connection().execute(one => use(one.withoutPlugins())),
  'startTransaction()': async (db, use) => {
    const trx = await db.withoutPlugins().startTransaction().execute();

    try {
      return await use(trx.withoutPlugins());
    } finally {
      await trx.rollback().execute();
    }
  },
};

/** How an instance of acme's asks for bob's rows. */
const ASKING: Readonly<Record<string, (db: Db) => Promise<unknown>>> = {
  'a qualified name': db => db.selectFrom('bob.book').selectAll().execute(),
  'withSchema()': db => db.withSchema('bob').selectFrom('book').selectAll().execute(),
  'withSchema() of the query': db =>
    db.selectFrom('book').selectAll().withPlugin(PASSING).where('id', 'in', db.withSchema('bob').selectFrom('book').select('id')).execute(),
  update: db => db.withSchema('bob').updateTable('book').set({ title: 'x' }).execute(),
  delete: db => db.withSchema('bob').deleteFrom('book').execute(),
  'a table in raw SQL': db => sql`select * from ${sql.table('bob.book')}`.execute(db),
};

/** How a query that was built by bob's instance gets into acme's. */
const EMBEDDING: Readonly<Record<string, (db: Db, bobs: any) => Promise<unknown>>> = {
  'a table': (db, bobs) => db.selectFrom(bobs.as('x')).selectAll().execute(),
  'a condition': (db, bobs) => db.selectFrom('book').selectAll().where('id', 'in', bobs).execute(),
  'deep in a condition': (db, bobs) =>
    db
      .selectFrom('book')
      .selectAll()
      .where(eb => eb.or([eb('id', '=', 1), eb.not(eb.exists(bobs))]))
      .execute(),
  'a column': (db, bobs) => db.selectFrom('book').select(bobs.as('x')).execute(),
  'a CTE': (db, bobs) =>
    db
      .with('x', () => bobs)
      .selectFrom('x' as never)
      .selectAll()
      .execute(),
  'a union': (db, bobs) => db.selectFrom('book').select('id').unionAll(bobs).execute(),
  'an insertion': (db, bobs) => db.insertInto('book').columns(['id']).expression(bobs).execute(),
  'raw SQL': (db, bobs) => sql`select * from (${bobs}) x`.execute(db),
  'executeQuery()': (db, bobs) => db.executeQuery(bobs),
  'executeQuery(), compiled': (db, bobs) => db.executeQuery(bobs.compile()),
  'the stream of its executor': async (db, bobs) => {
    for await (const { rows } of db.getExecutor().stream(bobs.compile(), 10)) {
      expect(rows).to.deep.equal([]);
    }
  },
};

onDatabasesAndPooler('the guard of Kysely', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  before(async () => {
    orm = await openTwins(database);

    for (const name of ['acme', 'bob']) {
      await database.query(`create table ${name}.ledger as select id, title from ${name}.book`);
    }

    untouched = await everyRowOfTwins(database);
  });

  const kyselyOf = (em: TenantEntityManager): Db => em.getKysely<Tables>();
  const readers: Readonly<Record<string, <T>(fn: (em: TenantEntityManager) => Promise<T>) => Promise<T>>> = {
    'in its scope': fn => runInTenant('acme', em => fn(em)),
    'in a transaction': fn => runInTenant('acme', em => em.transactional(tx => fn(tx))),
  };

  for (const [instance, derive] of Object.entries(INSTANCES)) {
    for (const [where, enter] of Object.entries(readers)) {
      if (where === 'in a transaction' && /ransaction\(|connection\(/.test(instance)) {
        continue;
      }

      it(`S13 ${instance} of a tenant’s Kysely ${where} keeps the guard`, async () => {
        await enter(async em => {
          await derive(kyselyOf(em), async db => {
            const [book] = await db.selectFrom('book').selectAll().orderBy('id').execute();
            expect(book?.title).to.equal('acme book 1');

            for (const [name, ask] of Object.entries(ASKING)) {
              await refusal(() => ask(db), 'CROSS_TENANT', name);
            }
          });
        });
        expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
      });
    }

    it(`S13 ${instance} of the public scope’s Kysely is refused a tenant’s table`, async () => {
      await runInPublic(em =>
        derive(kyselyOf(em), db => refusal(() => db.selectFrom('book').selectAll().execute(), 'TENANT_CONTEXT_REQUIRED')),
      );
    });
  }

  it('S13 raw SQL of the public scope’s Kysely is the public scope’s, also where a tenant’s scope sends it', async () => {
    const db = await runInPublic(async em => kyselyOf(em));

    await runInTenant('acme', async () => {
      expect(String(await failureOf(sql`select * from ledger`.execute(db)))).to.include('relation "ledger" does not exist');
    });
  });

  it('S13 outside of scopes a schema is created and dropped as without tenants', async () => {
    const { schema } = kyselyOf(orm.em.fork());
    await schema.createSchema('made_by_kysely').execute();
    expect(await schemaNames(database)).to.include('made_by_kysely');
    await schema.dropSchema('made_by_kysely').execute();
    expect(await schemaNames(database)).not.to.include('made_by_kysely');
  });

  it('S13 a plugin of the user’s that names another tenant is refused', async () => {
    const toBob = {
      ...PASSING,
      transformQuery: ({ node }: { node: any }) =>
        JSON.parse(
          JSON.stringify(node)
            .replaceAll('"landlord_placeholder"', '"bob"')
            .replaceAll(
              '{"kind":"SchemableIdentifierNode","identifier"',
              '{"kind":"SchemableIdentifierNode","schema":{"kind":"IdentifierNode","name":"bob"},"identifier"',
            ),
        ),
    };
    await runInTenant('acme', em => refusal(() => kyselyOf(em).withPlugin(toBob).selectFrom('book').selectAll().execute(), 'CROSS_TENANT'));
  });

  it('S13 a query of another tenant’s that a plugin of the user’s puts in is refused', async () => {
    const [bobs] = await runInTenant('bob', em => [kyselyOf(em).selectFrom('ledger').select('id').toOperationNode()]);
    const withBobs = { ...PASSING, transformQuery: ({ node }: { node: any }) => ({ ...node, where: { kind: 'WhereNode', where: bobs } }) };

    await runInTenant('acme', em =>
      refusal(() => kyselyOf(em).withPlugin(withBobs).selectFrom('ledger').selectAll().compile(), 'CROSS_TENANT'),
    );
  });

  it('S13 a query that names no table is refused in another tenant’s too', async () => {
    const [bobs] = await runInTenant('bob', async em => [kyselyOf(em).selectNoFrom(sql<number>`(select min(id) from ledger)`.as('id'))]);

    await runInTenant('acme', em =>
      refusal(
        () =>
          kyselyOf(em)
            .selectFrom('ledger')
            .selectAll()
            .where('id', 'in', bobs as never)
            .compile(),
        'CROSS_TENANT',
      ),
    );
  });

  it('S13 a query with an id of its own, which nobody can write on, is refused in another tenant’s', async () => {
    const id = Object.freeze({ queryId: 'one of the user’s' });
    const [compiled] = await runInTenant('bob', async em => {
      const executor = kyselyOf(em).getExecutor();
      const node = executor.transformQuery(kyselyOf(em).selectFrom('ledger').selectAll().toOperationNode(), id);

      return [executor.compileQuery(node, id)];
    });

    await runInTenant('acme', em => refusal(() => kyselyOf(em).executeQuery(compiled), 'CROSS_TENANT'));
  });

  it('law 1 a query that cannot be compiled leaves none of its names to the next one', async () => {
    const broken: any = { toOperationNode: () => ({ kind: 'OfNoKysely' }), expressionType: undefined };

    await runInTenant('acme', em => {
      const db = kyselyOf(em);
      const failing = db
        .with('book', () => db.selectFrom('author').select('id'))
        .selectFrom('book')
        .selectAll()
        .where(broken);
      expect(() => failing.compile()).to.throw(TypeError);
      expect(db.selectFrom('book').selectAll().compile().sql).to.equal('select * from "acme"."book"');
    });
  });

  for (const table of ['book', 'ledger'] as const) {
    for (const [place, embed] of Object.entries(EMBEDDING)) {
      it(`S13 a Kysely query of ${table} that was built for one tenant is refused in another’s, as ${place}`, async () => {
        const makers = {
          'in its scope': () => runInTenant('bob', em => [kyselyOf(em)]),
          'by a fork': async () => [kyselyOf(orm.em.fork({ schema: 'bob' }))],
          'without plugins': () => runInTenant('bob', em => [kyselyOf(em).withoutPlugins()]),
        };

        for (const [how, make] of Object.entries(makers)) {
          const [bob] = (await make()) as [Db];
          const bobs = (): any => bob.selectFrom(table).select('id');
          await runInTenant('acme', em => refusal(() => embed(kyselyOf(em), bobs()), 'CROSS_TENANT', how));
          await refusal(() => embed(kyselyOf(orm.em.fork({ schema: 'acme' })), bobs()), 'CROSS_TENANT', `${how}, in a fork`);
        }

        expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
      });
    }
  }

  for (const [place, embed] of Object.entries(EMBEDDING)) {
    it(`S13 a Kysely query of nobody’s that has one tenant’s in it is refused in another’s, as ${place}`, async () => {
      const [bobs] = await runInTenant('bob', em => [kyselyOf(em).selectFrom('ledger').select('id')]);
      const nobody = kyselyOf(orm.em.fork());
      const nobodys = {
        'a query of his': nobody.selectFrom(bobs.as('y') as never).select('y.id' as never),
        'his table': nobody.withSchema('bob').selectFrom('book').select('id'),
        'queries and tables of both': nobody
          .withSchema('acme')
          .selectFrom('book')
          .select('id')
          .where('id', 'in', bobs as never),
      };

      for (const [name, query] of Object.entries(nobodys)) {
        await runInTenant('acme', em => refusal(() => embed(kyselyOf(em), query), 'CROSS_TENANT', name));
        await refusal(() => embed(kyselyOf(orm.em.fork({ schema: 'acme' })), query), 'CROSS_TENANT', `${name}, in a fork`);
      }

      expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
    });
  }

  it('G4 what a write by a tenant’s Kysely is answered with is the same as without tenants', async () => {
    await runInTenant('acme', async em => {
      const db = kyselyOf(em);
      const answers = [
        await db.insertInto('author').values({ id: 70, name: 'new' }).returning('name').executeTakeFirst(),
        await db.updateTable('author').set({ name: 'other' }).where('id', '=', 70).returning('name').executeTakeFirst(),
        (await db.updateTable('author').set({ name: 'third' }).where('id', '=', 70).executeTakeFirst()).numUpdatedRows,
        await db.deleteFrom('author').where('id', '=', 70).returning('name').executeTakeFirst(),
      ];

      expect(answers).to.deep.equal([{ name: 'new' }, { name: 'other' }, 1n, { name: 'third' }]);
    });
  });

  it('S13 a Kysely query that has no tenant is served in each tenant’s', async () => {
    const genres = kyselyOf(orm.em.fork()).selectFrom('genre').select('id').where('id', '=', 1);

    for (const tenant of ['acme', 'bob']) {
      const rows = await runInTenant(tenant, em =>
        kyselyOf(em)
          .selectFrom('book')
          .select('title')
          .where('id', '=', 1)
          .where(eb => eb.exists(genres))
          .execute(),
      );
      expect(rows).to.deep.equal([{ title: `${tenant} book 1` }]);
    }
  });

  it('S13 an instance that was made in no scope is refused another tenant’s table where it is used in a scope', async () => {
    const db = kyselyOf(orm.em.fork());
    const [bobs] = await runInTenant('bob', em => [kyselyOf(em).selectFrom('ledger').select('id')]);
    expect(
      await db.withSchema('bob').selectFrom('book').select('title').where('id', 'in', bobs).where('id', '=', 1).execute(),
    ).to.deep.equal([{ title: 'bob book 1' }]);

    await runInTenant('acme', async () => {
      await refusal(() => db.withSchema('bob').selectFrom('book').selectAll().execute(), 'CROSS_TENANT');
      await refusal(() => db.withSchema('acme').selectFrom('book').select('id').where('id', 'in', bobs).execute(), 'CROSS_TENANT');
      expect(await db.withSchema('acme').selectFrom('book').select('title').where('id', '=', 1).execute()).to.deep.equal([
        { title: 'acme book 1' },
      ]);
    });
  });

  it('S9 SQL of an instance that was made in no scope is sent for the scope that it is used in', async () => {
    const db = kyselyOf(orm.em.fork());

    for (const tenant of ['acme', 'bob']) {
      const query = CompiledQuery.raw('select title from book where id = 1');
      expect((await runInTenant(tenant, () => db.executeQuery(query))).rows).to.deep.equal([{ title: `${tenant} book 1` }]);
    }
  });

  it('S13 a query that was compiled for one tenant is refused in another’s scope, by whatever sends it', async () => {
    const [compiled] = await runInTenant('bob', em => [kyselyOf(em).selectFrom('ledger').selectAll().compile()]);

    await runInTenant('acme', async em => {
      const client = em.getConnection().getClient() as unknown as Db;
      const sending: Readonly<Record<string, (db: Db) => Promise<unknown>>> = {
        'executeQuery()': db => db.executeQuery(compiled),
        'its executor': db => db.getExecutor().executeQuery(compiled),
        'a connection': db => db.connection().execute(one => one.executeQuery(compiled)),
        'the connection of its executor': db => db.getExecutor().provideConnection(one => one.executeQuery(compiled)),
        'a transaction': db => db.transaction().execute(trx => trx.executeQuery(compiled)),
      };

      for (const [name, send] of Object.entries(sending)) {
        await refusal(() => send(client), 'CROSS_TENANT', `${name} of the client`);
        await refusal(() => send(kyselyOf(em)), 'CROSS_TENANT', name);
      }
    });

    // which has no target to be held to where it is sent
    const publics = kyselyOf(orm.em.fork({ schema: 'public' }));
    await refusal(() => publics.executeQuery(compiled), 'CROSS_TENANT');
    await refusal(async () => publics.getExecutor().stream(compiled, 10).next(), 'CROSS_TENANT');
  });

  it('S9 SQL that no builder has made is sent for the tenant of the instance', async () => {
    for (const tenant of ['acme', 'bob']) {
      const expected = [{ title: `${tenant} book 1` }];
      const query = CompiledQuery.raw('select title from book where id = 1');
      const [inScope] = await runInTenant(tenant, em => [kyselyOf(em)]);

      for (const db of [inScope, kyselyOf(orm.em.fork({ schema: tenant }))]) {
        expect((await db.executeQuery(query)).rows).to.deep.equal(expected);
        expect((await db.withoutPlugins().executeQuery(query)).rows).to.deep.equal(expected);

        if (database.kind !== 'pglite') {
          for await (const { rows } of db.getExecutor().stream(query, 10)) {
            expect(rows).to.deep.equal(expected);
          }
        }
      }

      expect((await runInTenant('bob', () => inScope.executeQuery(query))).rows).to.deep.equal(expected);
    }
  });

  it('S15 the schema of another tenant is not created, dropped or moved to', async () => {
    await runInTenant('acme', async em => {
      const { schema } = kyselyOf(em);

      for (const build of [
        () => schema.dropSchema('bob').cascade(),
        () => schema.dropSchema('bob').ifExists(),
        () => schema.createSchema('carol'),
        () => schema.alterTable('book').setSchema('bob'),
        () => schema.withSchema('acme').alterTable('book').setSchema('bob'),
        () => schema.alterType('mood').setSchema('bob'),
      ]) {
        await refusal(async () => build().execute(), 'CROSS_TENANT');
        await refusal(async () => build().compile(), 'CROSS_TENANT');
      }

      expect(schema.dropSchema('acme').compile().sql).to.equal('drop schema "acme"');
    });
    await runInPublic(async em => {
      expect(kyselyOf(em).schema.dropSchema('x').compile().sql).to.equal('drop schema "x"');
    });
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  it('S9, S13 each tenant’s own are served, also elsewhere', async () => {
    for (const tenant of ['acme', 'bob']) {
      const [query, raw] = await runInTenant(tenant, async em => {
        const db = kyselyOf(em);
        const ids = db.selectFrom('ledger').select('id').where('id', '=', 1);
        const found = db.selectFrom('book').select('title').where('id', 'in', ids);
        expect(await found.execute()).to.deep.equal([{ title: `${tenant} book 1` }]);
        expect(await db.executeQuery(found.compile()))
          .to.have.property('rows')
          .with.length(1);

        return [found, sql<{ title: string }>`select title from ledger where id in (${ids})`.compile(db)] as const;
      });

      await runInTenant(tenant === 'acme' ? 'bob' : 'acme', async () => {
        expect(await query.execute()).to.deep.equal([{ title: `${tenant} book 1` }]);
      });
      expect((await runInTenant(tenant, em => kyselyOf(em).executeQuery(raw))).rows).to.deep.equal([{ title: `${tenant} book 1` }]);
    }
  });
});
