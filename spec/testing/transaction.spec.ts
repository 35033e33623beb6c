import { forEachTenant, runInPublic, runInTenant, tenants } from '@landlord/mikro-orm';
import type { TestKit } from '@landlord/mikro-orm/testing';
import { defineEntity, LockMode, p, type EntityManager } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { Factory, Seeder, SeedManager } from '@mikro-orm/seeder';
import { expect } from 'chai';
import request from 'supertest';
import { createApp } from '../../fixtures/app/app.ts';
import { Author, Book, Genre, Library } from '../../fixtures/entities/index.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openLibraryKit, type LibraryKit } from '../support/testing/library-kit.ts';

for (const kind of ['postgresql', 'pglite'] as const) {
  describe(`a test in a transaction (${kind})`, () => {
    let kit: LibraryKit;
    let orm: LibraryOrm;
    let acme: Library;
    let bob: Library;

    before(async () => {
      kit = await openLibraryKit(kind);
      orm = kit.orm;
    });

    after(() => kit?.close());

    beforeEach(async function () {
      await kit.begin(this.currentTest?.title ?? '');
      acme = await kit.testTenant<Library>();
      bob = await kit.testTenant<Library>({ name: 'Bob', schemaName: 'bob', domainUrl: 'bob.example.com' });
    });

    afterEach(() => kit.end());

    const authorsOf = (library: Library): Promise<string[]> =>
      runInTenant(library, async () => (await orm.em.find(Author, {}, { orderBy: { id: 'asc' } })).map(({ name }) => name));
    const addAuthor = (library: Library, name: string): Promise<void> =>
      runInTenant(library, () => orm.em.persistAndFlush(orm.em.create(Author, { name })));

    for (const time of ['first', 'second']) {
      it(`K1 finds nothing of another test, the ${time} time`, async () => {
        expect((await orm.em.fork().find(Library, {}, { orderBy: { id: 'asc' } })).map(({ schemaName }) => schemaName)).to.deep.equal([
          'ready_1',
          'bob',
        ]);
        expect([await authorsOf(acme), await authorsOf(bob)]).to.deep.equal([[], []]);

        await addAuthor(acme, 'Ann');
        await runInPublic(em => em.persistAndFlush(em.create(Genre, { name: 'Crime', description: '' })));

        expect([await authorsOf(acme), await authorsOf(bob)]).to.deep.equal([['Ann'], []]);
        expect(await orm.em.fork().count(Genre)).to.equal(1);
      });
    }

    it('K1 serves requests of the application in the transaction, several tenants side by side', async () => {
      const app = createApp(orm).callback();
      await addAuthor(acme, 'Ann');
      const form = (host: string, title: string): request.Test =>
        request(app)
          .post('/books/new')
          .set('Host', host)
          .type('form')
          .send({ title, author: 'Ann', genre: '', format: 'print', copies: '1' });
      const answers = await Promise.all([
        form(acme.domainUrl, 'One'),
        form(bob.domainUrl, 'Two'),
        form(acme.domainUrl, 'Three'),
        request(app).get('/').set('Host', 'nobody.example.com'),
      ]);

      expect(answers.map(({ status }) => status)).to.deep.equal([303, 303, 303, 404]);
      const titles = (library: Library): Promise<string[]> =>
        runInTenant(library, async em => (await em.find(Book, {}, { orderBy: { title: 'asc' } })).map(({ title }) => title));
      expect([await titles(acme), await titles(bob)]).to.deep.equal([['One', 'Three'], ['Two']]);
    });

    it('K1 visits the tenants of the test, and creates, renames and drops others', async () => {
      await tenants(orm).create({ name: 'Carl', schemaName: 'carl', domainUrl: 'carl.example.com' });
      await tenants(orm).rename('carl', 'carla');
      const visits = await forEachTenant(em => em.count(Author));
      await tenants(orm).drop('carla');

      expect(visits.map(({ schemaName }) => schemaName)).to.deep.equal(['bob', 'carla', 'ready_1']);
      await refusal(
        runInTenant('carla', () => undefined),
        'TENANT_UNKNOWN',
      );
    });

    for (const time of ['first', 'second']) {
      it(`K1 takes back what a test sets for its session, such as the time zone, the ${time} time`, async () => {
        const read = `select current_setting('timezone') as zone`;
        const zone = async (): Promise<string> => (await orm.em.getConnection().execute<[{ zone: string }]>(read))[0].zone;
        expect(await zone()).to.not.equal('Asia/Tokyo');
        await orm.em.getConnection().execute(`set time zone 'Asia/Tokyo'`);
        expect(await zone()).to.equal('Asia/Tokyo');
        expect(await runInTenant(acme, em => em.transactional(tx => tx.execute(read)))).to.deep.equal([{ zone: 'Asia/Tokyo' }]);
      });
    }

    it('K1 commits and rolls back what the code under test does, within the test', async () => {
      await runInTenant(acme, async em => {
        await em.transactional(async tx => {
          await tx.persistAndFlush(tx.create(Author, { name: 'kept' }));
          await tx
            .transactional(async inner => {
              await inner.persistAndFlush(inner.create(Author, { name: 'inner' }));
              throw new Error('inner');
            })
            .catch(() => undefined);
        });
        await failureOf(
          em.transactional(async tx => {
            await tx.persistAndFlush(tx.create(Author, { name: 'rolled back' }));
            throw new Error('outer');
          }),
        );
      });

      expect(await authorsOf(acme)).to.deep.equal(['kept']);
      expect(await authorsOf(bob)).to.deep.equal([]);
    });

    it('K1 goes on after a statement that fails, alone and in a transaction', async () => {
      await runInTenant(acme, async em => {
        await addAuthor(acme, 'Ann');
        expect(sqlStateOf(await failureOf(em.execute('select * from nowhere')))).to.equal('42P01');
        expect(sqlStateOf(await failureOf(orm.em.getConnection().execute('no SQL at all')))).to.equal('42601');
        expect(sqlStateOf(await failureOf(em.transactional(tx => tx.execute('no SQL at all'))))).to.equal('42601');
        await failureOf(
          em.transactional(async tx => {
            await tx.persistAndFlush(tx.create(Author, { name: 'Bea' }));
            await tx.execute('select * from nowhere');
          }),
        );
      });

      expect(await authorsOf(acme)).to.deep.equal(['Ann']);
    });

    it('K1 keeps the path of one tenant from the raw SQL of the next', async () => {
      await addAuthor(acme, 'Ann');

      expect(await runInTenant(acme, em => em.execute('select name from author'))).to.deep.equal([{ name: 'Ann' }]);
      expect(await runInTenant(bob, em => em.execute('select name from author'))).to.deep.equal([]);
      expect(sqlStateOf(await failureOf(orm.em.execute('select name from author')))).to.equal('42P01');
      await orm.em.fork().transactional(tx => tx.execute(`set local search_path to pg_catalog`));
      expect(sqlStateOf(await failureOf(orm.em.execute('select name from author')))).to.equal('42P01');
    });

    it('K1 takes savepoints and ends of transactions in raw SQL', async () => {
      await runInTenant(acme, async em => {
        await em.transactional(async tx => {
          await tx.persistAndFlush(tx.create(Author, { name: 'kept' }));
          await tx.execute('savepoint mine');
          await tx.execute(`insert into author (name) values ('lost')`);
          await tx.execute('rollback to mine');
        });
      });
      expect(await authorsOf(acme)).to.deep.equal(['kept']);

      if (kind === 'postgresql') {
        await orm.em.getConnection().execute('begin; update library set founded = now(); rollback');
        await orm.em.getConnection().execute('begin; update library set on_trial = false; commit');
      }

      const libraries = await orm.em.fork().find(Library, { founded: null, onTrial: kind === 'pglite' });
      expect(libraries).to.have.length(2);
    });

    it('K1 lets a transaction read, lock and be read only', async () => {
      await addAuthor(acme, 'Ann');
      await runInTenant(acme, async em => {
        const read = await em.transactional(tx => tx.find(Author, {}, { lockMode: LockMode.PESSIMISTIC_WRITE }));
        expect(read).to.have.length(1);

        if (kind === 'postgresql') {
          const written = em.transactional(tx => tx.persistAndFlush(tx.create(Author, { name: 'Bea' })), { readOnly: true });
          expect(sqlStateOf(await failureOf(written))).to.equal('25006');
        }
      });
      await addAuthor(acme, 'Cid');

      expect(await authorsOf(acme)).to.deep.equal(['Ann', 'Cid']);
    });

    it('K1 is told from the test by name when a statement comes after its end', async () => {
      const em = orm.em.fork();
      await em.begin();
      const late = await refusal(kit.end(), 'TEST_UNFINISHED');
      await kit.begin('the next one');

      expect(late.message).to.contain('"K1 is told from the test by name').and.to.contain('1 open transactions');
      expect((await refusal(em.count(Library), 'TEST_ENDED')).message).to.contain('"K1 is told from the test by name');
      await em.rollback().catch(() => undefined);
    });

    it('K3 refuses a statement that commits by itself, and names the test', async () => {
      const error = await refusal(orm.em.getConnection().execute('vacuum'), 'TEST_COMMITS');

      expect(error.message).to.contain('"K3 refuses a statement that commits by itself').and.to.contain(`mode: 'real'`);
      expect(await orm.em.fork().count(Library)).to.equal(2);
    });

    it('K3 tells that a test ends in a scope', async () => {
      const error = await refusal(
        runInTenant(acme, () => kit.end()),
        'TEST_UNFINISHED',
      );

      expect(error.message).to.contain('"K3 tells that a test ends in a scope"').and.to.contain(`the scope of "${acme.schemaName}"`);
    });

    it('K3 refuses a second test, and the database outside of tests', async () => {
      expect((await refusal(kit.begin('another'), 'TEST_USAGE')).message).to.contain('"another"');
      await kit.end();

      await refusal(orm.em.fork().count(Library), 'TEST_USAGE');
      await refusal(kit.testTenant(), 'TEST_USAGE');
      expect(await kit.outside(() => orm.em.fork().count(Library))).to.equal(0);
    });

    if (kind === 'postgresql') {
      it('K1 gives a flow that holds a transaction its second connection, and has others wait', async () => {
        const order: string[] = [];
        const slow = orm.em.fork().transactional(async tx => {
          await tx.execute('select 1');
          // another connection, asked for by the same flow
          await orm.em.fork().count(Library);
          order.push('inside');
          await tx.execute('select 2');
          order.push('first');
        });
        const other = addAuthor(bob, 'Bea').then(() => order.push('other'));
        await Promise.all([slow, other]);

        expect(order).to.deep.equal(['inside', 'first', 'other']);
      });

      it('K1 gives a second transaction that no flow is known of its turn', async () => {
        const kysely = orm.em.fork().getKysely<any>();
        const names = await kysely.transaction().execute(async trx => {
          await trx.selectFrom('public.library').selectAll().execute();

          return (await orm.em.fork().find(Library, {}, { orderBy: { id: 'asc' } })).map(({ name }) => name);
        });

        expect(names).to.have.length(2);
      });

      it('K3 tells two transactions that wait for each other', async () => {
        const [one, two] = [orm.em.fork(), orm.em.fork()];
        await one.begin();
        await two.begin();
        const error = await refusal(one.commit(), 'TEST_OVERLAP');
        await two.rollback();
        await one.rollback().catch(() => undefined);

        expect(error.message).to.contain('"K3 tells two transactions that wait for each other"');
      });

      it('K1 streams rows of the test, and sends others meanwhile', async () => {
        const names: string[] = [];
        await addAuthor(acme, 'Ann');
        await addAuthor(acme, 'Bea');
        await runInTenant(acme, async em => {
          for await (const author of em.stream(Author, { orderBy: { id: 'asc' } })) {
            names.push(`${author.name} of ${await em.fork().count(Author)}`);
          }
        });

        expect(names).to.deep.equal(['Ann of 2', 'Bea of 2']);
      });

      it('K1 gives the pool of `pg` to who asks for it, in the transaction too', async () => {
        const pool = (await (orm.em.getConnection() as unknown as NativeConnection).getNativeClient()) as NativePool;
        const { rows } = await pool.query('select schema_name as name from library order by id');
        const byCallback = await new Promise<unknown>(resolve => {
          void pool.query('select 1 as one', (_error, result) => resolve(result?.rows));
        });
        const client = await pool.connect();
        const inClient = await client.query('select count(*)::int as count from library where name = $1', ['Bob']);
        client.release();

        expect(rows).to.deep.equal([{ name: 'ready_1' }, { name: 'bob' }]);
        expect(byCallback).to.deep.equal([{ one: 1 }]);
        expect(inClient.rows).to.deep.equal([{ count: 1 }]);
      });
    }
  });
}

