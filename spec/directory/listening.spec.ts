import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { runInTenant, tenantContext, tenants, type TenantsOptions } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { createDatabase, onDatabases } from '../support/databases/database.ts';
import { initLibrary, newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { proxyTo, type BreakableProxy } from '../support/faults/breakable-proxy.ts';
import { openRefusingProxy } from '../support/faults/refusing-proxy.ts';
import { until } from '../support/assertions/until.ts';
import { visitorOf, type Visit } from '../support/web/visitor.ts';

onDatabases(
  'the connection that listens for changes',
  database => {
    let orm: LibraryOrm;
    let visit: (host: string) => Promise<Visit>;
    const logged: string[] = [];

    before(async () => {
      await open();
      await orm.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await orm.close();
    });

    beforeEach(() => {
      logged.length = 0;
    });

    afterEach(() => orm.close());

    it('N4 is opened by the first request or scope of a name and by nothing else, once for an ORM, and is gone when the ORM is closed', async () => {
      await open();
      await tenants(orm).list();
      tenantContext({ orm });
      expect(await listeners()).to.have.length(0);

      await runInTenant('acme', em => em.execute('select 1'), { orm });
      await listening();
      expect(await listeners()).to.have.length(1);

      await Promise.all(['acme', 'bob', 'nobody'].map(host => visit(`${host}.example.com`)));
      await visitorOf(orm)('acme.example.com');
      await listening();
      expect(await listeners()).to.have.length(1);

      await orm.close();
      await until('it is gone', async () => (await listeners()).length === 0);
    });

    it('N4 is gone too when the ORM is closed while it is being opened, or cannot be', async () => {
      const proxy = await proxyTo(database.url ?? '');

      try {
        for (const fault of [async () => undefined, async () => proxy.freeze(), () => proxy.cut()]) {
          await open({ listen: { url: proxy.url } });
          await fault();
          await visit('acme.example.com');
          await orm.close();
          await until('it is gone', async () => (await listeners()).length === 0);
          await proxy.mend();
        }
      } finally {
        await proxy.close();
      }
    });

    it('H10 costs no statement of the ORM’s, and none of a known host while it listens', async () => {
      await open();
      await visit('acme.example.com');
      await listening();
      // what was asked for before it listened is asked for once more
      database.statements.length = 0;
      await database.query(`select pg_notify('landlord:public.library', '*')`);
      await until('it is', async () => (await visit('acme.example.com')).served === 'acme' && countLookups() > 0);
      database.statements.length = 0;

      await visitFor(1_200);

      expect(database.statements).to.deep.equal([]);
    });

    it('H10 is opened again when it is killed, again and again under load, and no change is missed', async () => {
      await open();
      await visit('acme.example.com');
      let [host, isDone] = ['acme.example.com', false];
      let changedAt = 0;
      let former = '';
      const wrong: string[] = [];
      const load = (async () => {
        while (!isDone) {
          const begun = performance.now();

          // a host of long ago is nobody's
          if (former !== '' && changedAt < begun - 1_000 && (await visit(former)).served !== 'HOST_UNKNOWN') {
            wrong.push(former);
          }

          await Promise.all([visit(host), visit('bob.example.com'), setImmediate()]);
        }
      })();

      for (let n = 0; n < 6; n += 1) {
        await listening();
        await visit(host);
        const killed = database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'landlord directory'`,
        );
        const next = `acme-${n}.example.com`;
        // by SQL, so that nobody but the database tells of it
        await Promise.all([killed, database.query(`update library set domain_url = '${next}' where schema_name = 'acme'`)]);
        await database.query(`select pg_notify('landlord:public.library', 'acme')`);
        [former, host, changedAt] = [host, next, performance.now()];
        const before = former;
        await until(`${before} is nobody's`, async () => (await visit(before)).served === 'HOST_UNKNOWN');
        await until(`${next} is acme's`, async () => (await visit(next)).served === 'acme');
      }

      isDone = true;
      await load;
      await database.query(`update library set domain_url = 'acme.example.com' where schema_name = 'acme'`);
      expect(wrong).to.deep.equal([]);
    });

    it('H10 is opened again if the server refuses whichever of its messages, and no change is missed', async () => {
      const proxy = await openRefusingProxy(database.url ?? '');
      let host = 'acme.example.com';

      try {
        for (let at = 1; at <= 4; at += 1) {
          await open({ listen: { url: proxy.url }, ttlMs: 600_000 });
          let seen = 0;
          proxy.decide = () => ((seen += 1) === at ? { place: 0, sqlState: '57014' } : undefined);
          await visit(host);
          await until('it was refused', () => seen >= at);
          await listening();
          await visit(host);
          const [former, next] = [host, `acme-refused-${at}.example.com`];
          await database.query(`update library set domain_url = '${next}' where schema_name = 'acme'`);
          await database.query(`select pg_notify('landlord:public.library', 'acme')`);
          host = next;
          await until(`${former} is nobody's`, async () => (await visit(former)).served === 'HOST_UNKNOWN');
          expect((await visit(next)).served).to.equal('acme');
          await orm.close();
        }
      } finally {
        await database.query(`update library set domain_url = 'acme.example.com' where schema_name = 'acme'`);
        await orm.close();
        await proxy.close();
      }
    });

    it('H10 is not taken for one that hears nothing where it is lost while it is tried out', async () => {
      const proxy = await proxyTo(database.url ?? '');

      try {
        for (const fault of [() => proxy.cut(), async () => proxy.freeze()]) {
          await open({ listen: { url: proxy.url }, ttlMs: 600_000 }, { pool: { min: 0, max: 1 } });
          await visit('acme.example.com');
          const em = orm.em.fork();
          // the question whether it hears has to wait for the only connection
          await em.begin();
          await until('it is tried out', async () => (await listening()) === 'listen "landlord:public.library"');
          await fault();
          await em.rollback();
          // longer than a notice is waited for, and an answer
          await until('it is given up', () => logged.some(line => line.includes('cannot listen')));
          expect(logged.join()).to.not.include('receives no notifications');
          await proxy.mend();

          await visit('acme.example.com');
          await database.query(`update library set name = 'seen ' || clock_timestamp() where schema_name = 'acme' returning name`);
          const [row] = await database.query<{ name: string }>(`select name from library where schema_name = 'acme'`);
          await until('it is seen', async () => (await visit('acme.example.com')).tenant?.['name' as never] === row?.name);
          await orm.close();
          logged.length = 0;
        }
      } finally {
        await orm.close();
        await proxy.close();
      }

      async function listening(): Promise<unknown> {
        const [row] = await database.query(
          `select query from pg_stat_activity where datname = current_database() and application_name = 'landlord directory'`,
        );

        return row?.['query'];
      }
    });

    it('H10 is given up after ten seconds at whichever step the network drops it, which is told, and tried again', async () => {
      const opened: { readonly orm: LibraryOrm; readonly proxy: BreakableProxy }[] = [];

      try {
        for (const drop of [
          (proxy: BreakableProxy) => proxy.freeze(),
          (proxy: BreakableProxy) => proxy.freezeAt('application_name'),
          (proxy: BreakableProxy) => proxy.freezeAt('listen "'),
        ]) {
          const proxy = await proxyTo(database.url ?? '');
          await open({ listen: { url: proxy.url } });
          opened.push({ orm, proxy });
          drop(proxy);
          await visit('acme.example.com');
        }

        await setTimeout(9_000);
        expect(logged).to.deep.equal([]);
        await until('all are told', () => logged.filter(line => line.includes('cannot listen')).length === opened.length);

        await Promise.all(opened.map(({ proxy }) => proxy.mend()));
        await until('all listen', async () => {
          const rows = await listeners();

          return rows.length === opened.length && rows.every(({ query }) => query === 'select 1');
        });
      } finally {
        await Promise.all(opened.map(each => each.orm.close()));
        await Promise.all(opened.map(({ proxy }) => proxy.close()));
      }
    });

    it('H10 is opened as soon as the database is up, where that comes up after the process: nothing is trusted for longer than a second until then', async () => {
      const proxy = await proxyTo(database.url ?? '');

      try {
        await proxy.cut();
        await open({ ttlMs: 600_000 }, { clientUrl: proxy.url }, initLibrary);
        expect((await visit('acme.example.com')).served).to.equal('DIRECTORY_UNAVAILABLE');
        await until('it is told', () => logged.some(line => line.includes('cannot listen')));
        await proxy.mend();
        await until('it is served', async () => (await visit('acme.example.com')).served === 'acme');

        await database.query(`update library set domain_url = 'moved.example.com' where schema_name = 'acme'`);
        await database.query(`select pg_notify('landlord:public.library', 'acme')`);
        await until("the host is nobody's", async () => (await visit('acme.example.com')).served === 'HOST_UNKNOWN');
        await listening();
        expect(logged.join()).to.not.include('receives no notifications');
      } finally {
        await database.query(`update library set domain_url = 'acme.example.com' where schema_name = 'acme'`);
        await orm.close();
        await proxy.close();
      }
    });

    it('H10 runs in the context in which the ORM was started, and keeps nothing of the request that it is opened by', async () => {
      const storage = new AsyncLocalStorage<string>();
      const stores: unknown[] = [];
      const proxy = await proxyTo(database.url ?? '');

      try {
        await proxy.cut();
        await storage.run('the start', () =>
          open({ listen: { url: proxy.url } }, { logger: () => stores.push(storage.getStore()), debug: ['info'] }),
        );
        stores.length = 0;
        await storage.run('the first request', () => visit('acme.example.com'));
        await until('it is told', () => stores.length > 0);

        expect(stores).to.deep.equal(['the start']);
      } finally {
        await orm.close();
        await proxy.close();
      }
    });

    it('H10 is not believed in when the network has cut it without a word: a change is seen within a second', async () => {
      const proxy = await proxyTo(database.url ?? '');

      try {
        await open({ listen: { url: proxy.url } });
        await visit('acme.example.com');
        await listening();
        await visit('acme.example.com');
        proxy.freeze();
        await database.query(`update library set domain_url = 'moved.example.com' where schema_name = 'acme'`);
        await database.query(`select pg_notify('landlord:public.library', 'acme')`);

        await until("the host is nobody's", async () => (await visit('acme.example.com')).served === 'HOST_UNKNOWN');
      } finally {
        await database.query(`update library set domain_url = 'acme.example.com' where schema_name = 'acme'`);
        await orm.close();
        await proxy.close();
      }
    });

    it('H10 says once that it hears nothing, as behind a transaction pooler, and the time to live alone holds', async () => {
      // its notices go astray as a pooler's do
      const astray = await createDatabase('astray');

      try {
        await open({ listen: { url: astray.url }, ttlMs: 4_000, unknownTtlMs: 1_000 });
        await visit('acme.example.com');
        await until('it says so', () => logged.some(line => line.includes('receives no notifications')));
        expect(logged.filter(line => line.includes('receives no notifications'))).to.have.length(1);
        expect(logged.join())
          .to.match(/listen: \{ url \}/)
          .and.to.not.contain('password');

        // asked for the first time now, as its time counts from here
        await visit('bob.example.com');
        database.statements.length = 0;
        await visitFor(1_200, 'bob');
        expect(database.statements).to.deep.equal([]);

        await database.query(`update library set domain_url = 'moved.example.com' where schema_name = 'bob'`);
        expect((await visit('bob.example.com')).served).to.equal('bob');
        await until('its time is over', async () => (await visit('bob.example.com')).served === 'HOST_UNKNOWN');

        // what this process changes it needs not be told
        const em = orm.em.fork();
        (await em.findOneOrFail(Library, { schemaName: 'bob' })).domainUrl = 'bob.example.com';
        await em.flush();
        expect((await visit('bob.example.com')).served).to.equal('bob');
      } finally {
        await orm.close();
        await astray.close();
      }
    });

    it('H10 opens nothing with `listen: false`, and says nothing', async () => {
      await open({ listen: false });
      await visit('acme.example.com');
      database.statements.length = 0;
      await visitFor(1_200);

      expect(database.statements).to.deep.equal([]);
      expect(await listeners()).to.have.length(0);
      expect(logged).to.deep.equal([]);
    });

    it('H10 hears nothing of the tenants of another application in the same database', async () => {
      await open();
      await visit('acme.example.com');
      await listening();
      await visit('acme.example.com');
      database.statements.length = 0;
      await database.query(`select pg_notify('landlord:commons.library', '*'), pg_notify('landlord:public.client', 'acme')`);
      await visitFor(100);
      expect(database.statements).to.deep.equal([]);

      await database.query(`select pg_notify('landlord:public.library', '*')`);
      await until('it asks again', async () => (await visit('acme.example.com')).served === 'acme' && database.statements.length > 0);
    });

    async function open(
      directory: NonNullable<TenantsOptions<Library>['directory']> = {},
      config: object = {},
      openWith: typeof openLibrary = openLibrary,
    ): Promise<void> {
      orm = await openWith(
        {
          ...database,
          options: () => ({
            driver: PostgreSqlDriver,
            clientUrl: database.url,
            debug: ['query'],
            colors: false,
            logger: (message: string) => (message.startsWith('[query]') ? database.statements : logged).push(message),
          }),
        } as never,
        { directory },
        config,
      );
      visit = visitorOf(orm);
    }

    function listeners(): Promise<{ query: string }[]> {
      return database.query<{ query: string }>(
        `select query from pg_stat_activity where datname = current_database() and application_name = 'landlord directory'`,
      );
    }

    function countLookups(): number {
      return database.statements.filter(statement => statement.includes('"domain_url" in (')).length;
    }

    async function visitFor(ms: number, name = 'acme'): Promise<void> {
      for (const end = performance.now() + ms; performance.now() < end;) {
        expect((await visit(`${name}.example.com`)).served).to.equal(name);
        // as between requests, which leave the processor to others
        await setTimeout(5);
      }
    }

    // pings are sent by one that has heard its nonce
    async function listening(): Promise<void> {
      await until('it listens', async () => {
        const [row] = await database.query(
          `select query from pg_stat_activity where datname = current_database() and application_name = 'landlord directory'`,
        );

        return row?.['query'] === 'select 1';
      });
    }
  },
  ['postgresql'],
);

onDatabases(
  'a directory behind a transaction pooler',
  database => {
    const opened: LibraryOrm[] = [];
    const logged: string[] = [];
    let visit: (host: string) => Promise<Visit>;
    /** Of another process, as far as the library can tell. */
    let other: LibraryOrm;

    before(async () => {
      const first = await openLibrary(database);
      await first.em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      await first.close();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map(orm => orm.close()));
      logged.length = 0;
    });

    it('N3 leaves nothing listening on the server’s connection, says once that it hears nothing, and sees what another process changes when `ttlMs` is over', async () => {
      await open({ ttlMs: 1_500, unknownTtlMs: 1_500 });
      expect((await visit('acme.example.com')).served).to.equal('acme');
      await until('it says so', () => logged.some(line => line.includes('receives no notifications')));
      // the lookup before it was known; from now on the time to live counts
      expect((await visit('acme.example.com')).served).to.equal('acme');
      expect((await visit('moved.example.com')).served).to.equal('HOST_UNKNOWN');

      const movedAt = performance.now();
      await move('moved.example.com');
      expect((await visit('acme.example.com')).served).to.equal('acme');
      await until('its time is over', async () => (await visit('acme.example.com')).served === 'HOST_UNKNOWN');
      await until('it is served where it is', async () => (await visit('moved.example.com')).served === 'acme');
      expect(performance.now() - movedAt).to.be.at.least(1_000);

      // the one connection that every transaction gets
      expect(await other.em.fork().execute('select pg_listening_channels()')).to.deep.equal([]);
      expect(await listeners()).to.have.length(0);
      expect(logged.filter(line => line.includes('receives no notifications'))).to.have.length(1);
      await move('acme.example.com');
    });

    it('H10 sees it within a second where it listens on the database itself, and says nothing', async () => {
      await open({ listen: { url: await directUrl() }, ttlMs: 600_000, unknownTtlMs: 600_000 });
      await visit('acme.example.com');
      await until('it listens', async () => (await listeners()).some(query => query === 'select 1'));

      for (const [from, to] of [
        ['acme.example.com', 'moved.example.com'],
        ['moved.example.com', 'acme.example.com'],
      ] as const) {
        expect((await visit(from)).served).to.equal('acme');
        expect((await visit(to)).served).to.equal('HOST_UNKNOWN');
        await move(to);
        await until(`${from} is nobody's`, async () => (await visit(from)).served === 'HOST_UNKNOWN');
        await until(`${to} is acme's`, async () => (await visit(to)).served === 'acme');
      }

      expect(await listeners()).to.have.length(1);
      expect(await other.em.fork().execute('select pg_listening_channels()')).to.deep.equal([]);
      expect(logged).to.deep.equal([]);
    });

    async function open(directory: NonNullable<TenantsOptions<Library>['directory']>): Promise<void> {
      const logger = (message: string): void => {
        logged.push(message);
      };
      const orm = await openLibrary({ ...database, options: () => ({ ...database.options(), debug: [], logger }) }, { directory });
      other = await openLibrary(database);
      opened.push(orm, other);
      visit = visitorOf(orm);
    }

    async function move(domainUrl: string): Promise<void> {
      const em = other.em.fork();
      (await em.findOneOrFail(Library, { schemaName: 'acme' })).domainUrl = domainUrl;
      await em.flush();
    }

    /** Past the pooler. */
    async function directUrl(): Promise<string> {
      const url = new URL(process.env['DATABASE_URL'] ?? '');
      const [row] = await database.query<{ name: string }>('select current_database() as name');
      url.pathname = `/${row?.name ?? ''}`;

      return url.href;
    }

    async function listeners(): Promise<unknown[]> {
      const rows = await database.query(
        `select query from pg_stat_activity where datname = current_database() and (application_name = 'landlord directory' or query ilike 'listen %')`,
      );

      return rows.map(({ query }) => query);
    }
  },
  ['pgbouncer'],
);
