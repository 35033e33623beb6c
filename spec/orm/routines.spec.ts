import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { Routine, ScalarReference } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases } from '../support/databases/database.ts';
import { LIBRARY_ENTITIES, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openPlainOrm, type OrmConfig } from '../support/orm/open-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

const Titles = procedure('titles');
const OwnTitles = procedure('own_titles', '*');
const NotListed = procedure('own_titles', '*');

// MikroORM has no routines on PGlite
onDatabases(
  'routines that return cursors',
  database => {
    // what a routine does is not known, so none is called on a replica
    const config: OrmConfig = {
      routines: [Titles, OwnTitles],
      sessionContext: 'transaction',
      replicas: [{ name: 'replica' }],
      preferReadReplicas: true,
    };
    let orm: LibraryOrm;

    before(async () => {
      orm = await openTwins(database, config);

      for (const name of ['public.titles', 'acme.own_titles', 'bob.own_titles']) {
        await database.query(
          `create procedure ${name}(inout cursor refcursor) language plpgsql as $$ begin
             cursor := 'titles'; open cursor for select title, current_setting('app.user') as "user" from book order by id; end $$`,
        );
      }
    });

    afterEach(() => {
      expect(database.statements.filter(sql => sql.includes('call ') && sql.includes('via read'))).to.deep.equal([]);
      database.statements.length = 0;
    });

    const titlesOf = (name: string): unknown => [[1, 2].map(id => ({ title: `${name} book ${id}`, user: 'ann' }))];

    const call = async (em: SqlEntityManager, routine: typeof Titles): Promise<unknown> => {
      em.setSessionContext({ variables: { 'app.user': 'ann' } });

      return await em.callRoutine(routine, { cursor: new ScalarReference() });
    };

    it('G4 are called and read in one transaction with the session’s variables, as in stock', async () => {
      const stock = await openPlainOrm(database, { ...config, entities: LIBRARY_ENTITIES.filter(entity => entity !== Library) });
      const decoys = await call(stock.em.fork() as SqlEntityManager, Titles);
      expect(decoys).to.deep.equal([Array(2).fill({ title: 'decoy', user: 'ann' })]);
      expect(await call(orm.em.fork(), Titles)).to.deep.equal(decoys);
      expect(await runInPublic(em => call(em, Titles))).to.deep.equal(decoys);

      for (const name of ['acme', 'bob']) {
        const ways: readonly ((routine: typeof Titles) => Promise<unknown>)[] = [
          routine => runInTenant(name, em => call(em, routine)),
          routine => call(orm.em.fork({ schema: name }), routine),
          routine => runInTenant(name, em => em.fork().transactional(tx => cursorsIn(tx, routine))),
        ];

        for (const way of ways) {
          expect(await way(Titles)).to.deep.equal(titlesOf(name));
          expect(await way(OwnTitles)).to.deep.equal(titlesOf(name));
        }
      }
    });

    // a transaction sets its variables as it begins
    async function cursorsIn(tx: TenantEntityManager, routine: typeof Titles): Promise<unknown> {
      await tx.execute(`select set_config('app.user', 'ann', true)`);

      return await tx.callRoutine(routine, { cursor: new ScalarReference() });
    }

    it('law 1, law 2: are refused where another tenant’s rows would be read, or no tenant is known whose they are', async () => {
      await runInTenant('acme', async em => {
        for (const routine of [Titles, OwnTitles]) {
          await refusal(() => call(em.fork({ schema: 'bob' }), routine), 'CROSS_TENANT');
        }
      });
      await refusal(() => call(orm.em.fork(), OwnTitles), 'TENANT_CONTEXT_REQUIRED');
      await runInPublic(em => refusal(() => call(em, OwnTitles), 'TENANT_CONTEXT_REQUIRED'));
    });

    it('G4 are refused where the configuration does not have them, as in stock', async () => {
      const error = await failureOf(runInTenant('acme', em => call(em, NotListed)));

      expect(String(error)).to.contain('is not registered');
    });
  },
  ['postgresql'],
);

function procedure(name: string, schema?: string) {
  return new Routine({
    name,
    ...(schema === undefined ? {} : { schema }),
    type: 'procedure',
    params: { cursor: { type: 'refcursor', direction: 'out', ref: true } },
    body: 'created by hand',
  });
}