describe('what an application brings to a test', () => {
  let kit: TestKit<LibraryOrm> | undefined;

  afterEach(() => kit?.close());

  it('K1 seeds a tenant in the transaction, and makes entities by a factory', async () => {
    class Authors extends Seeder {
      async run(em: EntityManager): Promise<void> {
        em.create(Author, { name: 'seeded' });
      }
    }
    class AuthorFactory extends Factory<Author> {
      readonly model = Author;

      protected definition(): { name: string } {
        return { name: 'made' };
      }
    }
    kit = await openLibraryKit('postgresql', { config: { extensions: [SeedManager] } });
    const { orm } = kit;
    await kit.begin('a seeder');
    const [acme, bob] = [await kit.testTenant<Library>(), await kit.testTenant<Library>()];
    await runInTenant(acme, () => (orm as LibraryOrm & { readonly seeder: SeedManager }).seeder.seed(Authors));

    await runInTenant(bob, em => new AuthorFactory(em).create(2));

    const names = (library: Library): Promise<string[]> =>
      runInTenant(library, async em => (await em.find(Author, {})).map(({ name }) => name));
    expect([await names(acme), await names(bob)]).to.deep.equal([['seeded'], ['made', 'made']]);
    await kit.end();
    await kit.begin('the next one');
    const again = await kit.testTenant<Library>();
    expect(await runInTenant(again, em => em.count(Author))).to.equal(0);
  });

  it('K1 reads what the test has written where an application reads from replicas', async () => {
    kit = await openLibraryKit('postgresql', {
      config: { replicas: [{ name: 'replica', host: '127.0.0.1', port: 1 }], preferReadReplicas: true },
    });
    await kit.begin('replicas');
    const acme = await kit.testTenant<Library>();
    await runInTenant(acme, em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));

    expect(await runInTenant(acme, em => em.count(Author))).to.equal(1);
    expect(await runInTenant(acme, em => em.find(Author, {}, { connectionType: 'read' }))).to.have.length(1);
  });

  it('K1 checks deferred constraints where the code under test commits', async () => {
    const PairSchema = defineEntity({
      name: 'Pair',
      schema: '*',
      properties: { id: p.integer().primary(), other: () => p.manyToOne(Pair).deferMode('deferred').nullable() },
    });
    class Pair extends PairSchema.class {}
    PairSchema.setClass(Pair);
    class CreatePairs extends Migration {
      override up(): void {
        this.addSql(
          'create table "pair" ("id" serial primary key, "other_id" int null references "pair" ("id") deferrable initially deferred)',
        );
      }
    }
    kit = await openLibraryKit('postgresql', {
      config: { entities: [Library, Pair] },
      tenants: { migrations: { migrationsList: [CreatePairs] } },
      readyTenants: 1,
    });
    await kit.begin('deferred constraints');
    const acme = await kit.testTenant<Library>();
    const insert = (id: number, other: number) => (em: EntityManager) =>
      em.transactional(async tx => {
        await (tx as typeof em & { execute(sql: string, params: unknown[]): Promise<unknown> }).execute(
          'insert into pair (id, other_id) values (?, ?)',
          [id, other],
        );
      });

    expect(sqlStateOf(await failureOf(runInTenant(acme, insert(1, 2))))).to.equal('23503');
    await runInTenant(acme, insert(3, 3));
    expect(await runInTenant(acme, em => em.count(Pair))).to.equal(1);
  });
});

