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

    expect(await throughQueue((queue, work) => void queue.push(work))).to.deep.equal({ dora: 'dora’s', emil: 'dora’s' });
    expect(await throughQueue(enqueue)).to.deep.equal({ dora: 'dora’s', emil: 'emil’s' });

    const loaded = await Promise.all(['dora', 'emil', 'dora'].map(name => runInTenant(name, async () => bookLoader(orm).load(1))));
    expect(loaded.map(book => book?.title)).to.deep.equal(['dora’s', 'emil’s', 'dora’s']);
    await runInTenant('dora', async () => expect(bookLoader(orm)).to.equal(bookLoader(orm)));
  });

  /** What each tenant reads as its book, by work that it puts into a queue of both, one after the other. */
  async function throughQueue(put: (queue: SerialQueue, work: () => Promise<void>) => void): Promise<Record<string, string>> {
    const queue = new SerialQueue();
    const read: Record<string, string> = {};

    for (const name of ['dora', 'emil']) {
      await runInTenant(name, async () =>
        put(queue, async () => {
          read[name] = (await orm.em.findOneOrFail(Book, 1)).title;
        }),
      );
    }

    await queue.idle;

    return read;
  }
});

/** A queue as processes share them: what ends begins the next. */
class SerialQueue {
  readonly #waiting: (() => Promise<void>)[] = [];
  #runs = false;
  #idle = Promise.withResolvers<void>();

  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  push(work: () => Promise<void>): void {
    this.#waiting.push(work);

    if (!this.#runs) {
      this.#runs = true;
      this.#idle = Promise.withResolvers();
      setImmediate(() => void this.#next());
    }
  }

  async #next(): Promise<void> {
    const work = this.#waiting.shift();

    if (work === undefined) {
      this.#runs = false;
      this.#idle.resolve();
      return;
    }

    await work();
    await this.#next();
  }
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
