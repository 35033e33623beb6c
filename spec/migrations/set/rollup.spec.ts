import { readdirSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { tenants, type TenantError } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { defineEntity, p } from '@mikro-orm/core';
import { historyOf } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { migrationsFolder, newClient, openEvolving } from '../../support/orm/evolving-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { refusal } from '../../support/assertions/refusal.ts';

const Note = defineEntity({
  schema: '*',
  name: 'Note',
  properties: { id: p.integer().primary(), text: p.text(), more: p.text().nullable() },
});
const OLD = ['Migration20250101000000_note', 'Migration20250201000000_more'] as const;

onDatabases('combining the migrations of the tenant set', database => {
  let orm: SpecOrm;
  let folder: Awaited<ReturnType<typeof migrationsFolder>>;

  beforeEach(async () => {
    folder = await migrationsFolder();
    await file(OLD[0], `create table "note" ("id" serial primary key, "text" text not null)`, 'drop table "note"');
    await file(OLD[1], 'alter table "note" add column "more" text', 'alter table "note" drop column "more"');
    orm = await openEvolving(database, folder.path, [Note], { options: { migrations: { snapshot: false } } });
    await orm.migrator.create();
    await orm.migrator.up();
    await orm.em.fork().persistAndFlush([newClient('acme'), newClient('bob')]);
  });

  afterEach(async () => {
    await orm.close();
    await folder.remove();
    await database.query('drop schema if exists acme cascade');
    await database.query('drop schema if exists bob cascade');
    await database.query('drop schema if exists carl cascade');
    await database.query('drop table if exists public.client, public.mikro_orm_migrations');
  });

  it('M18, M29 the files become one, which is in every history in their place, and makes the same in a new tenant', async () => {
    await database.query(`insert into acme.note (text) values ('kept')`);
    const { fileName, migrated, failed } = await tenants(orm).rollUpMigrations();
    const [name = ''] = (await files()).map(each => each.replace(/\.ts$/, ''));

    expect(await files()).to.deep.equal([`${name}.ts`]);
    expect(fileName).to.equal(join(folder.path, 'tenant', `${name}.ts`));
    expect(await readFile(fileName, 'utf8'))
      .to.contain('static readonly replaces')
      .and.contain(OLD[0])
      .and.contain(OLD[1]);
    expect([failed, migrated.map(({ schemaName }) => schemaName)]).to.deep.equal([[], ['acme', 'bob']]);

    await orm.em.fork().persistAndFlush(newClient('carl'));

    for (const schemaName of ['acme', 'bob', 'carl']) {
      expect(await historyOf(database, schemaName)).to.deep.equal([name]);
    }

    expect(await database.query('select text, more from acme.note')).to.deep.equal([{ text: 'kept', more: null }]);
    expect((await tenants(orm).migrate()).upToDate).to.equal(3);
    expect(await tenants(orm).needsMigration()).to.equal(false);
    expect((await tenants(orm).drift()).equal).to.equal(3);
    await refusal(() => tenants(orm).rollUpMigrations(), 'MIGRATION_NOT_COMBINED');
  });

  it('M18, M29 is refused where a tenant is behind, with the list, and changes nothing', async () => {
    await tenants(orm).migrate({ direction: 'down', only: ['bob'] });
    const { message } = await refusal(() => tenants(orm).rollUpMigrations(), 'MIGRATION_ROLLED_UP');

    expect(message).to.contain('"bob"').and.not.contain('"acme"');
    expect(await files()).to.deep.equal(OLD.map(name => `${name}.ts`));
    expect(await historyOf(database, 'acme')).to.deep.equal([...OLD]);
  });

  it('M18, M29 what would make something else is refused, with the objects, and changes nothing', async () => {
    // what `up()` calls is not combined
    await writeFile(
      join(folder.path, 'tenant', 'Migration20250301000000_helped.ts'),
      `import { Migration } from '@mikro-orm/migrations';
export class Helped extends Migration {
  override up(): void { this.help?.(); }
  override down(): void { this.addSql('drop table helped'); }
  help(): void { this.addSql('create table helped (id int primary key)'); }
}
`,
    );
    await tenants(orm).migrate();
    const { message } = await refusal(() => tenants(orm).rollUpMigrations(), 'MIGRATION_NOT_COMBINED');

    expect(message).to.contain('table helped');
    expect(await files()).to.have.length(3);
    expect(await historyOf(database, 'acme')).to.deep.equal([...OLD, 'Migration20250301000000_helped']);
  });

  it('M18, M29 one that was ended in the middle, by a kill or a signal, is finished by the next, and no tenant is half of each', async () => {
    const contents = await Promise.all(OLD.map(name => readFile(path(name), 'utf8')));
    const { fileName } = await tenants(orm).rollUpMigrations({ signal: AbortSignal.abort() });
    const name = basename(fileName, '.ts');
    expect([await files(), await historyOf(database, 'acme')]).to.deep.equal([[`${name}.ts`], [...OLD]]);

    // a kill leaves the files too
    await Promise.all(OLD.map((old, position) => writeFile(path(old), contents[position] ?? '')));
    await orm.em.fork().persistAndFlush(newClient('carl'));
    await tenants(orm).migrate({ only: ['bob'] });
    expect(await Promise.all(['acme', 'bob', 'carl'].map(each => historyOf(database, each)))).to.deep.equal([[...OLD], [name], [name]]);

    const again = await tenants(orm).rollUpMigrations();
    expect([again.fileName, again.failed, again.migrated.map(({ schemaName }) => schemaName)]).to.deep.equal([fileName, [], ['acme']]);
    expect([await files(), await historyOf(database, 'acme')]).to.deep.equal([[`${name}.ts`], [name]]);
    expect((await tenants(orm).drift()).equal).to.equal(3);
  });

  it('M18, M29 the combined file is not there for other commands before it was tried', async () => {
    const seen: string[][] = [];
    Object.assign(globalThis, { seeFiles: (folderOfSet: string) => seen.push(readdirSync(folderOfSet)) });
    const source = await readFile(path(OLD[1]), 'utf8');
    await writeFile(path(OLD[1]), source.replace('this.addSql', 'globalThis.seeFiles(import.meta.dirname);\n    this.addSql'));
    await tenants(orm).rollUpMigrations();
    Reflect.deleteProperty(globalThis, 'seeFiles');

    // the combined migration sees it, while it is tried
    expect(seen).not.to.deep.equal([]);
    seen.forEach(names => expect(names.filter(name => !name.startsWith('.')).toSorted()).to.deep.equal(OLD.map(name => `${name}.ts`)));
    expect(await readdir(join(folder.path, 'tenant'))).to.have.length(1);
  });

  it('M18, M29 what stands for files that are there, and makes something else, does not take their place', async () => {
    await file('Migration20250301000000_all', 'create table "note" ("id" serial primary key)', 'drop table "note"');
    const source = await readFile(path('Migration20250301000000_all'), 'utf8');
    await writeFile(
      path('Migration20250301000000_all'),
      source.replace('Migration {', `Migration {\n  static replaces = ${JSON.stringify(OLD)};`),
    );
    const { message } = await refusal(() => tenants(orm).rollUpMigrations(), 'MIGRATION_NOT_COMBINED');

    expect(message).to.contain('column note.more');
    expect(await files()).to.have.length(3);
    expect(await historyOf(database, 'acme')).to.deep.equal([...OLD]);
  });

  it('M18, M29 a preview says which entries would be replaced where, and which tenants are refused, and changes nothing', async () => {
    await tenants(orm).migrate({ direction: 'down', only: ['bob'] });
    const [first, second, ...others] = await tenants(orm).previewRollUp();

    expect(others).to.deep.equal([]);
    expect(first?.schemaNames).to.deep.equal(['acme']);
    expect(first?.sql.join()).to.match(/^update "acme".* set name = 'Migration\d+'.*delete from "acme".*Migration20250201000000_more/s);
    expect([second?.schemaNames, (second?.error as TenantError | undefined)?.code]).to.deep.equal([['bob'], 'MIGRATION_ROLLED_UP']);
    expect(await files()).to.deep.equal(OLD.map(name => `${name}.ts`));
    expect(await historyOf(database, 'acme')).to.deep.equal([...OLD]);
  });

  function path(name: string): string {
    return join(folder.path, 'tenant', `${name}.ts`);
  }

  async function file(name: string, up: string, down: string): Promise<void> {
    await writeFile(
      join(folder.path, 'tenant', `${name}.ts`),
      `import { Migration } from '@mikro-orm/migrations';

export class ${name} extends Migration {

  override up(): void {
    this.addSql(${JSON.stringify(up)});
  }

  override down(): void {
    this.addSql(${JSON.stringify(down)});
  }

}
`,
    );
  }

  async function files(): Promise<string[]> {
    return (await readdir(join(folder.path, 'tenant'))).toSorted();
  }
});
