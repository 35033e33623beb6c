import { runInPublic, runInTenant } from '@landlord/mikro-orm';
import { expect } from 'chai';
import { addMatrixTables } from '../laws/matrix/entities.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { contentsOf, openTwins, everyRowOfTwins } from '../support/orm/twins.ts';
import { initLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { ormPaths, PATHS_CONFIG } from '../support/orm/orm-paths.ts';
import { STATEMENTS } from '../support/orm/raw-paths.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

onDatabasesAndPooler('tables of a schema of `searchPath` with the names of all others', database => {
  const config = { ...PATHS_CONFIG, pool: { min: 1, max: 1 } };
  const paths = ormPaths(database.kind);
  let orm: LibraryOrm;
  let untouched: unknown;
  let alone: Record<string, unknown>;

  const answers = async (): Promise<Record<string, unknown>> => {
    const found: Record<string, unknown> = {};
    const add = async (name: string, work: Promise<unknown>): Promise<void> => {
      found[name] = JSON.stringify(await work.catch(String));
    };

    for (const [name, { run, varies, writes }] of Object.entries(paths)) {
      if (!varies) {
        await add(
          name,
          runInTenant('acme', em => (writes ? rollBackAfter(em, run) : run(em))),
        );
      }
    }

    for (const [name, read] of Object.entries(STATEMENTS)) {
      await add(`${name} in a tenant`, runInTenant('acme', read));
      await add(`${name} in public`, runInPublic(read));
      await add(`${name} in no scope`, read(orm.em.fork()));
    }

    return found;
  };

  const rows = async (): Promise<unknown> => [await everyRowOfTwins(database), await contentsOf(database, 'ext')];

  before(async () => {
    orm = await openTwins(database, config);
    await addMatrixTables(database);
    await database.query('create schema ext');
    alone = await answers();
    await orm.close();

    for (const { name } of await database.query<{ name: string }>(
      `select distinct c.relname as name from pg_class c where c.relnamespace in ('acme'::regnamespace, 'public'::regnamespace) and c.relkind in ('r', 'v')`,
    )) {
      const from = await database.query(`select to_regclass('acme.${name}') is not null as own`);
      await database.query(`create table ext.${name} as select * from ${from[0]?.['own'] === true ? 'acme' : 'public'}.${name}`);
    }

    await database.query(`update ext.book set title = 'ext'`);
    orm = await initLibrary(database, { searchPath: ['ext'] }, config);
    untouched = await rows();
  });

  it('N2, C6 no way to reach the database finds or writes one of them', async () => {
    const found = await answers();

    for (const [name, answer] of Object.entries(alone)) {
      expect(found[name], name).to.equal(answer);
    }

    expect(await rows()).to.deep.equal(untouched);
  });
});
