import { runInTenant, withTenants } from '@landlord/mikro-orm';
import { MikroORM, UnderscoreNamingStrategy, type EventArgs, type EventSubscriber } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { PostgreSqlDriver, SqlEntityManager } from '@mikro-orm/postgresql';
import { SeedManager } from '@mikro-orm/seeder';
import { expect } from 'chai';
import { Author, Book, Genre, Library, Tag } from '../fixtures/entities/index.ts';
import { onDatabases } from './support/databases/database.ts';
import { LIBRARY_ENTITIES, type LibraryOrm, ROOT, openLibrary } from './support/orm/library-orm.ts';
import { openTwins } from './support/orm/twins.ts';
import { refusal } from './support/assertions/refusal.ts';

onDatabases('a config of the user’s own', database => {
  let orm: LibraryOrm | undefined;

  afterEach(async () => {
    await orm?.close();
    orm = undefined;
    await database.query(`drop schema if exists acme, bob cascade`);
    await database.query(`drop schema public cascade`);
    await database.query(`create schema public`);
  });

  it('G4 keeps its subscribers, which see every tenant’s entities', async () => {
    const created: string[] = [];
    class Recorder implements EventSubscriber {
      afterCreate({ entity }: EventArgs<object>): void {
        created.push(entity.constructor.name);
      }
    }
    orm = await openTwins(database, { subscribers: [new Recorder()] });
    await runInTenant('bob', em => em.persistAndFlush(em.create(Tag, { id: 9, name: 'seen' })));

    expect(created).to.deep.equal(['Library', 'Library', 'Tag']);
  });

  it('G5 keeps its EntityManager class, in scopes too', async () => {
    class OwnEntityManager extends SqlEntityManager {
      hello(): string {
        return `hello ${this.schema}`;
      }
    }
    orm = await openTwins(database, { entityManager: OwnEntityManager });
    const own = orm.em as unknown as OwnEntityManager;

    expect(own).to.be.instanceOf(OwnEntityManager);
    expect(own.hello()).to.equal('hello undefined');
    expect(await runInTenant('acme', em => (em as unknown as OwnEntityManager).hello())).to.equal('hello acme');
    await refusal(() => own.fork().find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
  });

  it('law 2: what its EntityManager class adds to a condition is looked at like what a filter adds', async () => {
    let added: object = {};
    class AddingEntityManager extends SqlEntityManager {}
    const { applyFilters } = SqlEntityManager.prototype as unknown as Record<'applyFilters', (...args: unknown[]) => Promise<object>>;
    Object.defineProperty(AddingEntityManager.prototype, 'applyFilters', {
      async value(this: SqlEntityManager, ...args: unknown[]): Promise<object> {
        return { $and: [await applyFilters.apply(this, args), added] };
      },
    });
    orm = await openTwins(database, { entityManager: AddingEntityManager });
    const bobs = await runInTenant('bob', em => em.findOneOrFail(Author, 1));

    await runInTenant('acme', async em => {
      expect(await em.find(Book, {})).to.have.length.above(0);
      added = { author: bobs };
      await refusal(() => em.find(Book, {}), 'CROSS_TENANT');
      await refusal(() => em.count(Book, {}), 'CROSS_TENANT');
    });
  });

  it('law 2: the EntityManager of a scope gives way to that of a transaction as soon as there is one', async () => {
    const own = (orm = await openTwins(database));
    await runInTenant('acme', async em => {
      await em.find(Book, {});
      expect(own.em.getContext()).to.equal(em);

      await em.transactional(async tx => {
        expect(em.getContext()).to.equal(tx);
        expect(own.em.getContext()).to.equal(tx);
        await runInTenant('bob', inner => expect([own.em.getContext(), own.em.schema]).to.deep.equal([inner, 'bob']));
      });

      expect(em.getContext()).to.equal(em);
    });
  });

  it('G4 keeps its extensions and its naming strategy', async () => {
    class Shouting extends UnderscoreNamingStrategy {
      override getEntityName(tableName: string): string {
        return super.getEntityName(tableName).toUpperCase();
      }
    }
    orm = await openLibrary(database, {}, { extensions: [SeedManager], namingStrategy: Shouting });

    expect(orm.config.getNamingStrategy()).to.be.instanceOf(Shouting);
    expect(orm.config.getExtension('@mikro-orm/seeder')).to.be.instanceOf(SeedManager);
    expect(await orm.migrator.getPending()).to.deep.equal([]);
  });

  it('G4 keeps its migrator, by whatever name its class goes', async () => {
    class m extends Migrator {
      static override register(given: MikroORM): void {
        given.config.registerExtension('@mikro-orm/migrator', () => new m(given.em as never));
      }
    }
    orm = await openLibrary(database, {}, { extensions: [m] });

    expect(orm.migrator).to.be.instanceOf(m);
    expect(await orm.migrator.getPending()).to.deep.equal([]);
  });

  it('G4 keeps its discovery hooks, which run before the library’s', async () => {
    const seen: [string, string | undefined][] = [];
    let after = 0;
    orm = await openLibrary(
      database,
      {},
      {
        discovery: {
          onMetadata: meta => {
            seen.push([meta.className, meta.schema]);
          },
          afterDiscovered: () => {
            after++;
          },
        },
      },
    );

    expect(new Map(seen).get('Genre')).to.equal(undefined);
    expect(new Map(seen).get('Book')).to.equal('*');
    expect(after).to.equal(1);
    expect(orm.getMetadata().get(Genre).schema).to.equal('public');
  });

  it('G4 is taken by the synchronous constructor', async () => {
    await (await openTwins(database)).close();
    orm = new MikroORM(
      withTenants(
        {
          ...database.options(),
          baseDir: ROOT,
          entities: LIBRARY_ENTITIES,
        } as never,
        { tenant: Library },
      ) as never,
    ) as unknown as LibraryOrm;

    expect((await runInTenant('acme', em => em.findOneOrFail(Book, 1))).title).to.equal('acme book 1');
    await refusal(() => orm?.em.fork().find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
  });
});

onDatabases(
  'a config with replicas',
  database => {
    it('S1 reads a tenant from a replica, and writes to the primary, each table with its schema', async () => {
      const orm = await openTwins(database, { driver: PostgreSqlDriver, replicas: [{ name: 'replica' }], preferReadReplicas: true });

      try {
        await runInTenant('bob', async em => {
          database.statements.length = 0;
          expect((await em.findOneOrFail(Book, 1)).title).to.equal('bob book 1');
          expect((await em.qb(Book, 'b').where({ id: 1 }).getSingleResult())?.title).to.equal('bob book 1');
          expect(database.statements.every(sql => sql.includes('replica') && sql.includes('"bob"."book"'))).to.equal(true);
          await em.persistAndFlush(em.create(Tag, { id: 9, name: 'written' }));
          expect(database.statements.some(sql => sql.includes('insert') && sql.includes('replica'))).to.equal(false);
        });
        await refusal(() => orm.em.fork().find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
      } finally {
        await orm.close();
      }
    });
  },
  ['postgresql'],
);
