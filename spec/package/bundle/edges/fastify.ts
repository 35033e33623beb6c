import { schemaRouter, tenantContext } from '@landlord/mikro-orm/fastify';
import { fastify, type FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { addBook, booksHere, openShop, PUBLIC_PAGE, untilStopped } from './shop.ts';

const orm = await openShop();
const app = fastify();
await app.register(tenantContext);
await app.register(schemaRouter, {
  public: async (routes: FastifyInstance) => {
    routes.get('/', async () => PUBLIC_PAGE);
  },
  tenant: async (routes: FastifyInstance) => {
    routes.get('/', () => booksHere(orm));
    routes.post('/books', ({ body }) => addBook(orm, body));
  },
});
await app.listen({ port: 0, host: '127.0.0.1' });
untilStopped(orm, (app.server.address() as AddressInfo).port, async () => app.close());
