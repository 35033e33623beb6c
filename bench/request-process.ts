import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MikroORM, defineConfig } from '@mikro-orm/postgresql';
import Koa from 'koa';
import { APPLICATION, USED, useApplication } from './application.ts';
import type { Side } from './orm-process.ts';

/**
 * One application in a process of its own: with this library, or on MikroORM alone with a hard-wired fork. The latter never loads this library,
 * which changes classes of MikroORM.
 */
const [side, url] = process.argv.slice(2) as [Side, string];
const app = new Koa();
const options = { clientUrl: url, pool: { max: 10 } };

if (side === 'tenants') {
  const { runInTenant, tenantContext } = await import('@landlord/mikro-orm');
  const { migrationOf, Note, openOrm } = await import('./domain.ts');
  const orm = await openOrm(url, [migrationOf('Migration0', [])], 10, {}, APPLICATION);
  await runInTenant(USED, scoped => useApplication(() => scoped.fork()));
  app.use(tenantContext({ orm })).use(async ctx => {
    ctx.body = await orm.em.find(Note, {});
  });
} else {
  const { Note, NoteSchema } = await import('./note.ts');
  const orm = await MikroORM.init(defineConfig({ entities: [NoteSchema, ...APPLICATION], ...options }) as never);
  await useApplication(() => orm.em.fork({ schema: USED }));
  app.use(async ctx => {
    ctx.body = await orm.em.fork({ schema: ctx.host.slice(0, ctx.host.indexOf('.')) }).find(Note, {});
  });
}

const handle = app.callback();
const server = createServer((req, res) => void handle(req, res));
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
process.on('disconnect', () => process.exit());
process.send?.((server.address() as AddressInfo).port);
