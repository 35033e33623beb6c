import { tenantContext, TenantMixin, withTenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import Koa from 'koa';

export class Client extends TenantMixin {
  name!: string;
}
export const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: { name: p.string() } });

const NoteSchema = defineEntity({
  name: 'Note',
  schema: '*',
  properties: { id: p.integer().primary(), text: p.string() },
});
export class Note extends NoteSchema.class {}
NoteSchema.setClass(Note);

class CreateClients extends Migration {
  override up(): void {
    this.addSql(
      `create table "client" ("id" serial primary key, "schema_name" varchar(63) not null unique, "domain_url" varchar(253) not null unique, "name" varchar(255) not null)`,
    );
  }
}

class CreateNotes extends Migration {
  override up(): void {
    this.addSql(`create table "note" ("id" serial primary key, "text" varchar(255) not null)`);
  }
}

export const config = withTenants(
  defineConfig({
    entities: [ClientSchema, Note],
    // the tests never connect to it
    clientUrl: 'postgres://localhost/production',
    migrations: { migrationsList: [{ name: 'CreateClients', class: CreateClients }], silent: true },
  }),
  { tenant: Client, migrations: { migrationsList: [{ name: 'CreateNotes', class: CreateNotes }] } },
);

export const openOrm = () => MikroORM.init(config);

export type Orm = Awaited<ReturnType<typeof openOrm>>;

/** Lists the notes of the tenant of the request's host, and takes a new one. */
export function createApp(orm: Orm): Koa {
  const app = new Koa();
  app.use(tenantContext({ orm }));
  app.use(async ctx => {
    if (ctx.method === 'POST') {
      await orm.em.persistAndFlush(orm.em.create(Note, { text: String(ctx.query['text']) }));
      ctx.status = 201;
    }

    ctx.body = (await orm.em.find(Note, {}, { orderBy: { id: 'asc' } })).map(({ text }) => text);
  });

  return app;
}
