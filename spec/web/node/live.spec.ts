import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { currentSchema, onTenantEnd, runInPublic, runInTenant, TenantStateMixin, tenants, whileServed } from '@landlord/mikro-orm';
import { tenantUpgrade } from '@landlord/mikro-orm/node';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { failureOf } from '../../support/assertions/failure.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { CreateNote, Note, openNoteOrm } from '../../support/orm/note-orm.ts';
import { openOrm, type SpecOrm } from '../../support/orm/open-orm.ts';

class Firm extends TenantStateMixin {}
defineEntity({ class: Firm, extends: TenantStateMixin as never, properties: {} });

onDatabases('what is open for a tenant', database => {
  let orm: SpecOrm;
  let server: Server;

  before(async () => {
    orm = await openNoteOrm(database, Firm);
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on('connection', socket => {
      socket.on('message', () => void orm.em.count(Note, {}).then(count => socket.send(String(count))));
    });
    server = createServer().on('upgrade', tenantUpgrade(sockets));
    await once(server.listen(0), 'listening');
    database.atEnd(() => server.close());
  });

  beforeEach(async () => {
    for (const name of ['acme', 'bob', 'carl', 'dora']) {
      await tenants<Firm>(orm).create({ schemaName: name, domainUrl: `${name}.example.com` });
    }
  });

  afterEach(async () => {
    for (const { schemaName } of await tenants(orm).list()) {
      await tenants(orm).drop(schemaName);
    }
  });

  it('J6 a socket is closed within a second when its tenant is suspended, deleted or renamed, and no other is', async () => {
    const [acme, bob, carl, dora] = await Promise.all(['acme', 'bob', 'carl', 'dora'].map(connect));
    const changes = [() => setState('acme', 'suspended'), () => tenants(orm).drop('bob'), () => tenants(orm).rename('carl', 'moved')];

    for (const [index, change] of changes.entries()) {
      const closed = once([acme, bob, carl][index]!, 'close');
      await change();
      // a timer of this process, which is as late as the rest of it where the machine is busy
      expect(await Promise.race([closed, setTimeout(2_000, 'open')])).to.deep.include(1008);
    }

    dora!.send('count');
    expect(String((await once(dora!, 'message'))[0])).to.equal('0');
    dora!.close();
    await once(dora!, 'close');
  });

  it('J6 is told of what another process writes, of which nobody is told here, once it looks', async () => {
    const ends: string[] = [];
    await runInTenant('acme', () => onTenantEnd(end => ends.push(end)));
    await runInTenant('bob', () => onTenantEnd(end => ends.push(`bob ${end}`)));
    await database.query(`update firm set state = 'maintenance' where schema_name = 'acme'`);
    // as the trigger or the time to live of the directory would
    (orm.config.getExtension('@landlord/mikro-orm/database') as { changes: { publish(...names: string[]): void } }).changes.publish('acme');
    await until('it is told', () => ends.length > 0);

    expect(ends).to.deep.equal(['maintenance']);
  });

  it('J6 one that ends by itself is not watched any more, and one that was let in during a maintenance stays', async () => {
    const ends: string[] = [];
    const stop = await runInTenant('acme', () => onTenantEnd(end => ends.push(end)));
    stop();
    await setState('bob', 'maintenance');
    await runInTenant('bob', () => onTenantEnd(end => ends.push(`bob ${end}`)));
    await setState('acme', 'suspended');
    await tenants(orm).rename('dora', 'other');
    await setState('bob', 'suspended');
    await until('it is told', () => ends.length > 0);

    expect(ends).to.deep.equal(['bob suspended']);
    await refusal(() => onTenantEnd(() => undefined), 'TENANT_CONTEXT_REQUIRED');
    await refusal(() => runInPublic(() => whileServed((async function* () {})())), 'TENANT_CONTEXT_REQUIRED');
  });

  it('J6 is told within a second where nobody tells this process, and not while the tenant cannot be looked up', async () => {
    const deaf = await openOrm(
      database,
      { tenant: Firm, migrations: { migrationsList: [CreateNote] }, directory: { listen: false, ttlMs: 1 } },
      { entities: [Firm, Note] },
    );
    const ends: string[] = [];
    await runInTenant('acme', () => onTenantEnd(end => ends.push(end)), { orm: deaf });

    await database.query('alter table firm rename to away');
    database.statements.length = 0;
    const { changes } = deaf.config.getExtension<{ changes: { publish(...names: string[]): void } }>('@landlord/mikro-orm/database')!;
    await until('it is looked up in vain', () => {
      changes.publish('acme');

      return database.statements.length > 1;
    });
    await database.query('alter table away rename to firm');
    await database.query(`update firm set state = 'suspended' where schema_name = 'acme'`);
    await until('it is told', () => ends.length > 0);
    await deaf.close();

    expect(ends).to.deep.equal(['suspended']);
  });

  it('S12 J6 ends for a tenant whose name another one has by now', async () => {
    const ends: string[] = [];
    await runInTenant('acme', () => onTenantEnd(end => ends.push(`acme ${end}`)));
    await runInTenant('carl', () => onTenantEnd(end => ends.push(`carl ${end}`)));

    await orm.em.fork().transactional(async em => {
      const [acme, bob] = [await em.findOneOrFail(Firm, { schemaName: 'acme' }), await em.findOneOrFail(Firm, { schemaName: 'bob' })];
      acme.schemaName = 'former';
      await em.flush();
      bob.schemaName = 'acme';
    });
    await until('it is told', () => ends.length > 0);

    expect(ends).to.deep.equal(['acme changed']);
  });

  it('J6 is told in the async context that it was asked for in, and in no scope, whoever makes the change', async () => {
    const storage = new AsyncLocalStorage<string>();
    const told: unknown[] = [];
    const tell = (end: string): unknown => told.push([end, storage.getStore(), currentSchema(), orm.em.getTransactionContext()]);
    await storage.run('the socket', () => runInTenant('acme', () => onTenantEnd(tell)));
    await storage.run('another', () => runInTenant('bob', () => onTenantEnd(tell)));
    // of which nobody is told, so that it is seen by the change of another tenant
    await database.query(`update firm set state = 'suspended' where schema_name = 'bob'`);

    await storage.run('a request', () =>
      runInTenant('acme', em => em.nativeUpdate(Firm, { schemaName: 'acme' }, { state: 'maintenance' })),
    );
    await until('both are told', () => told.length === 2);

    expect(told).to.have.deep.members([
      ['maintenance', 'the socket', undefined, undefined],
      ['suspended', 'another', undefined, undefined],
    ]);
  });

  it('J3 J6 tells the others too where one that is told fails, and writes to the logger why', async () => {
    const ends: string[] = [];
    const logged: string[] = [];
    const logger = orm.config.getLogger();
    const error = logger.error.bind(logger);
    logger.error = (_, message) => void logged.push(message);

    try {
      await runInTenant('acme', () => {
        onTenantEnd(() => {
          throw new Error('at once');
        });
        onTenantEnd(async () => Promise.reject(new Error('later')));
        onTenantEnd(end => void ends.push(end));
      });
      await setState('acme', 'suspended');
      await until('all are told', () => ends.length === 1 && logged.length === 2);
    } finally {
      logger.error = error;
    }

    expect(ends).to.deep.equal(['suspended']);
    expect(logged).to.have.members(['at once', 'later']);
  });

  it('J6 a source that is not read any more is told to stop at once, before its first item and while it waits for the next', async () => {
    for (const isBegun of [false, true]) {
      const asked: unknown[] = [];
      const source: AsyncIterableIterator<string> = {
        next: () => new Promise(() => asked.push('next')),
        return: async () => {
          asked.push(currentSchema());

          return { value: undefined, done: true };
        },
        [Symbol.asyncIterator]: () => source,
      };
      const { items } = await runInTenant('acme', () => ({ items: whileServed(source) }));
      const waiting = isBegun ? items.next() : undefined;

      expect(await items.return(undefined)).to.deep.equal({ value: undefined, done: true });
      expect(await waiting).to.deep.equal(isBegun ? { value: undefined, done: true } : undefined);
      expect(await items.next()).to.deep.equal({ value: undefined, done: true });
      expect(await failureOf(items.throw(new Error('of the reader')))).to.include({ message: 'of the reader' });
      expect(asked, String(isBegun)).to.deep.equal(isBegun ? ['next', 'acme'] : ['acme']);
    }
  });

  it('J6 a source keeps nothing of the items that were read, and its failure is the reader’s', async () => {
    const read: WeakRef<object>[] = [];
    const items = await runInTenant('acme', () => ({
      items: whileServed(
        (async function* () {
          for (;;) {
            yield { n: read.length };

            if (read.length === 3) {
              throw new Error('of the source');
            }
          }
        })(),
      ),
    }));
    const readOne = async (): Promise<void> => void read.push(new WeakRef((await items.items.next()).value as object));
    await readOne();
    await readOne();
    await readOne();
    await until('they are collected', () => {
      collectGarbage();

      return read.slice(0, 2).every(each => each.deref() === undefined);
    });

    expect(await failureOf(items.items.next())).to.include({ message: 'of the source' });
    expect(await items.items.next()).to.deep.equal({ value: undefined, done: true });
  });

  it('J6 S5 a source is read in the scope of its tenant, wherever it is read, and ends with the tenant', async () => {
    let push: (text: string) => void = () => undefined;
    let hasStopped = false;
    const asked: unknown[] = [];
    const source: AsyncIterableIterator<string> = {
      next: () => {
        asked.push(orm.em.schema);

        return new Promise(resolve => (push = value => resolve({ value, done: false })));
      },
      return: async () => {
        hasStopped = true;

        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]: () => source,
    };
    const items = await runInTenant('acme', () => ({ items: whileServed(source) }));
    const seen: string[] = [];
    const reading = runInTenant('bob', async () => {
      for await (const text of items.items) {
        seen.push(text);
      }
    });
    await until('it waits', () => asked.length === 1);
    push('first');
    await until('it waits again', () => asked.length === 2);
    await setState('acme', 'suspended');
    await reading;

    expect([seen, asked]).to.deep.equal([['first'], ['acme', 'acme']]);
    expect(hasStopped).to.equal(true);
  });

  async function connect(name: string): Promise<WebSocket> {
    const { port } = server.address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { host: `${name}.example.com` } });
    await once(socket, 'open');

    return socket;
  }

  async function setState(schemaName: string, state: Firm['state']): Promise<void> {
    const em = orm.em.fork();
    (await em.findOneOrFail(Firm, { schemaName })).state = state;
    await em.flush();
  }
});

setFlagsFromString('--expose-gc');

const collectGarbage = runInNewContext('gc') as () => void;
