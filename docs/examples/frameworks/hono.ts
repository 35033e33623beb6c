import type { TenantEntityManager } from '@landlord/mikro-orm';
import { schemaRouter, tenantContext } from '@landlord/mikro-orm/hono';
import { Hono } from 'hono';
import { Book } from '../start/entities.js';

export function createApp(orm: { readonly em: TenantEntityManager }): Hono {
  const app = new Hono();
  const publicApp = new Hono();
  const tenantApp = new Hono();

  publicApp.get('/', c => c.text('The public page'));
  tenantApp.get('/', async c => {
    const books = await orm.em.find(Book, {});
    return c.text(`${c.get('tenant')?.schemaName}: ${books.map(({ title }) => title).join()}`);
  });

  // #region lines
  app.use(tenantContext());
  app.route('/', schemaRouter({ public: publicApp, tenant: tenantApp }));
  // #endregion lines

  return app;
}
