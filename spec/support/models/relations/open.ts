import { runInTenant, TenantError, tenants } from '@landlord/mikro-orm';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { SpecDatabase } from '../../databases/database.ts';
import { ownDatabase } from '../../databases/own-database.ts';
import { newClient, migrationsFolder, openEvolving, openPlain } from '../../orm/evolving-orm.ts';
import type { SpecOrm } from '../../orm/open-orm.ts';
import { readCatalog } from '../../databases/schema-contents.ts';
import { relationsDomain, SHARED_ENTITIES, SHARED_TABLES, type Domain } from './domain.ts';
import { asObserver } from '../../assertions/statement-watch.ts';
import { toPlainData } from './plain-data.ts';
import { insertOf, rowsOf, SHARED_ROWS } from './rows.ts';
import { workDone } from '../../assertions/work-under-way.ts';

export const TWINS = ['acme', 'bob'] as const;

export type Twin = (typeof TWINS)[number];

/** A MikroORM without tenants on a database that holds the rows of one tenant: what it answers is what the tenant has to get. */
export interface Plain {
  /** What its tables are, as PostgreSQL's catalog tells. */
  readonly catalog: readonly string[];
  run(work: Work): Promise<Outcome>;
}

export type Work = (em: SqlEntityManager, entities: Domain) => Promise<unknown>;

/** What an ORM answered or threw, as plain data, and what it sent. */
export interface Outcome {
  readonly answer: unknown;
  readonly failure: string | undefined;
  readonly statements: readonly string[];
}

/** Two tenants with all relations there are, and for each a plain database of the same rows. */
export interface Related {
  readonly orm: SpecOrm;
  readonly entities: Domain;
  readonly plain: Readonly<Record<Twin, Plain>>;
  /** Runs the work in the tenant's scope. */
  run(twin: Twin, work: Work): Promise<Outcome>;
}

/**
 * The tenants' tables come from the generator of the tenant set. Each table of a tenant has one of its name in public, and each
 * shared one in every tenant, so that whatever reads the wrong schema finds something there.
 */
export async function openRelated(database: SpecDatabase): Promise<Related> {
  const folder = await migrationsFolder();
  database.atEnd(() => folder.remove());
  const entities = relationsDomain({ schema: '*' });
  const orm = await openEvolving(database, folder.path, Object.values(entities));
  await orm.schema.create();
  await tenants(orm).createMigration();
  await orm.em.fork().persistAndFlush(TWINS.map(newClient));
  await run(database, insertOf('public', SHARED_ROWS));

  for (const [index, twin] of TWINS.entries()) {
    await run(database, insertOf(twin, rowsOf(twin, index === 0 ? 0 : 1)));
    await database.query(`refresh materialized view ${twin}.tally`);
    await database.query(`create table ${twin}.country as select id, 'decoy' as name from public.country`);
  }

  for (const table of [...TENANT_TABLES, 'tally', 'roll', 'everyone'].filter(name => !isShared(name))) {
    await database.query(`create table public."${table}" as select * from acme."${table}"`);
    const [named] = await database.query(
      `select 1 from information_schema.columns where table_schema = 'public' and table_name = $1 and column_name = 'name'`,
      [table],
    );
    await database.query(named === undefined ? 'select 1' : `update public."${table}" set name = 'decoy'`);
  }

  const plain = {} as Record<Twin, Plain>;

  for (const [index, twin] of TWINS.entries()) {
    plain[twin] = await openPlainTwin(database, twin, index === 0 ? 0 : 1, folder.path);
  }

  database.statements.length = 0;

  return {
    orm,
    entities,
    plain,
    run: (twin, work) =>
      runInTenant(
        twin,
        async em => {
          database.statements.length = 0;
          const outcome = await outcomeOf(
            () => work(em, entities),
            name => (SHARED_ENTITIES.includes(name) ? 'public' : twin),
          );

          return { ...outcome, statements: [...database.statements] };
        },
        { orm },
      ),
  };
}

