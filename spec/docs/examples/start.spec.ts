import { runInTenant, tenants } from '@landlord/mikro-orm';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import * as creating from '../../../docs/examples/creating-tenants/tenants.ts';
import * as scopes from '../../../docs/examples/scopes/scopes.ts';
import { Book, Client } from '../../../docs/examples/start/entities.ts';
import { schemaNames, tablesOf } from '../../support/databases/catalog.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { openOrm, type SpecOrm } from '../../support/orm/open-orm.ts';

class CreateBook extends Migration {
  override up(): void {
    this.addSql('create table "book" ("id" serial primary key, "title" varchar(255) not null)');
  }
}

onDatabases('the code of the pages about scopes and about creating tenants', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openOrm(database, { tenant: Client, migrations: { migrationsList: [CreateBook] } }, { entities: [Client, Book] });
    await orm.schema.create();
  });

  it('T1 T2 creates tenants, with rows and without a schema, renames and drops them', async () => {
    await creating.signUp(orm.em.fork());
    expect(await tablesOf(database, 'acme')).to.include('book');

    await creating.storeRowOnly(orm.em.fork());
    expect(await tablesOf(database, 'bob')).to.include('book');

    await creating.createFilled(orm.em.fork(), new Client({ name: 'Carl', domainUrl: 'carl.example.com', schemaName: 'carl' }));
    expect(await runInTenant('carl', async em => (await em.find(Book, {})).map(({ title }) => title))).to.deep.equal(['Welcome']);
    expect(await runInTenant('bob', em => em.count(Book))).to.equal(0);

    await creating.renameAndDrop();
    expect(await schemaNames(database)).to.deep.equal(['bob', 'carl']);
    await tenants().drop('carl');
  });

  it('S1 works on one tenant, on the public schema and on all tenants', async () => {
    await creating.signUp(orm.em.fork());
    const printed = await printedBy(async () => {
      expect(await scopes.countAsAcme(orm)).to.equal(1);
      expect((await scopes.listClients()).map(({ name }) => name)).to.have.members(['Acme', 'Bob']);
      expect(await scopes.countEverywhere()).to.deep.equal([
        { schemaName: 'acme', ok: true, value: 1 },
        { schemaName: 'bob', ok: true, value: 0 },
      ]);
    });

    expect(printed).to.deep.equal(['Acme acme', 'acme 1', 'bob 0']);
  });
});

/** What code prints by `console.log()`. */
async function printedBy(fn: () => Promise<void>): Promise<string[]> {
  const { log } = console;
  const lines: string[] = [];
  console.log = (...values: unknown[]) => lines.push(values.join(' '));

  try {
    await fn();
  } finally {
    console.log = log;
  }

  return lines;
}
