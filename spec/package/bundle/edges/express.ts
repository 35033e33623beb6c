import { schemaRouter, tenantContext } from '@landlord/mikro-orm/express';
import express, { Router } from 'express';
import type { AddressInfo } from 'node:net';
import { addBook, booksHere, openShop, PUBLIC_PAGE, untilStopped } from './shop.ts';

const orm = await openShop();
const publicRouter = Router().get('/', (_req, res) => void res.json(PUBLIC_PAGE));
const tenantRouter = Router();
tenantRouter.get('/', async (_req, res) => void res.json(await booksHere(orm)));
tenantRouter.post('/books', async (req, res) => void res.json(await addBook(orm, req.body)));

const app = express();
app.set('env', 'test');
app.use(express.json());
app.use(tenantContext());
app.use(schemaRouter({ public: publicRouter, tenant: tenantRouter }));
const server = app.listen(0, '127.0.0.1', () => {
  untilStopped(orm, (server.address() as AddressInfo).port, () => new Promise(resolve => server.close(resolve)));
});
