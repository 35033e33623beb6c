import { serve } from '@hono/node-server';
import { schemaRouter, tenantContext } from '@landlord/mikro-orm/hono';
import { Hono } from 'hono';
import { addBook, booksHere, openShop, PUBLIC_PAGE, untilStopped } from './shop.ts';

const orm = await openShop();
const publicRouter = new Hono().get('/', c => c.json(PUBLIC_PAGE));
const tenantRouter = new Hono();
tenantRouter.get('/', async c => c.json(await booksHere(orm)));
tenantRouter.post('/books', async c => c.json(await addBook(orm, await c.req.json())));

const app = new Hono();
app.use(tenantContext());
app.route('/', schemaRouter({ public: publicRouter, tenant: tenantRouter }));
const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
  untilStopped(orm, port, () => new Promise(resolve => server.close(resolve)));
});
