// Starts ORMs with tenants on a database that nobody listens for, and tells what came of it: one by `new`, and one that is awaited.
import { TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';

class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

const Note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });
const config = { driver: PostgreSqlDriver, entities: [Client, Note], clientUrl: 'postgres://127.0.0.1:1/none', logger: () => undefined };

const told = {
  byNew: await tell(() => new MikroORM(withTenants(config, { tenant: Client }))),
  byInit: await tell(() => MikroORM.init(withTenants(config, { tenant: Client }))),
};
process.stdout.write(JSON.stringify(told), () => process.exit());

async function tell(start) {
  let hasStarted = false;

  try {
    const orm = await start();
    hasStarted = true;
    await orm.em.fork({ schema: 'acme' }).find(Note, {});

    return { hasStarted };
  } catch ({ code, message }) {
    return { hasStarted, code, message };
  }
}