describe('a test that commits', () => {
  for (const kind of ['postgresql', 'pglite'] as const) {
    it(`K1 leaves nothing to the next one (${kind})`, async () => {
      const kit = await openLibraryKit(kind);

      try {
        await kit.run(
          'real',
          async () => {
            const acme = await kit.testTenant<Library>({ name: 'Acme' });
            await runInTenant(acme, em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));
            await runInPublic(em => em.persistAndFlush(em.create(Genre, { name: 'Crime', description: '' })));
            await kit.orm.em.getConnection().execute('vacuum');
            expect(await kit.outside(() => kit.orm.em.fork().count(Library))).to.equal(1);
          },
          { mode: 'real' },
        );

        await kit.run('the next one', async () => {
          expect([await kit.orm.em.fork().count(Library), await kit.orm.em.fork().count(Genre)]).to.deep.equal([0, 0]);
          const tenant = await kit.testTenant<Library>();
          expect(await runInTenant(tenant, em => em.count(Author))).to.equal(0);
        });
      } finally {
        await kit.close();
      }
    });
  }
});

interface NativeConnection {
  getNativeClient(): Promise<unknown>;
}

interface NativePool {
  query(sql: string, callback?: (error: unknown, result?: { rows: unknown[] }) => void): Promise<{ rows: unknown[] }>;
  connect(): Promise<{ query(sql: string, values: unknown[]): Promise<{ rows: unknown[] }>; release(): void }>;
}
