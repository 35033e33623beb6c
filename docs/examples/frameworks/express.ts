import type { TenantEntityManager } from '@landlord/mikro-orm';
import { schemaRouter, tenantContext } from '@landlord/mikro-orm/express';
import express, { Router, type Express } from 'express';
import { Book } from '../start/entities.js';

export function createApp(orm: { readonly em: TenantEntityManager }): Express {
  const app = express();
  const publicRouter = Router();
  const tenantRouter = Router();

  publicRouter.get('/', (_req, res) => void res.send('The public page'));
  tenantRouter.get('/', async (req, res) => {
    const books = await orm.em.find(Book, {});
    res.send(`${req.tenant?.schemaName}: ${books.map(({ title }) => title).join()}`);
  });

  app.use(express.json());
  // #region lines
  app.use(tenantContext());
  app.use(schemaRouter({ public: publicRouter, tenant: tenantRouter }));
  // #endregion lines

  return app;
}
