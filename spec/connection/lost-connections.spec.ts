import { currentTenant, forEachTenant, runInTenant, schemaRouter, tenantContext, tenants } from '@landlord/mikro-orm';
import { expect } from 'chai';
import Koa from 'koa';
import { Author, Book, Library, Tag } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import { POOL_OF_ONE } from '../support/databases/idle-connections.ts';
import { newLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { expectSound } from '../support/databases/sound-pool.ts';
import { openTcpProxy, type MessageFate, type TcpProxy } from '../support/faults/tcp-proxy.ts';
import { openTwins } from '../support/orm/twins.ts';
import { serve, type WebServer } from '../support/web/web-server.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

/** One piece of work. `n` is a new number each time, to identify the written rows. */
interface Operation {
  prepare?(orm: LibraryOrm, n: number, web: WebServer): Promise<unknown>;
  /** Rejects if any part of it fails. */
  run(orm: LibraryOrm, n: number, web: WebServer): Promise<unknown>;
  /** SQL that counts its results. The count must be one of `whole`: the state before, or the state after. */
  readonly written?: string;
  readonly whole?: readonly [before: unknown, after: unknown];
}

const TAG = `select count(*)::int as found from acme.tag where id = $1`;

/** The row, schema, tables and history of the library `t<n>`, and of the one it may have been renamed to. */
const LIBRARY = `select (select array_agg(schema_name order by 1) from public.library where schema_name in ('t' || $1::text, 'r' || $1::text)) as rows,
  (select array_agg(nspname::text order by 1) from pg_namespace where nspname in ('t' || $1::text, 'r' || $1::text)) as schemas,
  (select count(*)::int from pg_tables where schemaname in ('t' || $1::text, 'r' || $1::text)) as tables`;

const NO_LIBRARY = { rows: null, schemas: null, tables: 0 };

/** Found by its key, which is one message. What the directory asks is asked again on another connection, and has specs of its own. */
let acme: Library;

const inAcme =
  (work: (orm: LibraryOrm, n: number) => Promise<unknown>): Operation['run'] =>
  (orm, n) =>
    runInTenant(acme, async () => {
      try {
        await work(orm, n);
      } catch (error) {
        expect(currentTenant()?.schemaName).to.equal('acme');
        // the scope goes on
        expect((await orm.em.fork().findOneOrFail(Book, 1)).title).to.equal('acme book 1');
        throw error;
      }
    });

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'a find with relations': { run: inAcme(orm => orm.em.find(Book, {}, { populate: ['tags', 'author'] })) },
  'a stream': {
    run: inAcme(async orm => {
      for await (const { name } of orm.em.stream(Tag, { chunkSize: 1, orderBy: { id: 'asc' } })) {
        expect(name).to.contain('acme');
      }
    }),
  },
  'a stream in a transaction': {
    run: inAcme(orm =>
      orm.em.transactional(async em => {
        for await (const { name } of em.stream(Tag, { chunkSize: 1, orderBy: { id: 'asc' } })) {
          expect(name).to.contain('acme');
        }
      }),
    ),
  },
  'a flush': {
    run: inAcme((orm, n) =>
      orm.em.persistAndFlush([orm.em.create(Tag, { id: n, name: `tag ${n}` }), orm.em.create(Author, { id: n, name: `a${n}` })]),
    ),
    written: `select (select count(*)::int from acme.tag where id = $1::int) + (select count(*)::int from acme.author where name = 'a' || $1::text) as found`,
    whole: [{ found: 0 }, { found: 2 }],
  },
  'a raw statement': {
    run: inAcme((orm, n) => orm.em.execute(`insert into tag (id, name) values (?, ?)`, [n, `tag ${n}`])),
    written: TAG,
    whole: [{ found: 0 }, { found: 1 }],
  },
  '`transactional` with savepoints and raw SQL': {
    run: inAcme((orm, n) =>
      orm.em.transactional(async em => {
        await em.insert(Tag, { id: n, name: `tag ${n}` });
        await em.transactional(async inner => {
          await inner.execute(`update tag set name = name || ' inner' where id = ?`, [n]);
        });
        await rollBackAfter(em, () => undefined);
      }),
    ),
    written: `select count(*)::int as found from acme.tag where id = $1 and name like '% inner'`,
    whole: [{ found: 0 }, { found: 1 }],
  },
  '`begin` and `commit`': {
    run: inAcme(async (orm, n) => {
      const em = orm.em.fork();
      await em.begin();
      await em.insert(Tag, { id: n, name: `tag ${n}` }).catch(async (error: unknown) => {
        await em.rollback().catch(() => undefined);
        throw error;
      });
      await em.commit();
    }),
    written: TAG,
    whole: [{ found: 0 }, { found: 1 }],
  },
  "a transaction of Kysely's": {
    run: inAcme((orm, n) =>
      orm.em
        .getKysely<{ tag: { id: number; name: string } }>()
        .transaction()
        .execute(trx =>
          trx
            .insertInto('tag')
            .values({ id: n, name: `tag ${n}` })
            .execute(),
        ),
    ),
    written: TAG,
    whole: [{ found: 0 }, { found: 1 }],
  },
  'creating a tenant': {
    run: (orm, n) => orm.em.fork().persistAndFlush(newLibrary(`t${n}`)),
    written: LIBRARY,
    whole: [NO_LIBRARY, { rows: 't', schemas: 't', tables: 7 }],
  },
  'renaming a tenant': {
    prepare: (orm, n) => orm.em.fork().persistAndFlush(newLibrary(`t${n}`)),
    run: (orm, n) => tenants(orm).rename(`t${n}`, `r${n}`),
    written: LIBRARY,
    whole: [
      { rows: 't', schemas: 't', tables: 7 },
      { rows: 'r', schemas: 'r', tables: 7 },
    ],
  },
  'dropping a tenant': {
    prepare: (orm, n) => orm.em.fork().persistAndFlush(newLibrary(`t${n}`)),
    run: (orm, n) => tenants(orm).drop(`t${n}`),
    written: LIBRARY,
    whole: [{ rows: 't', schemas: 't', tables: 7 }, NO_LIBRARY],
  },
  '`forEachTenant`': {
    run: async (_, n) => {
      const outcomes = await forEachTenant(em => em.insert(Tag, { id: n, name: `tag ${n}` }), {
        where: { schemaName: ['acme', 'bob'] },
        settle: true,
      });
      const failed = outcomes.filter(outcome => !outcome.ok);

      if (failed.length > 0) {
        // a lost connection must not affect the other one
        expect(failed).to.have.length(1);
        throw failed[0]?.error;
      }
    },
  },
  'a request': {
    // so that the insert is all that is sent
    prepare: (_orm, _n, web) => web.get('acme.example.com', '/known'),
    run: async (_, n, web) => {
      const { status } = await web.get('acme.example.com', `/${n}`);

      if (status !== 200) {
        expect(status).to.equal(500);
        throw new Error('answered with 500');
      }
    },
    written: TAG,
    whole: [{ found: 0 }, { found: 1 }],
  },
};

