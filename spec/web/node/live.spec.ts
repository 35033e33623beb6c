import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { onTenantEnd, runInPublic, runInTenant, TenantStateMixin, tenants, whileServed } from '@landlord/mikro-orm';
import { tenantUpgrade } from '@landlord/mikro-orm/node';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { refusal } from '../../support/assertions/refusal.ts';
import { until } from '../../support/assertions/until.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { Note, openNoteOrm } from '../../support/orm/note-orm.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';

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
