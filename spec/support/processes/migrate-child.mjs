// Migrates all tenants of the library by a list of migrations, as a process of its own. Started with DATABASE_URL and MIGRATIONS, a list
// of [name, statement, …], where the statement "read" is one that is not queued. Prints what became of it as JSON.
import { TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { openOrm } from './open-orm.mjs';

class Library extends TenantMixin {}

const LibrarySchema = defineEntity({ class: Library, extends: TenantMixin, properties: { name: p.string() } });

// a tenant's entity, without which a config is refused; the migrations are not made from it
const TagSchema = defineEntity({ name: 'Tag', schema: '*', properties: { id: p.integer().primary(), name: p.string() } });

const migrationsList = JSON.parse(process.env.MIGRATIONS).map(([name, ...statements]) => ({
  name,
  class: class extends Migration {
    async up() {
      for (const sql of statements) {
        await (sql === 'read' ? this.execute('select 1') : this.addSql(sql));
      }
    }
  },
}));

const orm = await openOrm({ tenant: Library, migrations: { migrationsList } }, { entities: [LibrarySchema, TagSchema], pool: { max: 4 } });
const { migrated, failed, upToDate } = await tenants(orm).migrate({ skipPublicCheck: true });
console.log(
  JSON.stringify({
    migrated: migrated.map(({ schemaName }) => schemaName),
    failed: failed.map(({ schemaName, error }) => `${schemaName}: ${error}`),
    upToDate,
  }),
);
await orm.close();
