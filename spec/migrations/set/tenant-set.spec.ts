import {
  MigrationError,
  SchemaMissingError,
  tenants,
  UnknownTenantError,
  type TenantError,
  type TenantsOptions,
} from '@landlord/mikro-orm';
import { defineEntity, p, type Constructor } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { readCatalog } from '../../support/databases/schema-contents.ts';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { newClient, Client, migrationsFolder, openEvolving } from '../../support/orm/evolving-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { refusal } from '../../support/assertions/refusal.ts';

const Note = defineEntity({ schema: '*', name: 'Note', properties: { id: p.integer().primary(), text: p.string() } });

/** What the migrations of a spec saw. */
const seen: Record<string, unknown>[] = [];

class M1 extends Migration {
  override up(): void {
    this.addSql('create table note (id serial primary key, text varchar(255) not null)');
    this.addSql(`insert into note (text) values ('first')`);
  }

  override down(): void {
    this.addSql('drop table note');
  }
}

class M2 extends Migration {
  override async up(): Promise<void> {
    const [path] = await this.execute(`select current_setting('search_path') as path, current_schema() as schema`);
    seen.push({ ...path });
    await this.execute('alter table note add column length int');
    await this.execute(`update note set length = length(text) where text <> ?`, ['']);
  }

  override down(): void {
    this.addSql('alter table note drop column length');
  }
}

class M3 extends Migration {
  override async up(): Promise<void> {
    const em = this.getEntityManager();
    const [note] = await em.find(Note, {});
    em.create(Note, { text: `after ${note?.text}` });
    await em.flush();
    const [raw] = await em.execute<{ count: number; path: string }[]>(
      `select count(*)::int as count, current_setting('search_path') as path from note`,
    );
    const [same] = await this.execute('select count(*)::int as count from note');
    const clients = await em.find(Client, {});
    seen.push({ ...raw, same: same?.count, clients: clients.length });
    // a path that a migration sets must not affect the next one
    await this.execute(`select set_config('search_path', 'public', true)`);
  }

  override down(): void {
    this.addSql(`delete from note where text like 'after %'`);
  }
}

class M4 extends Migration {
  override up(): void {
    this.addSql('alter table note add constraint note_text_unique unique (text)');
  }

  override down(): void {
    this.addSql('alter table note drop constraint note_text_unique');
  }
}