/** The messages of PostgreSQL and `pg` for a lost connection, and the answer to a request, which does not show them. */
const OF_CONNECTION = /terminat|not queryable|answered with 500/i;

onDatabases(
  'a connection that is lost, on a pool of one',
  database => {
    let orm: LibraryOrm;
    let proxy: TcpProxy;
    let web: WebServer;
    let n = 1_000;

    const kill = (): Promise<unknown> =>
      database.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      );
    const faults: Readonly<Record<string, () => MessageFate | Promise<MessageFate>>> = {
      'is killed by the server': () => kill().then(() => 'pass'),
      'is cut': () => 'cut before',
      'is cut when the server has done as it was told': () => 'cut after',
    };

    before(async () => {
      proxy = await openTcpProxy(database.url ?? '');
      database.atEnd(() => proxy.close());
      // the connection that listens has messages of its own, and specs of its own
      orm = await openTwins(database, { ...POOL_OF_ONE, clientUrl: proxy.url }, { directory: { listen: false } });
      acme = await orm.em.fork().findOneOrFail(Library, { schemaName: 'acme' });
      const app = new Koa();
      const insert = async (ctx: Koa.Context): Promise<void> => {
        if (ctx.path === '/known') {
          return;
        }

        const id = Number(ctx.path.slice(1));
        await orm.em.insert(Tag, { id, name: `tag ${id}` });
        ctx.body = 'done';
      };
      app.use(tenantContext()).use(schemaRouter({ public: insert, tenant: insert }));
      web = await serve(app, database);
    });

    afterEach(() => {
      proxy.decide = undefined;
    });

    for (const [name, operation] of Object.entries(OPERATIONS)) {
      for (const [fault, meet] of Object.entries(faults)) {
        it(`N3, N4 ${name} whose connection ${fault}, at whichever message, fails, is done whole or not at all, and takes nothing along`, async () => {
          const { failures, messages } = await meetAtEachMessage(operation, meet);

          // at each one of them, and at nothing else
          expect(failures).to.have.length(messages);
          expect(failures.filter(error => !(error instanceof Error && OF_CONNECTION.test(error.message)))).to.deep.equal([]);
        });
      }
    }

    /** Runs the operation again and again, with the fault at its first message, its second, until there are no more. */
    async function meetAtEachMessage(
      operation: Operation,
      meet: () => MessageFate | Promise<MessageFate>,
    ): Promise<{ readonly failures: unknown[]; readonly messages: number }> {
      const failures: unknown[] = [];

      for (let at = 1; ; at++) {
        n += 1;
        await operation.prepare?.(orm, n, web);
        let seen = 0;
        proxy.decide = () => (++seen === at ? meet() : 'pass');
        let isDone = false;
        await operation.run(orm, n, web).then(
          () => (isDone = true),
          (error: unknown) => failures.push(error),
        );
        proxy.decide = undefined;
        await expectWhole(operation, isDone);
        await expectSound(orm, database);

        if (seen < at) {
          return { failures, messages: at - 1 };
        }
      }
    }

    async function expectWhole({ written, whole }: Operation, isDone: boolean): Promise<void> {
      if (written === undefined || whole === undefined) {
        return;
      }

      const [row] = await database.query(written, [n]);
      const found = JSON.parse(JSON.stringify(row).replaceAll(`["t${n}"]`, '"t"').replaceAll(`["r${n}"]`, '"r"'));
      // also where the answer was lost it is one of the two
      expect(isDone ? [whole[1]] : whole).to.deep.include(found);
    }
  },
  ['postgresql'],
);
