import { MigrationError, ProvisioningError, tenants } from '@landlord/mikro-orm';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { CreateNote } from '../support/orm/note-orm.ts';

class FailsInAcme extends Migration {
  override async up(): Promise<void> {
    await this.execute('create table half_done (id int)');
    await this.execute(`select 1 / (case when current_schema() = 'acme' then 0 else 1 end)`);
  }
}

class NeedsNoTransaction extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    this.addSql('vacuum');
  }
}

onDatabasesAndPooler('a migration that fails while a tenant is created', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database, { migrations: { migrationsList: [CreateNote, FailsInAcme] } });
  });

  it('T5, law 4: leaves no row, no schema and no history', async () => {
    await refusal(orm.em.fork().persistAndFlush(newLibrary('acme')));
    const leftovers = await database.query(
      `select 1 from information_schema.tables where table_name in ('note', 'half_done') union all select 1 from public.mikro_orm_migrations where name ~ 'Note|Fails'`,
    );

    expect(await storedTenants(database)).to.deep.equal([]);
    expect(await schemaNames(database)).to.deep.equal([]);
    expect(leftovers).to.deep.equal([]);
  });

  it('T5 is told with tenant, schema, migration and cause', async () => {
    const error = await refusal(orm.em.fork().persistAndFlush(newLibrary('acme')));

    expect(error).to.be.instanceOf(ProvisioningError);
    expect(error).to.include({ code: 'TENANT_NOT_PROVISIONED', schemaName: 'acme', migration: 'FailsInAcme' });
    expect(error.cause).to.be.an('error').with.property('code', '22012');
    expect(error.message)
      .to.include('"acme.example.com"')
      .and.to.include('schema "acme"')
      .and.to.include('"FailsInAcme"')
      .and.to.include('division by zero')
      .and.to.include('rolled back');
  });

  it('T6 takes the other tenants of the flush along', async () => {
    const error = await refusal(orm.em.fork().persistAndFlush([newLibrary('bob'), newLibrary('acme'), newLibrary('carl')]));

    expect(error).to.include({ code: 'TENANT_NOT_PROVISIONED', schemaName: 'acme' });
    expect(await storedTenants(database)).to.deep.equal([]);
    expect(await schemaNames(database)).to.deep.equal([]);
  });

  it('T5 leaves the service without a tenant, and the ORM fit for the next one', async () => {
    const made = tenants<Library>(orm).create({ name: 'Acme', domainUrl: 'acme.example.com', schemaName: 'acme', onTrial: true });
    expect(await refusal(made)).to.include({ code: 'TENANT_NOT_PROVISIONED' });
    await orm.em.fork().persistAndFlush(newLibrary('bob'));

    expect(await storedTenants(database)).to.deep.equal(['bob']);
    expect(await schemaNames(database)).to.deep.equal(['bob']);
  });

  it('T5 lets the tenant be created anew in another fork', async () => {
    await refusal(orm.em.fork().persistAndFlush(newLibrary('acme')));
    await orm.em.fork().persistAndFlush(newLibrary('acme_2', { domainUrl: 'acme.example.com' }));

    expect(await storedTenants(database))
      .to.include('acme_2')
      .and.not.to.include('acme');
    expect(await schemaNames(database))
      .to.include('acme_2')
      .and.not.to.include('acme');
  });
});

onDatabasesAndPooler('a tenant set that cannot run', database => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'landlord-spec-set-'));
    await writeFile(join(folder, 'MigrationBroken.js'), 'throw new Error("broken file");\n');
  });

  after(() => rm(folder, { recursive: true, force: true }));

  it('T5 leaves nothing behind where a file cannot be loaded', async () => {
    const orm = await openLibrary(database, { migrations: { path: folder } });

    try {
      const error = await refusal(orm.em.fork().persistAndFlush(newLibrary('acme')));

      expect(error).to.include({ code: 'TENANT_NOT_PROVISIONED', schemaName: 'acme', migration: 'MigrationBroken' });
      expect(error.message).to.include('broken file');
      expect(error.cause).to.be.instanceOf(MigrationError);
      expect(await storedTenants(database)).to.deep.equal([]);
      expect(await schemaNames(database)).to.deep.equal([]);
    } finally {
      await orm.close();
    }
  });

  it('T5 leaves nothing behind where a statement is refused in a transaction', async () => {
    const orm = await openLibrary(database, { migrations: { migrationsList: [CreateNote, NeedsNoTransaction] } });

    try {
      const error = await refusal(orm.em.fork().persistAndFlush(newLibrary('acme')));

      expect(error).to.include({ code: 'TENANT_NOT_PROVISIONED', schemaName: 'acme', migration: 'NeedsNoTransaction' });
      expect(await storedTenants(database)).to.deep.equal([]);
      expect(await schemaNames(database)).to.deep.equal([]);
    } finally {
      await orm.close();
    }
  });
});
