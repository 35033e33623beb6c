import { onTenantEnd, requireTenant, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { tenantContext, tenantUpgrade } from '@landlord/mikro-orm/node';
import { createServer, type Server } from 'node:http';
import { WebSocketServer } from 'ws';
import { Book } from '../bookshop/entities.js';

// #region sockets
/** Answers each message with the number of books whose title contains it, in the tenant of the socket. */
export function createSocketServer(em: TenantEntityManager): Server {
  const sockets = new WebSocketServer({ noServer: true });

  sockets.on('connection', socket => {
    const answer = async (text: string): Promise<void> => {
      const books = await em.count(Book, { title: { $ilike: `%${text}%` } });
      socket.send(`${requireTenant().schemaName}: ${books}`);
    };
    socket.on('message', data => void answer((data as Buffer).toString()));
  });

  return createServer(tenantContext((_req, res) => res.end('ok'))).on('upgrade', tenantUpgrade(sockets));
}
// #endregion sockets

// #region other
/** What is open for a tenant outside of a web socket ends with it in the same way. */
export function follow(schemaName: string, close: (reason: string) => void): Promise<() => void> {
  return runInTenant(schemaName, () => onTenantEnd(close));
}
// #endregion other
