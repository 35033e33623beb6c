import { runInTenant, tenants, type TenantEntityManager, type TenantNodeUnavailableError } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Tag } from '../../../fixtures/entities/index.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { until } from '../../support/assertions/until.ts';
import {
  citusRemedy,
  createCitusDatabase,
  createOrdinaryUser,
  dropOrdinaryUser,
  type CitusDatabase,
} from '../../support/databases/citus.ts';
import { describeMissing } from '../../support/databases/database.ts';
import { proxyTo, type BreakableProxy } from '../../support/faults/breakable-proxy.ts';
import type { OpenedOn } from '../../support/orm/open-orm.ts';
import { openTenantSet, sqlMigration, type TenantSet } from '../../support/orm/tenant-set.ts';

const TITLE = 'the nodes of Citus';
const remedy = citusRemedy();

if (remedy !== undefined) {
  describeMissing(TITLE, remedy, { isOptional: true });
} else {
  describe(TITLE, () => {
    const name = `landlord_spec_nodes_${process.pid}`;
    const proxies = new Map<number, BreakableProxy>();
    const opened: (() => unknown)[] = [];
    let cluster: CitusDatabase;
    let set: TenantSet;
    let observer: pg.Client;

    const userUrl = (): string => Object.assign(new URL(cluster.url), { username: name, password: name }).href;
    const database: OpenedOn = {
      options: () => ({ driver: PostgreSqlDriver, clientUrl: userUrl(), driverOptions: { statement_timeout: 2_000 } }),
      atEnd: close => opened.push(close),
    };
    const nodeOf = async (tenant: string): Promise<string> => (await tenants(set.orm).placement({ only: [tenant] }))[0]?.node ?? '';
    const proxyOf = async (tenant: string): Promise<BreakableProxy> =>
      proxies.get(Number((await nodeOf(tenant)).split(':')[1])) as BreakableProxy;
    const read = (tenant: string): Promise<unknown> => runInTenant(tenant, em => em.find(Tag, {}));
    const sessions = async (): Promise<string[]> => {
      const { rows } = await observer.query(
        `select pid::text from pg_stat_activity where usename = $1 and application_name not like 'citus%'`,
        [name],
      );

      return rows.map(({ pid }) => pid);
    };

    before(async () => {
      cluster = await createCitusDatabase(name, async url => {
        const proxy = await proxyTo(url);
        const port = Number(new URL(proxy.url).port);
        proxies.set(port, proxy);

        return port;
      });
      observer = new pg.Client({ connectionString: cluster.url });
      await observer.connect();
      await createOrdinaryUser(cluster.url, name);
      set = await openTenantSet(database, { pool: { min: 0, max: 4 } });
      await set.create('acme', 'bob', 'carl', 'dora');
    });

    after(async () => {
      for (const close of opened.toReversed()) {
        await close();
      }

      await observer.end();
      await dropOrdinaryUser(cluster.url, name);
      await cluster.drop();
      await Promise.all([...proxies.values()].map(proxy => proxy.close()));
    });

    it('X1 each tenant is on one node, and the nodes have as many as each other', async () => {
      const places = await tenants(set.orm).placement();
      const counts = [...proxies.keys()].map(port => places.filter(({ node }) => node.endsWith(`:${port}`)).length);

      expect(places.every(({ isSharded }) => isSharded)).to.equal(true);
      expect(counts).to.deep.equal([2, 2]);
      expect((await set.tenants.status()).tenants.map(({ node }) => node)).to.deep.equal(places.map(({ node }) => node));
    });

    it('X3 a tenant that is moved under load loses no request and no write, and a run sees it as busy', async () => {
      const from = await nodeOf('acme');
      const to = (await tenants(set.orm).placement()).find(({ node }) => node !== from)?.node ?? '';
      let isMoving = true;
      let written = 0;
      const errors: unknown[] = [];
      const load = async (writer: number): Promise<void> => {
        for (let n = 0; isMoving; n += 1) {
          try {
            await runInTenant('acme', async (em: TenantEntityManager) => {
              await em.persistAndFlush(em.create(Tag, { name: `w${writer}-${n}` }));
              await em.count(Tag);
            });
            written += 1;
          } catch (error) {
            errors.push(error);
          }
        }
      };
      const loads = [load(0), load(1)];
      const moved = await tenants(set.orm).move('acme', to);
      await sleep(50);
      isMoving = false;
      await Promise.all(loads);

      expect(errors).to.deep.equal([]);
      expect(await runInTenant('acme', em => em.count(Tag))).to.equal(written);
      expect(moved).to.include({ schemaName: 'acme', from, to });
      expect(await nodeOf('acme')).to.equal(to);
    });

    it('X2 a node that is away concerns its tenants alone, and the connections are kept', async () => {
      await Promise.all(['acme', 'bob', 'carl', 'dora'].map(read));
      const before = await sessions();
      const proxy = await proxyOf('bob');
      const away = await nodeOf('bob');
      const others = (await tenants(set.orm).placement()).filter(({ node }) => node !== away).map(({ schemaName }) => schemaName);
      await proxy.cut();

      for (let n = 0; n < 20; n += 1) {
        const error = (await refusal(read('bob'), 'TENANT_NODE_UNAVAILABLE')) as TenantNodeUnavailableError;
        expect(error.status).to.equal(503);
        expect(error.headers).to.have.property('Retry-After');
      }

      for (const other of others) {
        await read(other);
      }

      expect((await sessions()).filter(pid => !before.includes(pid))).to.deep.equal([]);
      const { tenants: statuses } = await set.tenants.status();
      expect(statuses.filter(({ error }) => error?.code === 'TENANT_NODE_UNAVAILABLE').map(({ node }) => node)).to.deep.equal(
        statuses.filter(({ node }) => node === away).map(({ node }) => node),
      );
      expect(
        statuses.filter(({ node }) => node !== away).every(({ error, executed }) => error === undefined && executed.length === 1),
      ).to.equal(true);
    });

    it('X2 a run and a creation are refused before they begin while a node is away', async () => {
      set.use(sqlMigration('M2', 'alter table "tag" add column "colour" text'));
      await refusal(set.tenants.migrate(), 'TENANT_NODE_UNAVAILABLE');
      await refusal(set.create('emil'), 'TENANT_NODE_UNAVAILABLE');
      expect((await tenants(set.orm).list()).map(({ schemaName }) => schemaName)).to.not.include('emil');
    });

    it('X2 when the node is back, its tenants are served and migrated by the same connections', async () => {
      const proxy = await proxyOf('bob');
      await proxy.mend();
      await until('the node answers', () =>
        read('bob').then(
          () => true,
          () => false,
        ),
      );
      const { migrated, failed } = await set.tenants.migrate();

      expect(failed).to.deep.equal([]);
      expect(migrated).to.have.length(4);
    });
  });
}
