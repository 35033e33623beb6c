import { createServer, type Server } from 'node:http';
import { currentTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { tenantContext, tenantUpgrade } from '@landlord/mikro-orm/node';
import { WebSocketServer } from 'ws';
import { Book } from '../start/entities.js';

export function createApp(orm: { readonly em: TenantEntityManager }): Server {
  const page = async (): Promise<string> => {
    const tenant = currentTenant();

    if (tenant === undefined) {
      return 'The public page';
    }

    const books = await orm.em.find(Book, {});
    return `${tenant.schemaName}: ${books.map(({ title }) => title).join()}`;
  };

  // #region lines
  const server = createServer(
    tenantContext(async (_req, res) => {
      res.end(await page());
    }),
  );
  // #endregion lines

  // #region sockets
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', tenantUpgrade(sockets));
  sockets.on('connection', client => {
    client.on('message', () => void page().then(text => client.send(text)));
  });
  // #endregion sockets

  return server;
}
