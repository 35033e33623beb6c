import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { CompiledQuery, sql, type Kysely } from 'kysely';
import { onDatabases } from '../support/databases/database.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { openTwins } from '../support/orm/twins.ts';

const kysely = (em: TenantEntityManager): Kysely<any> => em.getKysely();

const READ = 'select nothing from book';

const CREATE = 'create table book (id int)';

/** Statements that fail in the database, each sent by a function that has a name. */
const FAILING: Readonly<Record<string, (em: TenantEntityManager) => Promise<unknown>>> = {
  'em.execute()': em => em.execute(READ),
  'em.execute() with a parameter': em => em.execute('select nothing from book where id = ?', [1]),
  'em.execute() of what makes a table': em => em.execute(CREATE),
  'Kysely’s sql': em => sql.raw(READ).execute(kysely(em)),
  'Kysely’s sql with a parameter': em => sql`select nothing from book where id = ${1}`.execute(kysely(em)),
  'Kysely’s sql of what makes a table': em => sql.raw(CREATE).execute(kysely(em)),
  'Kysely’s executeQuery()': em => kysely(em).executeQuery(CompiledQuery.raw(READ)),
  'a query of Kysely’s': em => kysely(em).selectFrom('book').select('nothing').execute(),
  'a query of Kysely’s of a table of no entity': em => kysely(em).selectFrom('nowhere').selectAll().execute(),
  'a query of Kysely’s that writes': em => kysely(em).updateTable('book').set({ nothing: 1 }).execute(),
};

onDatabases('the stack of an error', database => {
  const { stackTraceLimit } = Error;

  before(() => openTwins(database));

  // as Node.js has it, whatever other specs and their tools have set
  beforeEach(() => {
    Error.stackTraceLimit = 10;
  });

  afterEach(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  for (const [name, fail] of Object.entries(FAILING)) {
    const ways: Readonly<Record<string, () => Promise<unknown>>> = {
      'outside a transaction': () =>
        runInTenant('acme', async function theCaller(em) {
          await fail(em);
        }),
      'in a transaction': () =>
        runInTenant('acme', em =>
          em.transactional(async function theCaller(tx) {
            await fail(tx);
          }),
        ),
    };

    for (const [way, run] of Object.entries(ways)) {
      it(`G4 of ${name} ${way} has the code that sent the statement`, async () => {
        const { stack } = (await failureOf(run())) as Error;
        expect(stack).to.contain('theCaller');
      });
    }
  }
});
