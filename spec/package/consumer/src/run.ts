import { PGlite } from '@electric-sql/pglite';
import { runInTenant, withTenants } from '@landlord/mikro-orm';
import { Migration } from '@mikro-orm/migrations';
import { defineConfig, MikroORM } from '@mikro-orm/pglite';
import type { Style, TenantOfStyle } from './style.js';

class Books extends Migration {
  override up(): void {
    this.addSql('create table "book" ("id" serial primary key, "title" varchar(255) not null)');
  }
}

/** Creates tenants in each of the given styles, and prints the results. Each style is the name of a module. */
const pglite = await PGlite.create('memory://');
const outcomes: Record<string, Record<string, unknown>> = {};

for (const module of process.argv.slice(2)) {
  const { style } = (await import(module)) as { readonly style: Style };
  const name = module.replaceAll(/^.*\/|\.js$/g, '');
  outcomes[name] = {};

  for (const [title, tenant] of Object.entries(style.tenants)) {
    outcomes[name][title] = await outcomeOf(style, tenant, `${name.replaceAll('-', '_')}_${title}`).catch(String);
  }
}

console.log(JSON.stringify(outcomes));
await pglite.close();

/** In a public schema of its own, because all share one database. */
async function outcomeOf({ Plan, Book }: Style, tenant: TenantOfStyle, publicSchema: string): Promise<unknown> {
  const { entity } = tenant;
  const orm = await MikroORM.init(
    withTenants(defineConfig({ entities: [entity, Plan, Book], dbName: 'memory://', driverOptions: { pglite } }), {
      tenant: entity,
      publicSchema,
      migrations: { migrationsList: [{ name: 'books', class: Books }] },
    }),
  );

  try {
    await orm.schema.create();
    const schemaName = `${publicSchema}_acme`;
    const em = orm.em.fork();
    await em.persistAndFlush([tenant.make({ domainUrl: 'acme.example.com', schemaName }), em.create(Plan, { title: 'Basic' } as never)]);

    return {
      primaryKeys: orm.getMetadata(entity).primaryKeys,
      row: (await rows(`select * from "${publicSchema}"."${orm.getMetadata(entity).tableName}"`))[0],
      tables: await rows(
        `select table_schema, table_name from information_schema.tables
         where starts_with(table_schema, '${publicSchema}') and table_name in ('book', 'plan') order by 1, 2`,
      ),
      found: await runInTenant(schemaName, async tenantEm => {
        await tenantEm.persistAndFlush(tenantEm.create(Book, { title: 'Emma' } as never));

        return (await tenantEm.fork().find(Book, {})).map(book => book.title);
      }),
      isOnlyTenant: (await orm.em.fork().find(entity, {})).every(client => client.schemaName === schemaName),
    };
  } finally {
    await orm.close();
  }
}

async function rows(sql: string): Promise<unknown[]> {
  return (await pglite.query(sql)).rows;
}
