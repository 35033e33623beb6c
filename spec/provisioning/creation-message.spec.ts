import { tenants } from '@landlord/mikro-orm';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabasesAndPooler, onDatabases } from '../support/databases/database.ts';
import { readSession } from '../support/databases/session-state.ts';
import { sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

/** Statements of two migrations. One of them fails, or PostgreSQL cannot read it, in one tenant alone. */
const STATEMENTS = [
  ['create table tag (id serial primary key, label text not null)', `insert into tag (label) values ('one;'), ('two')`],
  ['create index tag_label on tag (label)', 'alter table tag add column colour text'],
];

const FAILING = {
  'that fails': 'select 1 / 0',
  'that PostgreSQL cannot read': 'create table oops (id int',
  'with a comment that does not end': 'select 1 /* oops',
  'that names what is not there': 'select * from nowhere',
};

let broken: { readonly place: number; readonly sql: string } | undefined;

/** With the broken statement before that of its place. */
function classOf(set: number): new (...args: any[]) => Migration {
  const before = STATEMENTS.slice(0, set).flat().length;

  return class extends Migration {
    override up(): void {
      for (const [n, sql] of (STATEMENTS[set] ?? []).entries()) {
        if (broken?.place === before + n) {
          this.addSql(broken.sql);
        }

        this.addSql(sql);
      }
    }
  };
}

const LIST = STATEMENTS.map((_, n) => ({ name: `Migration${n}`, class: classOf(n) }));

onDatabasesAndPooler('the message that creates a tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { migrations: { migrationsList: LIST } }, { pool: { min: 0, max: 1 } });
  });

  afterEach(() => {
    broken = undefined;
  });

  const create = (schemaName: string): Promise<unknown> => orm.em.fork().persistAndFlush(newLibrary(schemaName));

  for (const [kind, sql] of Object.entries(FAILING)) {
    it(`T5 leaves nothing of a statement ${kind}, wherever it stands, and names it`, async () => {
      const [namesBefore, rowsBefore, session] = [await schemaNames(database), await storedTenants(database), await readSession(orm)];

      for (const place of STATEMENTS.flat().keys()) {
        broken = { place, sql };
        const error = await refusal(create('acme'));

        expect(error).to.include({ code: 'TENANT_NOT_PROVISIONED', schemaName: 'acme', migration: `Migration${place < 2 ? 0 : 1}` });
        expect(sqlStateOf(error)).to.be.oneOf(['22012', '42601', '42P01']);
        expect(await schemaNames(database)).to.deep.equal(namesBefore);
        expect(await storedTenants(database)).to.deep.equal(rowsBefore);
        expect(await readSession(orm)).to.deep.equal(session);
      }

      // the same connection makes the next one whole
      broken = undefined;
      const next = `after_${Object.keys(FAILING).indexOf(kind)}`;
      await create(next);
      expect(await database.query(`select label from "${next}".tag order by id`)).to.deep.equal([{ label: 'one;' }, { label: 'two' }]);
    });
  }

  it('T20 creates a tenant whose name begins like one on the path of a function', async () => {
    await database.query(`create function public.of_another() returns int language sql set search_path = acme_2, public as 'select 1'`);

    await create('acme');
    const error = await refusal(create('acme_2'));

    expect(error).to.deep.include({ code: 'SCHEMA_IN_USE', dependents: ['function public.of_another()'] });
    expect(await schemaNames(database))
      .to.include('acme')
      .and.not.to.include('acme_2');
    await database.query('drop function public.of_another()');
    await create('acme_2');
  });
});

onDatabases(
  'the message that creates a tenant, and its lock',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openLibrary(database, { migrations: { migrationsList: LIST } }, { pool: { min: 0, max: 2 } });
    });

    const create = (schemaName: string): Promise<unknown> => orm.em.fork().persistAndFlush(newLibrary(schemaName));

    it('T5, M9 leaves nothing where the lock of the tenant is not granted', async () => {
      const key = `hashtextextended('landlord:acme', 0)`;
      await orm.em.fork().transactional(async em => {
        await em.execute(`select pg_advisory_xact_lock(${key})`);
        const inVain = orm.em.fork().transactional(async inner => {
          await inner.execute(`set local lock_timeout to 50`);
          await inner.persistAndFlush(newLibrary('acme'));
        });

        expect(sqlStateOf(await refusal(inVain))).to.equal('55P03');
      });
      expect(await schemaNames(database)).to.deep.equal([]);
      expect(await storedTenants(database)).to.deep.equal([]);

      await create('acme');
      expect(await schemaNames(database)).to.deep.equal(['acme']);
    });

    it('T1 is sent once for each tenant, with its own names alone', async () => {
      database.statements.length = 0;
      await create('bob');
      const [message = '', ...others] = database.statements.filter(sql => sql.includes('create schema'));

      expect(others).to.deep.equal([]);
      expect(message).to.include('pg_advisory_xact_lock').and.to.include('"bob"').and.not.to.include('acme');
      expect(database.statements.filter(sql => /^\[query\] (?:begin|insert|select|commit)/.test(sql)).length).to.be.at.most(4);
      expect((await tenants(orm).status()).tenants.map(({ pending }) => pending)).to.deep.equal([[], []]);
    });
  },
  ['postgresql'],
);
