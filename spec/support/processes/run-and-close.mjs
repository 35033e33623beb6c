// Works with tenants and closes the ORM; then there must be nothing left that keeps the process alive.
import { rejects } from 'node:assert/strict';
import { forEachTenant, runInTenant, tenantContext, TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { contextOf } from '../web/request-context.ts';
import { openOrm } from './open-orm.mjs';

class Client extends TenantMixin {}
const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const NoteSchema = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });
class Note extends NoteSchema.class {}
NoteSchema.setClass(Note);

class First extends Migration {
  up() {
    this.addSql('create table "note" ("id" serial primary key)');
  }
}

process.on('unhandledRejection', error => {
  console.error(error);
  process.exitCode = 3;
});

const orm = await openOrm(
  { tenant: Client, migrations: { migrationsList: [{ name: 'First', class: First }] } },
  { entities: [ClientSchema, Note] },
);
await orm.em.execute('create table "client" ("id" serial primary key, "domain_url" text unique, "schema_name" text unique)');
await orm.em.fork().persistAndFlush([1, 2, 3].map(n => new Client({ domainUrl: `c${n}.example.com`, schemaName: `c${n}` })));
await runInTenant('c1', em => em.count(Note));
await rejects(
  runInTenant('c1', em => em.execute('select * from nowhere')),
  { code: '42P01' },
);
await rejects(
  runInTenant('c1', () => Promise.reject(new Error('thrown in a scope'))),
  { message: 'thrown in a scope' },
);
await forEachTenant(em => em.findAll(Note));
await tenants().migrate({ skipPublicCheck: true });
// a request, so that the directory listens
await tenantContext()(contextOf('c1.example.com'), async () => undefined);
await orm.close();
console.log('closed');
