import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { failureOf, sqlStateOf } from '../support/assertions/failure.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openLibraryKit, type LibraryKit } from '../support/testing/library-kit.ts';

for (const kind of ['postgresql', 'pglite'] as const) {
  describe(`the first statement of a test (${kind})`, () => {
    let kit: LibraryKit;

    before(async () => {
      kit = await openLibraryKit(kind);
    });

    after(() => kit?.close());

    beforeEach(async function () {
      await kit.begin(this.currentTest?.title ?? '');
    });

    afterEach(async () => {
      await kit.end();
      await kit.run('what is left', async () => expect(await kit.orm.em.fork().count(Library)).to.equal(0));
    });

    const execute = (sql: string): Promise<any[]> => kit.orm.em.getConnection().execute(sql);

    it('K1 begins the transaction, and has its own results', async () => {
      expect(await execute('select 1 as one')).to.deep.equal([{ one: 1 }]);
      await kit.testTenant<Library>();
      expect(await kit.orm.em.fork().count(Library)).to.equal(1);
    });

    it('K1 may be that of a tenant', async () => {
      const { schemaName } = await kit.testTenant<Library>();

      expect(schemaName).to.equal('ready_1');
    });

    for (const [sql, state] of [
      ['select * from nowhere', '42P01'],
      ['no SQL at all', '42601'],
    ] as const) {
      it(`K1 may fail alone, and the test goes on: ${sql}`, async () => {
        const error = await failureOf(execute(sql));
        await kit.testTenant<Library>();

        expect(sqlStateOf(error)).to.equal(state);
        expect(await kit.orm.em.fork().count(Library)).to.equal(1);
      });

      it(`K1 may fail in a transaction, which takes no other one: ${sql}`, async () => {
        await failureOf(
          kit.orm.em.fork().transactional(async tx => {
            expect(sqlStateOf(await failureOf(tx.execute(sql)))).to.equal(state);
            expect(sqlStateOf(await failureOf(tx.execute('select 1')))).to.equal('25P02');
            throw new Error('rolled back');
          }),
        );

        expect(await kit.orm.em.fork().count(Library)).to.equal(0);
      });
    }

    it('K1 K3 is not sent after the end of the test', async () => {
      const em = kit.orm.em.fork();
      await em.begin();
      await refusal(kit.end(), 'TEST_UNFINISHED');

      await refusal(em.execute(`insert into library (name, schema_name, domain_url) values ('late', 'late', 'late')`), 'TEST_ENDED');
      await em.rollback().catch(() => undefined);
    });

    if (kind === 'postgresql') {
      it('K1 is where its position says it is', async () => {
        const error = (await failureOf(execute('select 1, nothing'))) as Error & { readonly cause?: { readonly position?: string } };

        expect((error as { readonly position?: string }).position ?? error.cause?.position).to.equal('11');
      });

      it('K1 is what begins: a test without one has no transaction', async () => {
        const states = (): Promise<{ begun: number }[]> =>
          kit.outside(() =>
            kit.orm.em
              .getConnection()
              .execute(
                `select count(*)::int as begun from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
              ),
          );
        expect(await states()).to.deep.equal([{ begun: 0 }]);
        await kit.testTenant<Library>();
        expect(await states()).to.deep.equal([{ begun: 1 }]);
      });
    }
  });
}
