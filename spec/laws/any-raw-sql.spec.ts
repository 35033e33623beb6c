import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import fc from 'fast-check';
import pg from 'pg';
import { Book } from '../../fixtures/entities/index.ts';
import { sqlStateOf } from '../support/assertions/failure.ts';
import { asObserver } from '../support/assertions/statement-watch.ts';
import { onDatabases, onDatabasesAndPooler, SERVER_AND_POOLER } from '../support/databases/database.ts';
import { readSession, type SessionState } from '../support/databases/session-state.ts';
import { checkProperty } from '../support/generators/property.ts';
import { ABOUT_TRANSACTIONS, anySteps, type Work } from '../support/generators/raw-sql.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { rolesOf } from '../support/orm/roles.ts';
import { contentsOf, openTwins } from '../support/orm/twins.ts';

const TITLE = 'select title from book where id = 1';

const ROLE = 'select current_user as role';

onDatabasesAndPooler(
  'whatever raw SQL does, on a pool of one',
  database => {
    const names = rolesOf(database, 'any_raw');
    const role = `${names.shared}_super`;
    let orm: LibraryOrm;
    let neighbours: unknown;
    let titlesRead = 0;

    const sendTo = async (em: TenantEntityManager, { statements, place, scope }: Work): Promise<void> => {
      const whose = scope === 'public' ? 'decoy' : `${scope} book 1`;

      for (const sql of place === 'message' ? [statements.join('; ')] : statements) {
        const rows = await em.execute<{ title?: string; role?: string }[]>(sql).catch(() => []);

        if (sql === TITLE) {
          titlesRead += rows.length;
          // or it was refused
          expect(rows.map(({ title }) => title)).to.deep.equal(rows.length === 0 ? [] : [whose]);
          expect((await em.find(Book, { id: 1 }).catch(() => [])).filter(({ title }) => title !== whose)).to.deep.equal([]);
        }

        if (sql === ROLE && place === 'by itself' && scope !== 'public') {
          expect(rows).to.deep.equal([{ role: `${names.prefix}${scope}` }]);
        }
      }
    };

    const work = async (step: Work): Promise<void> => {
      const inScope = <Result>(fn: (em: TenantEntityManager) => Promise<Result>): Promise<Result> =>
        step.scope === 'public' ? runInPublic(fn) : runInTenant(step.scope, fn);

      await inScope(async em => {
        switch (step.place) {
          case 'by itself':
          case 'message':
            return sendTo(em, step);
          case 'transaction':
            return em.transactional(tx => sendTo(tx, step));
          case 'savepoint':
            return em.transactional(async tx => {
              await tx.transactional(inner => sendTo(inner, step)).catch(() => undefined);
              await sendTo(tx, step);
            });
          case 'thrown':
            return em.transactional(async tx => {
              await sendTo(tx, step);
              throw new Error('thrown');
            });
          case 'dump':
            return em.getConnection().executeDump(step.statements.join(';\n'));
          default:
            return step.place satisfies never;
        }
      });
    };

    before(async () => {
      await names.create();
      await database.query(`create role ${role} superuser`);
      orm = await openTwins(database, { pool: { min: 1, max: 1 } }, { roles: { prefix: names.prefix, shared: names.shared } });
      await database.query(
        `create function public.sets_session() returns void language plpgsql as 'begin perform set_config(''search_path'', ''bob'', false), set_config(''role'', ''pg_monitor'', false); end'`,
      );
      neighbours = await contentsOf(database, 'bob');
    });

    after(async () => {
      await orm.close();
      await names.drop();
    });

    it('N6, law 2: a scope leaves its connection as it found it, and reads its own tenant', async function () {
      this.timeout(240_000);
      const fresh = await readSession(orm);

      await checkProperty(
        `what raw SQL leaves (${database.kind})`,
        fc.asyncProperty(anySteps({ role, isPglite: database.kind === 'pglite', reads: [TITLE, ROLE] }), async steps => {
          let expected: SessionState = fresh;

          try {
            for (const step of steps) {
              if ('outside' in step) {
                await orm.em.fork().execute(step.outside);
                expected = { ...expected, ...step.leaves };
              } else {
                // what is drawn has values of its own
                await asObserver(() => work(step)).catch(ignoreDatabase);
              }

              expect(await readSession(orm)).to.deep.equal(expected);
            }
          } finally {
            await orm.em.fork().execute('rollback');
            await orm.em.fork().execute('reset session authorization');
            await orm.em.fork().execute('reset role');
            await orm.em.fork().execute('reset search_path');
          }
        }),
        60,
      );

      expect(await contentsOf(database, 'bob')).to.deep.equal(neighbours);
      expect(titlesRead).to.be.above(10);
    });
  },
  { needsSuperuser: true },
);

onDatabases(
  'raw SQL about its transaction, beside the same by PostgreSQL alone',
  database => {
    let orm: LibraryOrm;
    let alone: pg.Client;

    before(async () => {
      orm = await openTwins(database, { pool: { min: 1, max: 1 } });
      // acme's twin, whom no guard serves
      alone = new pg.Client({ connectionString: (await urlOf()) ?? '', options: '-c search_path=bob,public' });
      await alone.connect();
    });

    after(async () => {
      await alone.end();
      await orm.close();
    });

    // past the pooler, which knows no options
    const urlOf = async (): Promise<string | undefined> => {
      if (database.isCitus) {
        return database.url;
      }

      const server = new URL(process.env['DATABASE_URL'] ?? '');
      const [row] = await database.query<{ name: string }>('select current_database() as name');
      server.pathname = `/${row?.name}`;

      return server.href;
    };
    const outcomeOf = async (sent: Promise<unknown>): Promise<unknown> =>
      sent.then(
        rows => JSON.parse(JSON.stringify(rows)) as unknown,
        (error: unknown) => sqlStateOf(error),
      );
    const tagsOf = (name: string): Promise<unknown> => database.query(`select id from ${name}.tag where id >= 100 order by id`);

    it('G4 each statement is answered alike, and what is committed is the same', async function () {
      this.timeout(240_000);

      await checkProperty(
        `alike (${database.kind})`,
        fc.asyncProperty(fc.array(fc.constantFrom(...ABOUT_TRANSACTIONS), { maxLength: 14, size: 'max' }), async statements => {
          await database.query('delete from acme.tag where id >= 100');
          await database.query('delete from bob.tag where id >= 100');
          const ours: unknown[] = [];
          const theirs: unknown[] = [];

          await runInTenant('acme', em =>
            em.transactional(async tx => {
              for (const sql of statements) {
                ours.push([sql, await outcomeOf(tx.execute(sql))]);
              }
            }),
          );
          await alone.query('begin');

          for (const sql of statements) {
            theirs.push([sql, await outcomeOf(alone.query(sql).then(({ rows }) => rows))]);
          }

          await alone.query('commit');
          await alone.query('reset statement_timeout');
          await orm.em.fork().execute('reset statement_timeout');

          expect(ours.map(outcome => JSON.stringify(outcome))).to.deep.equal(theirs.map(outcome => JSON.stringify(outcome)));
          expect(await tagsOf('acme')).to.deep.equal(await tagsOf('bob'));
        }),
        80,
      );
    });
  },
  SERVER_AND_POOLER,
);

/** What PostgreSQL refuses is as good as what it does; an assertion is not. */
function ignoreDatabase(error: unknown): void {
  if (error instanceof Error && error.name === 'AssertionError') {
    throw error;
  }
}
