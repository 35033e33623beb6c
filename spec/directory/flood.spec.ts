import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { TenantsOptions } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { Gate } from '../support/assertions/gate.ts';
import { until } from '../support/assertions/until.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { visitorOf, type Visit } from '../support/web/visitor.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

onDatabases('a directory under load', database => {
  let orm: LibraryOrm;
  let visit: (host: string) => Promise<Visit>;

  before(async () => {
    const first = await openLibrary(database);
    await first.em.fork().persistAndFlush(NAMES.map(name => newLibrary(name)));
    await first.close();
  });

  afterEach(() => orm.close());

  it('H10 asks once for all who wait for one host, known or not', async () => {
    await open();
    const [served, unknown] = await Promise.all(
      ['a', 'nobody'].map(name => Promise.all(Array.from({ length: 200 }, () => visit(`${name}.example.com`)))),
    );

    expect(new Set(served?.map(each => each.served))).to.deep.equal(new Set(['a']));
    expect(new Set(unknown?.map(each => each.served))).to.deep.equal(new Set(['HOST_UNKNOWN']));
    // each has its own, of the one answer
    expect(new Set(served?.map(({ tenant }) => tenant)).size).to.equal(200);
    expect(lookups().length).to.be.at.most(2);
  });

  it('H10 remembers for a while that a host is nobody’s', async () => {
    await open();
    await visit('nobody.example.com');
    database.statements.length = 0;

    expect((await visit('nobody.example.com')).served).to.equal('HOST_UNKNOWN');
    expect(lookups()).to.have.length(0);
  });

  it('H10 answers a flood of made-up hosts with few queries and little memory, while known hosts are served without one', async () => {
    // a busy machine may pause for longer than a look-up is waited for
    await open({ max: 10, unknownMax: 100, lookupTimeoutMs: 60_000 });
    await Promise.all(NAMES.map(name => visit(`${name}.example.com`)));
    database.statements.length = 0;
    let before = 0;

    for (let n = 0; n < FLOOD; n += 2_000) {
      const made = Array.from({ length: 2_000 }, (_, index) =>
        visit(`${(n + index).toString(36)}.${Math.random().toString(36).slice(2)}.test`),
      );

      for (const name of NAMES) {
        expect((await visit(`${name}.example.com`)).served).to.equal(name);
      }

      const others = (await Promise.all(made)).filter(({ served }) => served !== 'HOST_UNKNOWN');
      expect(others.map(({ served, error }) => `${served} ${String((error as Error | undefined)?.cause)}`)).to.deep.equal([]);
      database.statements.splice(0, database.statements.length, ...database.statements.map(line => line.slice(0, 120)));
      await setImmediate();
      // what the first round leaves is made once
      before ||= heap();
    }

    // one for five hundred of the made-up ones, and one a second, until it listens, for each known one: at most eleven a round
    expect(lookups().length).to.be.lessThan(FLOOD / 150);
    // each host that is kept takes about three hundred bytes: many hosts, as a process that has run other specs grows by some megabytes of its own
    await until('little memory is kept', () => heap() - before < 150 * FLOOD);
  });

  it('H10 holds no more tenants than `max`, and gives up the one that was least recently used', async () => {
    await open({ max: 2 });
    await visit('a.example.com');
    await visit('b.example.com');
    await visit('a.example.com');
    await visit('c.example.com');
    database.statements.length = 0;

    await visit('a.example.com');
    await visit('c.example.com');
    expect(lookups()).to.have.length(0);
    await visit('b.example.com');
    expect(lookups()).to.have.length(1);
  });

  it('H10 does not keep an answer that was under way when the tenant changed', async () => {
    await open();
    await visit('b.example.com');

    for (let n = 0; n < 20; n += 1) {
      const em = orm.em.fork();
      const library = await em.findOneOrFail(Library, { schemaName: 'a' });
      library.name = `name ${n}`;
      const asked = Array.from({ length: 10 }, async (_, index) => {
        for (let waited = 0; waited < index; waited += 1) {
          await setImmediate();
        }
        await visit('a.example.com');
      });
      await em.flush();
      expect((await visit('a.example.com')).tenant, String(n)).to.include({ name: `name ${n}` });
      await Promise.all(asked);
      expect((await visit('a.example.com')).tenant, String(n)).to.include({ name: `name ${n}` });
    }
  });

  it('H10 looks a host up in the transaction that the request is made in, and keeps nothing of it', async () => {
    await open();
    await rollBackAfter(orm.em.fork(), async em => {
      (await em.findOneOrFail(Library, { schemaName: 'c' })).domainUrl = 'moved.example.com';
      await em.flush();
      expect((await visit('moved.example.com')).served).to.equal('c');
    });

    expect((await visit('moved.example.com')).served).to.equal('HOST_UNKNOWN');
    expect((await visit('c.example.com')).served).to.equal('c');
  });

  // of a native update it is not known whom it has changed
  for (const way of ['a flush', 'a native update'] as const) {
    it(`H10 does not keep what was read before ${way} changed it`, async () => {
      await open({ listen: false });
      const [read, mayGoOn] = [new Gate(), new Gate()];
      beforeIdentify(async () => {
        read.open();
        await mayGoOn.pass();
      });
      const asked = visit('a.example.com');
      await read.pass();

      const em = orm.em.fork();

      if (way === 'a flush') {
        (await em.findOneOrFail(Library, { schemaName: 'a' })).name = way;
        await em.flush();
      } else {
        await em.nativeUpdate(Library, { schemaName: 'a' }, { name: way });
      }

      mayGoOn.open();
      await asked;
      expect((await visit('a.example.com')).tenant).to.include({ name: way });
    });
  }

  it('H10 takes a tenant that is deleted while it is looked up for one that is not there', async () => {
    await open();
    beforeIdentify(() => database.query(`delete from library where schema_name = 'e'`));

    expect((await visit('e.example.com')).served).to.equal('HOST_UNKNOWN');
    expect((await visit('a.example.com')).served).to.equal('a');
  });

  /** Has the next look-up wait between its two statements: the tenants' rows, and which tenants they are. */
  function beforeIdentify(wait: () => Promise<unknown>): void {
    const { tenants } = orm.config.getExtension<{ tenants: { identify(rows: unknown): unknown } }>('@landlord/mikro-orm/database')!;
    const identify = tenants.identify.bind(tenants);
    tenants.identify = async rows => {
      tenants.identify = identify;
      await wait();

      return identify(rows);
    };
  }

  async function open(directory: TenantsOptions<Library>['directory'] = {}): Promise<void> {
    orm = await openLibrary(database, { directory });
    visit = visitorOf(orm);
    database.statements.length = 0;
  }

  // without the question which tenants were found, which follows each of them
  function lookups(): string[] {
    return database.statements.filter(statement => statement.includes('from "public"."library"') && !statement.includes('pg_namespace'));
  }
});

function heap(): number {
  collectGarbage();

  return process.memoryUsage().heapUsed;
}

setFlagsFromString('--expose-gc');

// what is not collected yet is not held
const collectGarbage = runInNewContext('gc') as () => void;

const NAMES = ['a', 'b', 'c', 'd', 'e'];

const FLOOD = 60_000;
