// app.ts
import { schemaRouter, tenantContext } from '@landlord/mikro-orm';
import Router from '@koa/router';
import { MikroORM } from '@mikro-orm/postgresql';
import Koa from 'koa';
import { Book, Client } from './entities.js';
import config from './mikro-orm.config.js';

const orm = await MikroORM.init(config);
const koa = new Koa();
const publicRouter = new Router();
const tenantRouter = new Router();

publicRouter.post('/sign-up/:name', async ctx => {
  const name = String(ctx['params'].name);
  // the row, its schema and its tables, in one transaction
  await orm.em.persistAndFlush(new Client({ name, domainUrl: `${name}.example.com`, schemaName: name }));
  ctx.body = `${name} is at ${name}.example.com\n`;
});

tenantRouter.post('/books/:title', async ctx => {
  await orm.em.persistAndFlush(orm.em.create(Book, { title: String(ctx['params'].title) })); // insert into "acme"."book" …
  ctx.body = 'stored\n';
});

tenantRouter.get('/books', async ctx => {
  ctx.body = await orm.em.find(Book, {}); // select … from "acme"."book"
});

koa.use(tenantContext());
koa.use(schemaRouter({ public: publicRouter.routes(), tenant: tenantRouter.routes() }));
koa.listen(3000, () => console.log('http://localhost:3000'));
