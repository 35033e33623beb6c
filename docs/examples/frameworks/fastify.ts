import type { TenantEntityManager } from '@landlord/mikro-orm';
import { schemaRouter, tenantContext } from '@landlord/mikro-orm/fastify';
import { fastify, type FastifyInstance } from 'fastify';
import { Book } from '../start/entities.js';

export async function createApp(orm: { readonly em: TenantEntityManager }): Promise<FastifyInstance> {
  const app = fastify();

  const publicRoutes = async (routes: FastifyInstance): Promise<void> => {
    routes.get('/', async () => 'The public page');
  };
  const tenantRoutes = async (routes: FastifyInstance): Promise<void> => {
    routes.get('/', async request => {
      const books = await orm.em.find(Book, {});
      return `${request.tenant?.schemaName}: ${books.map(({ title }) => title).join()}`;
    });
  };

  // #region lines
  await app.register(tenantContext);
  await app.register(schemaRouter, { public: publicRoutes, tenant: tenantRoutes });
  // #endregion lines

  return app;
}
