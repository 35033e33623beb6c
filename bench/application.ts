import { defineEntity, p, type EntityClass, type EntitySchema } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';

/** A row of an application's table, which may refer to one of the table before it. */
interface Row {
  id: number;
  name: string;
}

/**
 * The other ten tables of an application of users' kind; none with `BENCH_TABLES=few`. V8 makes code fast where it has met at most four kinds of
 * objects. With one or three entities, MikroORM is faster than in an application, and what a library adds is a larger part.
 */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  customer: ['city', 'street', 'phone'],
  product: ['price', 'stock'],
  basket: ['note'],
  order: ['number', 'total', 'note', 'channel'],
  line: ['amount'],
  invoice: ['number', 'total', 'due', 'reminders', 'note'],
  payment: ['total', 'method'],
  shipment: ['carrier', 'parcels', 'weight'],
  review: ['stars', 'text', 'language', 'likes', 'reports', 'source'],
  event: ['kind', 'source', 'actor', 'target', 'payload', 'count', 'note'],
};

const COLUMNS = process.env['BENCH_TABLES'] === 'few' ? {} : TABLES;

export const APPLICATION: readonly EntitySchema<Row>[] = entitiesOf(COLUMNS);

export const APPLICATION_TABLES: readonly string[] = Object.entries(COLUMNS).map(
  ([name, columns], n, all) =>
    `create table if not exists "${name}" ("id" serial primary key, "name" varchar(255) not null, ${columns.map(each => `"${each}" varchar(255)`).join(', ')}${n === 0 ? '' : `, "former_id" int references "${all[n - 1]?.[0]}" ("id")`})`,
);

/** The tenant of a bench of requests that has these tables. */
export const USED = 't0';

/** Does with each of these entities what applications do. */
export async function useApplication(fork: () => SqlEntityManager): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { class: entity } of APPLICATION.map(({ meta }) => meta as { readonly class: EntityClass<Row> })) {
      const em = fork();
      const row = em.create(entity, { name: 'first' } as never);
      await em.persist(row).flush();
      await fork().findOneOrFail(entity, row.id);
      await fork().find(entity, { name: 'first' }, { orderBy: { id: 'asc' }, limit: 10 });
      await fork().find(entity, { id: row.id }, { populate: ['*'] });
      await fork().findAndCount(entity, { name: { $like: 'f%' } }, { limit: 1 });
      await fork().nativeUpdate(entity, { id: row.id }, { name: 'third' });
      row.name = 'second';
      await em.flush();
      await em.remove(row).flush();
    }
  }
}

function entitiesOf(tables: typeof TABLES): EntitySchema<Row>[] {
  const found: EntitySchema<Row>[] = [];

  for (const [tableName, columns] of Object.entries(tables)) {
    const former = found.at(-1);
    const name = `${tableName[0]?.toUpperCase()}${tableName.slice(1)}`;
    const schema = defineEntity({
      name,
      tableName,
      schema: '*',
      properties: {
        id: p.integer().primary(),
        name: p.string(),
        ...Object.fromEntries(columns.map(each => [each, p.string().nullable()])),
        ...(former === undefined ? {} : { former: () => p.manyToOne(former).ref().nullable() }),
      },
    });
    schema.setClass({ [name]: class extends schema.class {} }[name] as never);
    found.push(schema);
  }

  return found;
}

const ROUNDS = 20;
