import { currentTenant } from '@landlord/mikro-orm';
import { tenantContext } from '@landlord/mikro-orm/node';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { addBook, booksHere, openShop, PUBLIC_PAGE, untilStopped } from './shop.ts';

const orm = await openShop();
const server = createServer(
  tenantContext(async (req, res) => {
    const isTenant = currentTenant() !== undefined;
    const body = !isTenant ? PUBLIC_PAGE : req.method === 'POST' ? await addBook(orm, await json(req)) : await booksHere(orm);
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(body));
  }),
);
server.listen(0, '127.0.0.1', () => {
  untilStopped(orm, (server.address() as AddressInfo).port, () => new Promise(resolve => server.close(resolve)));
});
