import { runInTenant, SCHEMA_COMMENT, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

/** Schemas that the library did not create. A row that was written by hand can still name them. */
const NOT_OURS = ['public', 'information_schema', 'pg_catalog', 'by_hand'];

type Em = LibraryOrm['em'];

const load = (em: Em, schemaName: string): Promise<Library> => em.findOneOrFail(Library, { schemaName });

const OF_THE_DATABASE = 'it belongs to the whole database, not to a tenant';

const REMEDY = `If it is a tenant's schema that was created by hand, mark it first: \`comment on schema "by_hand" is '${SCHEMA_COMMENT}'\`.`;

const REASONS: Readonly<Record<string, string>> = {
  by_hand: 'this library did not create it',
};

const PATHS: Readonly<Record<string, (orm: LibraryOrm, schemaName: string) => Promise<unknown>>> = {
  'tenants().drop() of a row': async (orm, schemaName) => tenants(orm).drop(await load(orm.em.fork(), schemaName)),
  'tenants().rename() of a row': async (orm, schemaName) => tenants(orm).rename(await load(orm.em.fork(), schemaName), 'hijacked'),
  'a changed schemaName': async (orm, schemaName) => {
    const em = orm.em.fork();
    (await load(em, schemaName)).schemaName = 'hijacked';
    await em.flush();
  },
};

onDatabases('a schema that the library did not make', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  before(async () => {
    orm = await openLibrary(database);
    await orm.em.fork().persistAndFlush(newLibrary('acme'));
    await database.query('create schema by_hand');
    await database.query('create table by_hand.precious (id int)');

    for (const name of NOT_OURS) {
      await database.query('insert into public.library (name, domain_url, schema_name, on_trial) values ($1, $1, $1, true)', [name]);
    }

    untouched = await tables();
  });

  async function tables(): Promise<unknown> {
    return database.query(
      `select table_schema::text, table_name::text from information_schema.tables where table_schema !~ '^(pg_.*|information_schema)$' order by 1, 2`,
    );
  }

  for (const schemaName of NOT_OURS) {
    for (const [path, attempt] of Object.entries(PATHS)) {
      it(`T16, law 5: is kept as it is: ${schemaName} by ${path}`, async () => {
        const error = await refusal(attempt(orm, schemaName));

        expect(error).to.include({ code: 'SCHEMA_PROTECTED', name: 'SchemaProtectedError', schemaName });
        expect(error.message).to.equal(
          `Refused to ${path.includes('drop') ? 'drop' : 'rename'} schema "${schemaName}": ${REASONS[schemaName] ?? OF_THE_DATABASE}. Nothing was changed.${schemaName === 'by_hand' ? ` ${REMEDY}` : ''}`,
        );
        expect(await tables()).to.deep.equal(untouched);
        expect(await storedTenants(database))
          .to.include(schemaName)
          .and.not.to.include('hijacked');
      });
    }
  }

  for (const schemaName of NOT_OURS.filter(name => name !== 'public')) {
    it(`T16 is kept as it is: ${schemaName} by a delete with \`autoDropSchema\``, async () => {
      const em = orm.em.fork();
      const tenant = await load(em, schemaName);
      tenant.autoDropSchema = true;

      expect(await refusal(em.removeAndFlush(tenant))).to.include({ code: 'SCHEMA_PROTECTED', schemaName });
      expect(await tables()).to.deep.equal(untouched);
      expect(await storedTenants(database)).to.include(schemaName);
    });
  }

  for (const schemaName of NOT_OURS.filter(name => name !== 'by_hand')) {
    it(`T16 stays the database's where it is marked as the library's: ${schemaName}`, async () => {
      const [before] = await database.query<{ comment: string | null }>(
        `select quote_nullable(obj_description($1::regnamespace, 'pg_namespace')) as comment`,
        [schemaName],
      );
      await database.query(`comment on schema ${schemaName} is '${SCHEMA_COMMENT}'`);

      try {
        for (const [path, attempt] of Object.entries(PATHS)) {
          const error = await refusal(attempt(orm, schemaName));

          expect(error, path).to.include({ code: 'SCHEMA_PROTECTED', schemaName });
          expect(error.message, path).to.include(OF_THE_DATABASE);
        }

        expect(await tables()).to.deep.equal(untouched);
      } finally {
        await database.query(`comment on schema ${schemaName} is ${before?.comment}`);
      }
    });
  }

  it('T16 is not what a name only resembles: such a tenant is renamed and dropped as any other', async () => {
    for (const schemaName of ['my_public', 'public_2', 'my_information_schema', 'information_schema_2', 'my_pg_catalog']) {
      await orm.em.fork().persistAndFlush(newLibrary(schemaName));
      await tenants(orm).rename(schemaName, 'another');
      await tenants(orm).rename('another', schemaName);
      await tenants(orm).drop(schemaName);
    }

    expect(await tables()).to.deep.equal(untouched);
    expect(await schemaNames(database)).to.deep.equal(['acme', 'by_hand']);
  });

  it('T16 is not migrated either, and the error says what to do with it', async () => {
    const result = await tenants(orm).migrate({ only: ['by_hand'] });

    expect(result.failed.map(({ error }) => (error as Error).message)).to.deep.equal([
      `Refused to migrate schema "by_hand": this library did not create it. Nothing was changed. ${REMEDY} ` +
        "Otherwise rename it, and create the tenant's schema with `tenants().provision(…)`.",
    ]);
    expect(await tables()).to.deep.equal(untouched);
  });

  it('T16 is no target of a rename either', async () => {
    for (const schemaName of ['public', 'information_schema', 'pg_catalog']) {
      expect(await refusal(tenants(orm).rename('acme', schemaName))).to.include({ code: 'SCHEMA_NAME_RESERVED', schemaName });
    }

    expect(await refusal(tenants(orm).rename('acme', 'by_hand'))).to.be.an('error');
    expect(await tables()).to.deep.equal(untouched);
  });

  it('T16 is protected from the service by name', async () => {
    expect(await refusal(tenants(orm).drop('public'))).to.include({ code: 'SCHEMA_PROTECTED' });
    expect(await refusal(tenants(orm).drop('nobodys'))).to.include({ code: 'TENANT_UNKNOWN' });

    for (const schemaName of ['information_schema', 'pg_catalog', 'by_hand']) {
      expect(await refusal(tenants(orm).drop(schemaName))).to.include({ code: 'SCHEMA_PROTECTED', schemaName });
    }

    expect(await tables()).to.deep.equal(untouched);
  });

  it('T16 takes along its neighbours of a bulk delete: all are kept', async () => {
    const em = orm.em.fork();
    const [acme, byHand] = [await load(em, 'acme'), await load(em, 'by_hand')];
    Object.assign(acme, { autoDropSchema: true });
    Object.assign(byHand, { autoDropSchema: true });

    expect(await refusal(em.removeAndFlush([acme, byHand]))).to.include({ code: 'SCHEMA_PROTECTED', schemaName: 'by_hand' });
    expect(await storedTenants(database)).to.include.members(['acme', 'by_hand']);
    expect(await tables()).to.deep.equal(untouched);
    expect(await schemaNames(database)).to.deep.equal(['acme', 'by_hand']);
  });

  it('T16 becomes the library’s when its comment says so by hand', async () => {
    await database.query('create schema handed_over');
    await database.query(`comment on schema handed_over is '${SCHEMA_COMMENT}'`);
    await tenants(orm).create({ name: 'Handed over', domainUrl: 'handed.example.com', schemaName: 'handed_over' }, { adoptSchema: true });
    await tenants(orm).migrate({ only: ['handed_over'] });
    await runInTenant('handed_over', async () => undefined);
    await tenants(orm).drop('handed_over');

    expect(await schemaNames(database)).to.deep.equal(['acme', 'by_hand']);
  });
});
