// Serves requests for the tenants' hosts as a process of its own, and changes tenants, as it is told by messages of its parent.
import { currentSchema, tenantContext, TenantMixin, tenants } from '@landlord/mikro-orm';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { contextOf } from '../web/request-context.ts';
import { openOrm } from './open-orm.mjs';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: { suspended: p.boolean().default(false) } });
const NoteSchema = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });

class CreateNote extends Migration {
  up() {
    this.addSql('create table "note" ("id" serial primary key)');
  }
}

const orm = await openOrm(
  { tenant: Client, migrations: { migrationsList: [{ name: 'CreateNote', class: CreateNote }] } },
  { entities: [ClientSchema, NoteSchema], pool: { max: 4 } },
);
const middleware = tenantContext({ orm });

async function visit(host) {
  const begunAt = Date.now();
  const ctx = contextOf(host);
  let served = '';

  try {
    await middleware(ctx, async () => {
      served = ctx.state.tenant.suspended ? `${currentSchema()} is suspended` : currentSchema();
    });
  } catch (error) {
    served = error.code ?? String(error);
  }

  return { host, served, begunAt, servedAt: Date.now() };
}

const work = {
  visit: ([host]) => visit(host),
  // visits the hosts without end, and keeps each answer that differs from the one before
  load: async ([hosts, ms]) => {
    const seen = [];
    const last = new Map();
    let visits = 0;

    for (const end = Date.now() + ms; Date.now() < end;) {
      for (const host of hosts) {
        const answer = await visit(host);
        const before = last.get(host);
        visits += 1;

        if (before?.served === answer.served) {
          before.lastBegunAt = answer.begunAt;
        } else {
          const entry = { ...answer, lastBegunAt: answer.begunAt };
          last.set(host, entry);
          seen.push(entry);
        }
      }

      await new Promise(resolve => setImmediate(resolve));
    }

    return { seen, visits };
  },
  create: ([schemaName, domainUrl]) => orm.em.fork().persistAndFlush(new Client({ schemaName, domainUrl })),
  change: async ([schemaName, data]) => {
    const em = orm.em.fork();
    Object.assign(await em.findOneOrFail(Client, { schemaName }), data);
    await em.flush();
  },
  delete: async ([schemaName]) => {
    const em = orm.em.fork();
    await em.removeAndFlush(await em.findOneOrFail(Client, { schemaName }));
  },
  deleteSoftly: ([schemaName]) => tenants(orm).drop(schemaName, { soft: true }),
  restore: async ([schemaName]) => void (await tenants(orm).restore(schemaName)),
  close: async () => {
    await orm.close();
    process.disconnect();
  },
};

process.on('message', message => void answer(message));
process.send({ id: 0 });

async function answer({ id, name, args }) {
  try {
    const result = await work[name](args);

    if (process.connected) {
      process.send({ id, result });
    }
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
}
