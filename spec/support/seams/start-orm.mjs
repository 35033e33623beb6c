// Starts an ORM with tenants on a database that nobody listens for, and tells what came of it.
import { runInTenant, TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';

class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

const Note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });
const config = { driver: PostgreSqlDriver, entities: [Client, Note], clientUrl: 'postgres://127.0.0.1:1/none', logger: () => undefined };
const told = {};

try {
  const wrapped = withTenants(config, { tenant: Client });
  const orm = process.argv[2] === 'new' ? new MikroORM(wrapped) : await MikroORM.init(wrapped);
  told.hasStarted = true;
  await orm.em.fork({ schema: 'acme' }).find(Note, {});
} catch (error) {
  told.code = error.code;
  told.message = error.message;
}

console.log(JSON.stringify(told));
process.exit();