onDatabasesAndPooler('running the tenant set', database => {
  let orm: SpecOrm;
  let folder: Awaited<ReturnType<typeof migrationsFolder>>;
  let defaultPath: string | undefined;

  before(async () => {
    folder = await migrationsFolder();
    defaultPath = await pathOf(sql => database.query(sql));
    await open([]);
    await orm.migrator.create();
    await orm.migrator.up();
    await orm.em.fork().persistAndFlush(['acme', 'bob', 'carol'].map(newClient));
    // a decoy in public, which no migration of a tenant may change
    await database.query(`create table public.note (id serial primary key, text varchar(255) not null)`);
    await database.query(`insert into public.note (text) values ('public')`);
  });

  beforeEach(() => (seen.length = 0));

  after(() => folder.remove());

  it('M3 migrates every tenant, by schema name, and tells of each when it is done', async () => {
    await open([M1]);
    const told: string[] = [];
    const { migrated, failed } = await tenants(orm).migrate({ onProgress: result => told.push(result.schemaName) });

    expect(migrated.map(({ schemaName, migrations }) => [schemaName, migrations])).to.deep.equal([
      ['acme', ['M1']],
      ['bob', ['M1']],
      ['carol', ['M1']],
    ]);
    expect(failed).to.deep.equal([]);
    expect(told).to.have.members(['acme', 'bob', 'carol']);
    expect(await notes('acme')).to.deep.equal(['first']);
    expect(await notes('public')).to.deep.equal(['public']);
    expect(await tenants(orm).migrate()).to.include({ total: 3, upToDate: 3 });
  });

  it('M3 migrates those that are named, or that a condition selects, and no other', async () => {
    await open([M1, M2]);
    await tenants(orm).migrate({ only: ['bob'] });
    expect(await behind()).to.deep.equal({ acme: ['M2'], bob: [], carol: ['M2'] });
    await tenants(orm).migrate({ where: { domainUrl: 'carol.example.com' } });
    expect(await behind()).to.deep.equal({ acme: ['M2'], bob: [], carol: [] });
    await tenants(orm).migrate();
    expect(await behind()).to.deep.equal({ acme: [], bob: [], carol: [] });
  });

  it('M3 an unknown tenant is an error before anything runs', async () => {
    await open([M1, M2, M3]);
    const error = await refusal(tenants(orm).migrate({ only: ['acme', 'acne'] }));

    expect(error).to.be.instanceOf(UnknownTenantError).with.property('code', 'TENANT_UNKNOWN');
    expect((error as Error).message)
      .to.include('"acne"')
      .and.not.include('"acme"');
    expect(await behind()).to.deep.equal({ acme: ['M3'], bob: ['M3'], carol: ['M3'] });
  });

  it('M11 a migration reads and writes its own tenant, with the ORM and without, in its own transaction', async () => {
    await database.query(`update acme.note set text = 'of acme'`);
    await tenants(orm).migrate();

    expect(await notes('acme')).to.deep.equal(['of acme', 'after of acme']);
    expect(await notes('bob')).to.deep.equal(['first', 'after first']);
    expect(await notes('public')).to.deep.equal(['public']);
    expect(seen).to.have.deep.members(['acme', 'bob', 'carol'].map(schemaName => ({ count: 2, path: schemaName, same: 2, clients: 3 })));
  });

  it('M8 down reverts the latest migration of each, and down to one all after it', async () => {
    await tenants(orm).migrate({ direction: 'down', only: ['bob'] });
    expect(await behind()).to.deep.equal({ acme: [], bob: ['M3'], carol: [] });
    expect(await notes('bob')).to.deep.equal(['first']);
    expect(await notes('acme')).to.have.length(2);

    await tenants(orm).migrate({ direction: 'down', to: 'M1' });
    expect(await behind()).to.deep.equal({ acme: ['M2', 'M3'], bob: ['M2', 'M3'], carol: ['M2', 'M3'] });
    expect((await readCatalog(database, 'carol')).filter(line => line.includes('length'))).to.deep.equal([]);

    await tenants(orm).migrate({ direction: 'down', to: 0, only: ['carol'] });
    expect(await readCatalog(database, 'carol')).to.deep.equal([]);
    expect(await behind()).to.deep.equal({ acme: ['M2', 'M3'], bob: ['M2', 'M3'], carol: ['M1', 'M2', 'M3'] });
    await tenants(orm).migrate({ to: 'M2' });
    expect(await behind()).to.deep.equal({ acme: ['M3'], bob: ['M3'], carol: ['M3'] });
  });

  it('N3 a migration runs with its tenant alone on the path, and what `searchPath` adds, and leaves none behind', async () => {
    await open([M1, M2], { searchPath: ['extensions', 'Odd "name'] });
    await tenants(orm).migrate({ direction: 'down', only: ['acme'] });
    await tenants(orm).migrate({ only: ['acme'] });

    expect(seen).to.deep.equal([{ path: 'acme, extensions, "Odd ""name"', schema: 'acme' }]);
    expect(await pathOf(sql => orm.em.getConnection().execute(sql))).to.match(/public, "?extensions"?, "Odd ""name"$/);
    // that of a PGlite outlives its ORM
    await database.query('reset search_path');
  });

  it('M4 a broken tenant is reported with its cause and left as it was, the others are migrated', async () => {
    await open([M1, M2, M3, M4]);
    await database.query(`insert into bob.note (text) values ('first')`);
    const before = [await readCatalog(database, 'bob'), await notes('bob')];
    const { migrated, failed } = await tenants(orm).migrate();
    const error = failed[0]?.error;

    expect(migrated.map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'carol']);
    expect(failed.map(({ schemaName }) => schemaName)).to.deep.equal(['bob']);
    expect(error).to.be.instanceOf(MigrationError).with.property('code', 'MIGRATION_FAILED');
    expect(error).to.have.property('migration', 'M4');
    expect((error as MigrationError).message).to.match(/"M4".*"bob".*note_text_unique/s);
    expect((error as MigrationError).cause).to.be.instanceOf(Error);
    expect([await readCatalog(database, 'bob'), await notes('bob')]).to.deep.equal(before);
    expect(await behind()).to.deep.equal({ acme: [], bob: ['M3', 'M4'], carol: [] });
    expect(await pathOf(sql => orm.em.getConnection().execute(sql))).to.equal(defaultPath);
  });

  it('M4 run again after the mend, only what is left is done', async () => {
    await database.query(`delete from bob.note where id = (select max(id) from bob.note)`);
    const { migrated, upToDate } = await tenants(orm).migrate();

    expect(migrated.map(({ schemaName, migrations }) => [schemaName, migrations])).to.deep.equal([['bob', ['M3', 'M4']]]);
    expect(upToDate).to.equal(2);
    expect(await notes('acme')).to.have.length(2);
  });

  it('M7 a tenant without its schema fails alone, and `status` tells of it and of a schema without its tenant', async () => {
    await orm.em.fork().persistAndFlush(Object.assign(newClient('dave'), { autoCreateSchema: false }));
    await orm.em.fork().persistAndFlush(newClient('erin'));
    await database.query(`delete from public.client where schema_name = 'erin'`);
    await database.query('create schema somebody_elses');
    const { failed, upToDate } = await tenants(orm).migrate();
    const status = await tenants(orm).status();

    expect(failed.map(({ schemaName }) => schemaName)).to.deep.equal(['dave']);
    expect(failed[0]?.error).to.be.instanceOf(SchemaMissingError);
    expect(upToDate).to.equal(3);
    expect(status.orphans).to.deep.equal(['erin']);
    expect(status.tenants.map(({ schemaName, hasSchema }) => [schemaName, hasSchema])).to.deep.equal([
      ['acme', true],
      ['bob', true],
      ['carol', true],
      ['dave', false],
    ]);
    expect(status.tenants[3]).to.deep.include({ executed: [], pending: ['M1', 'M2', 'M3', 'M4'], unknown: [] });
    expect((await tenants(orm).status({ only: ['acme'] })).orphans).to.deep.equal(['erin']);
    await database.query(`delete from public.client where schema_name = 'dave'`);
  });

  it('M8 `status` tells of migrations that the set does not have, and a run down stops at them', async () => {
    await open([M1, M2, M3]);
    const { tenants: statuses } = await tenants(orm).status();
    const { failed } = await tenants(orm).migrate({ direction: 'down' });

    expect(statuses.map(({ unknown, pending }) => ({ unknown, pending }))).to.deep.equal(
      [1, 2, 3].map(() => ({ unknown: ['M4'], pending: [] })),
    );
    expect(failed.map(({ error }) => (error as TenantError).code)).to.deep.equal([
      'MIGRATION_UNKNOWN',
      'MIGRATION_UNKNOWN',
      'MIGRATION_UNKNOWN',
    ]);
    expect(await notes('acme')).to.have.length(2);
  });

  it('M3 nothing is run up while the public set is behind, unless that is asked for', async () => {
    await open([M1, M2, M3, M4]);
    await tenants(orm).migrate({ direction: 'down', only: ['acme'] });
    await orm.migrator.create('./public', true, false, 'later');
    const error = await refusal(tenants(orm).migrate());

    expect(error).to.be.instanceOf(MigrationError).with.property('code', 'PUBLIC_SET_BEHIND');
    expect((error as MigrationError).message).to.match(/_later/);
    expect(await behind()).to.deep.include({ acme: ['M4'] });
    // down migrations need no tables of the public set
    await tenants(orm).migrate({ direction: 'down', only: ['acme'] });
    await tenants(orm).migrate({ skipPublicCheck: true });
    expect(await behind()).to.deep.equal({ acme: [], bob: [], carol: [] });
    await orm.migrator.up();
  });

  it('M1 a tenant that is created gets the whole set, in its own schema alone', async () => {
    seen.length = 0;
    await orm.em.fork().persistAndFlush(newClient('frank'));

    expect(await notes('frank')).to.deep.equal(['first', 'after first']);
    expect(seen[0]).to.deep.equal({ path: 'frank', schema: 'frank' });
    expect(await notes('public')).to.deep.equal(['public']);
    expect(await pathOf(sql => orm.em.getConnection().execute(sql))).to.equal(defaultPath);
  });

  async function open(migrationsList: Constructor<Migration>[], options: Partial<TenantsOptions<Client>> = {}): Promise<void> {
    await orm?.close();
    orm = await openEvolving(database, folder.path, [Note], {
      options: { migrations: { migrationsList }, ...options },
      // the next user would get whatever stays on the one connection
      config: { pool: { min: 1, max: 1 } },
    });
  }

  async function notes(schemaName: string): Promise<string[]> {
    const rows = await database.query<{ text: string }>(`select text from "${schemaName}".note order by id`);

    return rows.map(({ text }) => text);
  }

  async function behind(): Promise<Record<string, readonly string[]>> {
    const status = await tenants(orm).status();

    return Object.fromEntries(status.tenants.map(({ schemaName, pending }) => [schemaName, pending]));
  }
});

async function pathOf(query: (sql: string) => Promise<{ path: string }[]>): Promise<string | undefined> {
  const [row] = await query(`select current_setting('search_path') as path`);

  return row?.path;
}
