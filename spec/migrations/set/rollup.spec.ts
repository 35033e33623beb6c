import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tenants } from '@landlord/mikro-orm';
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

  it('M29 the files become one, which is in every history in their place, and makes the same in a new tenant', async () => {
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

  it('M29 is refused where a tenant is behind, with the list, and changes nothing', async () => {
    await tenants(orm).migrate({ direction: 'down', only: ['bob'] });
    const { message } = await refusal(() => tenants(orm).rollUpMigrations(), 'MIGRATION_ROLLED_UP');

    expect(message).to.contain('"bob"').and.not.contain('"acme"');
    expect(await files()).to.deep.equal(OLD.map(name => `${name}.ts`));
    expect(await historyOf(database, 'acme')).to.deep.equal([...OLD]);
  });

  it('M29 what would make something else is refused, with the objects, and changes nothing', async () => {
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