async function openPlainTwin(beside: SpecDatabase, twin: Twin, shift: 0 | 1, folder: string): Promise<Plain> {
  const database = await ownDatabase(beside, `plain ${twin}`);
  const statements: string[] = [];
  const options = {
    ...database.options(),
    debug: ['query' as const, 'query-params' as const],
    colors: false,
    logger: (message: string) => statements.push(message),
  };
  const entities = relationsDomain({});
  const orm = await openPlain({ options: () => options, atEnd: close => beside.atEnd(close) }, folder, Object.values(entities));
  await orm.schema.create();
  const found = await readCatalog(database, 'public', { without: ['country'] });
  // but for the shared one of the two tables of a name
  const catalog = found.filter(line => !/^\S+ grade(\.|_id_seq|$)/.test(line.split(' ').slice(0, 2).join(' ')));
  await run(database, insertOf('public', SHARED_ROWS));
  await run(database, insertOf('public', rowsOf(twin, shift), plainTable));
  await database.query('refresh materialized view tally');

  return {
    catalog,
    run: async work => {
      statements.length = 0;
      const outcome = await outcomeOf(
        () => work(orm.em.fork() as SqlEntityManager, entities),
        () => undefined,
      );

      return { ...outcome, statements: [...statements] };
    },
  };
}

async function outcomeOf(
  work: () => Promise<unknown>,
  schemaOf: (className: string) => string | undefined,
): Promise<Omit<Outcome, 'statements'>> {
  try {
    // as JSON, which is what the ORM and the driver may differ in no further than
    return { answer: JSON.parse(JSON.stringify(toPlainData(await work(), schemaOf)) ?? 'null') as unknown, failure: undefined };
  } catch (error) {
    // what fails may leave something under way, whose statement is its own and not the next one's
    await workDone();

    if (error instanceof TenantError) {
      throw error;
    }

    // what MikroORM cannot do without tenants it cannot do with them
    return { answer: undefined, failure: String(error).replaceAll(/"(acme|bob|public)"\./g, '') };
  }
}

/** All that the tables of a tenant hold, and shared ones, as the transaction of the `em` sees it. */
export async function contentsOf(em: SqlEntityManager, schemaName: string, shared: readonly string[] = SHARED_TABLES): Promise<unknown> {
  const nameOf = (table: string): string => (schemaName === 'plain' ? `"${plainTable(table)}"` : `"${schemaName}"."${table}"`);

  return rowsIn(em, [
    ...TENANT_TABLES.map(table => [table, nameOf(table)] as const),
    ...shared.map(table => [`shared ${table}`, `public."${table}"`] as const),
  ]);
}

/** What the tables in public hold that have the names of tenants' ones. */
export async function decoysOf(em: SqlEntityManager): Promise<unknown> {
  return rowsIn(
    em,
    TENANT_TABLES.filter(table => !isShared(table)).map(table => [table, `public."${table}"`]),
  );
}

async function rowsIn(em: SqlEntityManager, tables: readonly (readonly [name: string, table: string])[]): Promise<unknown> {
  const columns = tables.map(([name, table]) => {
    // of a pivot table with an order, the order and not the key that a sequence gave
    const [row, order] = name === 'group_people' ? [`to_jsonb(x) - 'id'`, 'x.id'] : ['to_jsonb(x)', 'to_jsonb(x)::text'];

    return `'${name}', (select json_agg(${row} order by ${order}) from ${table} x)`;
  });
  const sql = `select json_build_object(${columns.join(', ')}) as contents`;
  const [found] = await asObserver(() => em.getConnection().execute<{ contents: unknown }[]>(sql, [], 'all', em.getTransactionContext()));

  return found?.contents;
}

function isShared(table: string): boolean {
  return (SHARED_TABLES as readonly string[]).includes(table);
}

// where there is one schema, of two tables of one name one has another
function plainTable(table: string): string {
  return table === 'grade' ? 'own_grade' : table;
}

async function run(database: Pick<SpecDatabase, 'query'>, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    await database.query(statement);
  }
}

const TENANT_TABLES: readonly string[] = Object.keys(rowsOf('x', 0));
