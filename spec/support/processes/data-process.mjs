// runs one operation on tenants in a process that can be killed: `<url> <json>`
import { createReadStream } from 'node:fs';
import { TenantMixin, tenants, withTenants } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';

class Customer extends TenantMixin {}

defineEntity({ class: Customer, extends: TenantMixin, properties: {} });

const Note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });

const [url, json] = process.argv.slice(2);
const { statements, operation, name, file } = JSON.parse(json);

class Hard extends Migration {
  up() {
    statements.forEach(sql => this.addSql(sql));
  }
}

const orm = await MikroORM.init(
  withTenants(
    { driver: PostgreSqlDriver, clientUrl: url, entities: [Customer, Note], driverOptions: { application_name: 'spec child' } },
    { tenant: Customer, migrations: { migrationsList: [{ name: 'Hard', class: Hard }] } },
  ),
);
const row = { schemaName: name, domainUrl: `${name}.example.com` };
const OPERATIONS = {
  clone: () => tenants().clone('acme', row),
  import: () => tenants().import(createReadStream(file), row),
  extract: () => tenants().extract(name, { column: 'customer_id', without: ['customer_id'] }),
  adopt: () => tenants().adopt(row),
};

process.stdout.write('ready\n');

try {
  await OPERATIONS[operation]();
  process.stdout.write('done\n');
} catch (error) {
  process.stdout.write(`failed ${error.code ?? error.message}\n`);
}

await orm.close(true);
