// Works on the jobs `mark` as a process of its own, until it is killed.
import { resumeTenant, TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p } from '@mikro-orm/core';
import { defineConfig } from '@mikro-orm/postgresql';
import { Logger, run } from 'graphile-worker';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, tableName: 'client', extends: TenantMixin, properties: {} });
const BookSchema = defineEntity({ name: 'Book', schema: '*', properties: { id: p.integer().primary(), title: p.string() } });

const [clientUrl] = process.argv.slice(2);
const orm = await MikroORM.init(withTenants(defineConfig({ clientUrl, entities: [ClientSchema, BookSchema] }), { tenant: Client }));

await run({
  connectionString: clientUrl,
  concurrency: 4,
  noHandleSignals: true,
  logger: new Logger(() => () => undefined),
  taskList: {
    mark: async ({ tenant, index, schema }) => {
      await resumeTenant(tenant, async () => {
        await orm.em.persist(orm.em.create(BookSchema, { title: `job ${index} ${schema} killed` })).flush();
      });
    },
  },
});
