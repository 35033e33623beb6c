import { runInTenant, tenants } from '@landlord/mikro-orm';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import * as creating from '../../../docs/examples/creating-tenants/tenants.ts';
import * as scopes from '../../../docs/examples/scopes/scopes.ts';
import { bookLoader, enqueue } from '../../../docs/examples/scopes/shared.ts';
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

  it('S5 S9 keeps work of two tenants apart that goes through a queue or a loader of the process', async () => {
    for (const name of ['dora', 'emil']) {
      const tenant = await tenants<Client>().create({ name, domainUrl: `${name}.example.com`, schemaName: name });
      await runInTenant(tenant, em => em.persistAndFlush(em.create(Book, { id: 1, title: `${name}’s` })));
    }

    expect(await throughQueue((queue, work) => queue.push(work))).to.deep.equal({ dora: 'dora’s', emil: 'dora’s' });
    expect(await throughQueue(enqueue)).to.deep.equal({ dora: 'dora’s', emil: 'emil’s' });

    const loaded = await Promise.all(['dora', 'emil', 'dora'].map(name => runInTenant(name, async () => bookLoader(orm).load(1))));
    expect(loaded.map(book => book?.title)).to.deep.equal(['dora’s', 'emil’s', 'dora’s']);
    await runInTenant('dora', async () => expect(bookLoader(orm)).to.equal(bookLoader(orm)));
  });

  /** What each tenant reads as its book, by work that it puts into a queue of both. What is put in first begins to work the queue off. */
  async function throughQueue(put: (queue: Queue, work: () => Promise<void>) => void): Promise<Record<string, string>> {
    const read: Record<string, string> = {};
    const waiting: (() => Promise<void>)[] = [];
    let begin = (): void => undefined;
    const begun = new Promise<void>(resolve => {
      begin = resolve;
    });
    let worked: Promise<void> | undefined;
    const queue: Queue = {
      push(work) {
        waiting.push(work);
        worked ??= workOff();
      },
    };

    async function workOff(): Promise<void> {
      await begun;

      for (const work of waiting) {
        await work();
      }
    }

    for (const name of ['dora', 'emil']) {
      await runInTenant(name, async () =>
        put(queue, async () => {
          read[name] = (await orm.em.findOneOrFail(Book, 1)).title;
        }),
      );
    }

    begin();
    await worked;

    return read;
  }
});

interface Queue {
  push(work: () => Promise<void>): void;
}

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
