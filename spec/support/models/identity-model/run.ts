import { deepStrictEqual } from 'node:assert/strict';
import { runInTenant } from '@landlord/mikro-orm';
import { RequestContext, type EntityManager, type MikroORM } from '@mikro-orm/core';
import fc, { type IAsyncProperty } from 'fast-check';
import type { SpecDatabase } from '../../databases/database.ts';
import { ownDatabase } from '../../databases/own-database.ts';
import { openOrm, openPlainOrm, type OpenedOn } from '../../orm/open-orm.ts';
import { workDone } from '../../assertions/work-under-way.ts';
import { Client, entitiesIn, TENANT_TABLES, tablesIn, type Entities } from './entities.ts';
import { anySteps, type Step } from './steps.ts';
import { World } from './world.ts';

/** An ORM with the tenants acme and bob, and one without tenants on a database of its own. */
export interface Twins {
  readonly scoped: Side;
  readonly plain: Side;
  /** What bob has. */
  readonly neighbour: unknown;
  /** How many steps were run. */
  readonly count: { operations: number };
}

interface Side {
  readonly orm: MikroORM;
  readonly entities: Entities;
  readonly query: (sql: string) => Promise<Record<string, unknown>[]>;
  /** Runs `fn` in the tenant's scope, or in a request context. */
  readonly enter: (fn: (em: EntityManager) => Promise<void>) => Promise<void>;
  /** What the tenant has. */
  readonly schema: string;
  /** What entities that are made with `new` are given. */
  readonly schemaOfNew?: string;
}

export async function openIdentityTwins(database: SpecDatabase): Promise<Twins> {
  const entities = entitiesIn({ schema: '*' });
  const orm = await openOrm(database, { tenant: Client, autoCreateSchema: false }, { entities: [Client, ...Object.values(entities)] });
  await orm.schema.create();

  for (const name of ['acme', 'bob']) {
    await orm.em.fork().persistAndFlush(new Client({ schemaName: name, domainUrl: `${name}.example.com` }));
    await runAll(sql => database.query(sql), `create schema ${name}; ${tablesIn(name, 'public')}`);
  }

  await database.query(`insert into bob.doc (id, name) values ('doc 1', 'bob'), ('doc 2', 'bob')`);
  await database.query(`insert into bob.person (id, name) values ('person 1', 'bob'), ('person 2', 'bob')`);

  const scoped: Side = {
    orm,
    entities,
    query: sql => database.query(sql),
    enter: fn => runInTenant('acme', em => fn(em), { orm }),
    schema: 'acme',
  };

  return { scoped, plain: await openPlain(database), neighbour: await database.query(rowsSql('bob')), count: { operations: 0 } };
}

async function openPlain(database: SpecDatabase): Promise<Side> {
  const { query, options } = await ownDatabase(database, 'identity without tenants');
  const entities = entitiesIn({});
  const on: OpenedOn = { options: options as () => ReturnType<OpenedOn['options']>, atEnd: each => database.atEnd(each) };
  const orm = await openPlainOrm(on, { entities: Object.values(entities) });
  await runAll(query, `create table public.label (id varchar(255) primary key, name varchar(255)); ${tablesIn('public', 'public')}`);

  return { orm, entities, query, enter: fn => RequestContext.create(orm.em, () => fn(orm.em)), schema: 'public', schemaOfNew: 'public' };
}

async function runAll(query: (sql: string) => Promise<unknown>, script: string): Promise<void> {
  for (const statement of script.split(';').filter(each => each.trim() !== '')) {
    await query(statement);
  }
}

/** Whether a tenant's EntityManager does with each list of steps what one of MikroORM does without tenants. */
export function identityModel(twins: Twins, maxSteps: number): IAsyncProperty<[Step[], boolean, boolean]> {
  return fc.asyncProperty(anySteps(maxSteps), fc.boolean(), fc.boolean(), async (steps, usesGlobal, upsertManaged) => {
    const scoped = await outcomesOf(twins.scoped, steps, { usesGlobal, upsertManaged });
    const plain = await outcomesOf(twins.plain, steps, { usesGlobal, upsertManaged });
    twins.count.operations += steps.length;

    for (const [index, outcome] of plain.entries()) {
      // its message shows the difference alone, and not the whole of an identity map
      deepStrictEqual({ step: steps[index], ...(scoped[index] as object) }, { step: steps[index], ...(outcome as object) });
    }

    deepStrictEqual(await twins.scoped.query(rowsSql('bob')), twins.neighbour, 'the other tenant');
  });
}

async function outcomesOf(
  { orm, entities, query, enter, schema, schemaOfNew }: Side,
  steps: readonly Step[],
  { usesGlobal, upsertManaged }: { readonly usesGlobal: boolean; readonly upsertManaged: boolean },
): Promise<unknown[]> {
  await query(`truncate ${TENANT_TABLES.map(table => `${schema}.${table}`).join(', ')} restart identity`);
  await query('delete from public.label');
  orm.config.set('upsertManaged', upsertManaged);
  const world = new World(entities, schemaOfNew);
  const outcomes: unknown[] = [];

  await enter(async em => {
    for (const step of steps) {
      const outcome = await world.run(usesGlobal ? orm.em : em, step);

      if (sendsNothing(step)) {
        outcomes.push({ outcome });
        continue;
      }

      await workDone();
      const [rows] = await query(rowsSql(schema, 'public.label'));
      outcomes.push({ outcome, rows });
    }
  });

  return outcomes;
}

function sendsNothing({ does }: Step): boolean {
  return ['new', 'create', 'persist', 'remove', 'merge', 'mergeData', 'assign', 'change', 'own', 'add', 'take', 'clear'].includes(does);
}

function rowsSql(schema: string, ...others: readonly string[]): string {
  const tables = [...TENANT_TABLES.map(table => `${schema}.${table}`), ...others];

  return `select ${tables.map((table, index) => `(select json_agg(t order by t::text) from ${table} t) as "${index} ${table.split('.')[1]}"`).join(', ')}`;
}
