import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tenants, type TenantErrorCode } from '@landlord/mikro-orm';
import { defineEntity, p, type MigrationsOptions } from '@mikro-orm/core';
import { Migration, TSMigrationGenerator } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { newClient, migrationsFolder, openEvolving } from '../../support/orm/evolving-orm.ts';
import type { OrmConfig, SpecOrm } from '../../support/orm/open-orm.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { historyOf, schemasWith } from '../../support/databases/catalog.ts';

class First extends Migration {
  override up(): void {
    this.addSql('create table first (id int primary key)');
  }
}

class Minified extends Migration {
  override name = 'Migration20260101000000';

  override up(): void {
    this.addSql('create table minified (id int primary key)');
  }
}

onDatabases('loading the tenant set', database => {
  let orm: SpecOrm;
  let folder: Awaited<ReturnType<typeof migrationsFolder>>;

  before(async () => {
    folder = await migrationsFolder();
    await open({});
    await orm.migrator.create();
    await orm.migrator.up();
    await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
  });

  afterEach(async () => {
    await database.query('drop table if exists acme.mikro_orm_migrations, bob.mikro_orm_migrations, acme.history, bob.history');
  });

  after(() => folder.remove());

  it('M3, T1 a folder that is not there is refused by whoever needs the set, and writing a migration makes it', async () => {
    await open({ path: './nowhere' });
    await refused('MIGRATION_FOLDER_MISSING', /nowhere.*migrations\.path/);

    for (const attempt of [
      () => tenants(orm).status(),
      () => tenants(orm).preview(),
      () => orm.em.fork().persistAndFlush(newClient('newbie')),
    ]) {
      await refusal(attempt, 'MIGRATION_FOLDER_MISSING');
    }

    expect(await database.query(`select 1 from pg_namespace where nspname = 'newbie'`)).to.deep.equal([]);
    expect((await tenants(orm).createMigration({ initial: true })).fileName).to.not.equal('');
    expect((await tenants(orm).status()).tenants.map(({ pending }) => pending.length)).to.deep.equal([1, 1]);
  });

  it('M3 a folder without a migration is an empty set', async () => {
    await file('bare', '.gitkeep', '');
    await open({ path: './bare' });

    expect(await tenants(orm).migrate()).to.include({ total: 2, upToDate: 2 });
    expect((await tenants(orm).status()).tenants.map(({ pending }) => pending)).to.deep.equal([[], []]);
  });

  it('M3 a file that throws, and one without a migration, stop the run before it begins', async () => {
    await file('throws', 'Migration1.ts', `throw new Error('no such thing');`);
    await file('empty', 'Migration1.ts', `export const nothing = 1; export class Unrelated {}`);
    await open({ path: './throws' });
    await refused('MIGRATION_NOT_LOADABLE', /"Migration1".*no such thing/, { cause: 'no such thing' });
    await open({ path: './empty' });
    await refused('MIGRATION_NOT_LOADABLE', /"Migration1".*exports no class/);
  });

  it('M3 no file is loaded where each tenant has what the files are named after, and all are as soon as one tenant differs', async () => {
    await open({ migrationsList: [{ name: 'Migration1', class: First }] });
    await tenants(orm).migrate();
    await file('recorded', 'Migration1.ts', `throw new Error('loaded');`);
    await open({ path: './recorded' });

    expect(await tenants(orm).migrate()).to.include({ total: 2, upToDate: 2 });
    await refused('MIGRATION_NOT_LOADABLE', /loaded/, { migrate: { migrations: ['Migration1'] } });
    await refused('MIGRATION_NOT_LOADABLE', /loaded/, { migrate: { direction: 'down' } });

    await database.query(`insert into bob.mikro_orm_migrations (name) values ('Migration1')`);
    await refused('MIGRATION_NOT_LOADABLE', /loaded/);
    await database.query(`update bob.mikro_orm_migrations set name = 'Unknown' where id = (select max(id) from bob.mikro_orm_migrations)`);
    await refused('MIGRATION_NOT_LOADABLE', /loaded/);
    await database.query(`truncate bob.mikro_orm_migrations`);
    await refused('MIGRATION_NOT_LOADABLE', /loaded/);
    await database.query('drop table acme.first, bob.first');
  });

  it('M3 T1 a file that has changed is loaded again where the `dynamicImportProvider` of the config does so', async () => {
    let version = 0;
    const given = globalThis as { dynamicImportProvider?: unknown };
    const before = given.dynamicImportProvider;

    try {
      for (const table of ['one', 'two']) {
        await file('changed', 'Migration1.ts', migration(table));
        await open({ path: './changed' });
        given.dynamicImportProvider = (id: string) => import(`${id}?${(version += 1)}`);
        await orm.em.fork().persistAndFlush(newClient(`has_${table}`));
        expect(await schemasWith(database, table)).to.deep.equal([`has_${table}`]);
      }
    } finally {
      given.dynamicImportProvider = before;
      await database.query(`delete from public.client where schema_name like 'has_%'`);
      await database.query('drop schema if exists has_one, has_two cascade');
    }
  });

  it('M3 T1 a class that asks its ORM whether it is transactional is asked in each ORM', async () => {
    class ByConfig extends First {
      override isTransactional(): boolean {
        return this.config.get('charset') !== 'utf8';
      }

      override up(): void {
        this.addSql('commit');
      }
    }

    const preview = async (charset: string): Promise<unknown> => {
      await open({ migrationsList: [ByConfig] }, { charset });

      return tenants(orm).preview();
    };

    await refusal(() => preview('utf-8'), 'MIGRATION_SESSION_STATE');
    expect(JSON.stringify(await preview('utf8'))).to.contain('commit');
  });

  it('M3 a name with a line break stops the run before it begins', async () => {
    await open({ migrationsList: [{ name: 'First\nSecond', class: First }] });
    await refused('MIGRATION_NOT_LOADABLE', /line break/);
  });

  it('M3 two migrations of one name stop the run before it begins', async () => {
    await open({ migrationsList: [First, { name: 'First.js', class: Minified }] });
    await refused('MIGRATION_DUPLICATE', /"First"/);
    await file('twice', 'Migration1.ts', migration('one'));
    await file('twice', 'Migration1.js', migration('two'));
    await open({ path: './twice' });
    await refused('MIGRATION_DUPLICATE', /"Migration1"/);
  });

  it('M3 a list takes classes, by the name they give themselves, and classes with a name', async () => {
    await open({ migrationsList: [First, Minified, { name: 'Named.ts', class: First }] });
    const status = await tenants(orm).status();

    expect(status.tenants[0]?.pending).to.deep.equal(['First', 'Migration20260101000000', 'Named']);
    await tenants(orm).migrate({ only: ['acme'], migrations: ['Migration20260101000000'] });
    expect(await schemasWith(database, 'minified')).to.deep.equal(['acme']);
    expect(await historyOf(database, 'acme')).to.deep.equal(['Migration20260101000000']);
    await database.query('drop table acme.minified');
  });

  it('M3 a name that is not in the set stops the run before it begins', async () => {
    await open({ migrationsList: [First] });
    await refused('MIGRATION_UNKNOWN', /"Frist"/, { migrate: { migrations: ['First', 'Frist'] } });
    await refused('MIGRATION_UNKNOWN', /"Nowhere"/, { migrate: { to: 'Nowhere' } });
    await refused('MIGRATION_UNKNOWN', /"Nowhere"/, { migrate: { from: 'Nowhere' } });
    await refused('MIGRATION_UNKNOWN', /"Nowhere"/, { migrate: { direction: 'down', to: 'Nowhere' } });
    expect(await schemasWith(database, 'first')).to.deep.equal([]);
  });

  it('M3 `glob` says which files are migrations', async () => {
    await file('globbed', 'one.migration.ts', migration('one'));
    await file('globbed', 'helper.ts', `throw new Error('not a migration');`);
    await open({ path: './globbed', glob: '*.migration.ts' });

    expect((await tenants(orm).status()).tenants.map(({ pending }) => pending)).to.deep.equal([['one.migration'], ['one.migration']]);
  });

  it('M2 `fileName`, a name, a path and a generator of one’s own are followed', async () => {
    class Signed extends TSMigrationGenerator {
      override generateMigrationFile(className: string, diff: { up: string[]; down: string[] }): string {
        return `// signed\n${super.generateMigrationFile(className, diff)}`;
      }
    }

    await open({ path: './own', generator: Signed, fileName: (_timestamp, name) => `tenant-${name ?? 'unnamed'}` });
    const created = await tenants(orm).createMigration({ name: 'hello' });
    const blank = await tenants(orm).createMigration({ name: 'by-hand', blank: true });

    expect([created.fileName, blank.fileName]).to.deep.equal(['tenant-hello.ts', 'tenant-by-hand.ts']);
    expect(created.code).to.match(/^\/\/ signed\n/);
    expect(blank.diff.up).to.deep.equal(['select 1']);
    expect((await tenants(orm).status()).tenants[0]?.pending).to.deep.equal(['tenant-by-hand', 'tenant-hello']);
    expect((await orm.migrator.getPending()).map(({ name }) => name)).to.deep.equal([]);
  });

  it('M2 a first migration is refused where there is one, and none is needed to write the first', async () => {
    await open({ path: './initial' });
    expect((await tenants(orm).createMigration({ initial: true, name: 'first' })).diff.up).to.have.length(1);
    await refusal(() => tenants(orm).createMigration({ initial: true }), 'MIGRATION_NOT_INITIAL');
  });

  it('M1 the history has the name it is given, in the tenant, also where the public one names its schema', async () => {
    await open({ migrationsList: [First], tableName: 'history' });
    await tenants(orm).migrate();
    expect(await historyOf(database, 'bob', 'history')).to.deep.equal(['First']);
    expect(await schemasWith(database, 'history')).to.deep.equal(['acme', 'bob']);
    await database.query('drop table acme.first, bob.first, acme.history, bob.history');

    await orm.close();
    orm = await openEvolving(database, folder.path, [entity], {
      config: { migrations: { tableName: 'public.mikro_orm_migrations' } },
      options: { migrations: { migrationsList: [First] } },
    });
    await tenants(orm).migrate();
    expect(await historyOf(database, 'bob')).to.deep.equal(['First']);
    await database.query('drop table acme.first, bob.first');
  });

  async function open(migrations: MigrationsOptions, config: OrmConfig = {}): Promise<void> {
    await orm?.close();
    orm = await openEvolving(database, folder.path, [entity], { options: { migrations }, config });
  }

  async function file(subFolder: string, name: string, code: string): Promise<void> {
    await mkdir(join(folder.path, subFolder), { recursive: true });
    await writeFile(join(folder.path, subFolder, name), code);
  }

  async function refused(
    code: TenantErrorCode,
    message: RegExp,
    { migrate, cause }: { migrate?: Parameters<ReturnType<typeof tenants>['migrate']>[0]; cause?: string } = {},
  ): Promise<void> {
    const told: unknown[] = [];
    const error = await refusal(() => tenants(orm).migrate({ ...migrate, onProgress: result => told.push(result) }), code);

    expect(error.message).to.match(message);
    expect(told).to.deep.equal([]);

    if (cause !== undefined) {
      expect(error.cause).to.have.property('message', cause);
    }
  }
});

const entity = defineEntity({ schema: '*', name: 'Thing', properties: { id: p.integer().primary() } });

function migration(table: string): string {
  return `import { Migration } from '@mikro-orm/migrations';
    export class M extends Migration { up() { this.addSql('create table ${table} (id int primary key)'); } }`;
}
