import { createServer, type Server } from 'node:http';
import { currentTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { tenantContext, tenantUpgrade } from '@landlord/mikro-orm/node';
import { initTRPC } from '@trpc/server';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { applyWSSHandler } from '@trpc/server/adapters/ws';
import { WebSocketServer } from 'ws';
import { Book } from '../start/entities.js';

export function createApp(orm: { readonly em: TenantEntityManager }): Server {
  const { procedure, router: createRouter } = initTRPC.create();

  const router = createRouter({
    who: procedure.query(() => currentTenant()?.schemaName ?? 'nobody'),
    titles: procedure.query(async () => (await orm.em.find(Book, {})).map(({ title }) => title)),
    // each title is read when the one before it is sent
    eachTitle: procedure.subscription(async function* () {
      for (const { id } of await orm.em.find(Book, {}, { fields: ['id'] })) {
        yield (await orm.em.fork().findOneOrFail(Book, id)).title;
      }
    }),
  });

  // #region server
  const server = createServer(tenantContext(createHTTPHandler({ router })));

  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', tenantUpgrade(wss));
  applyWSSHandler({ wss, router });
  // #endregion server

  return server;
}
