import { byPath, currentTenant } from '@landlord/mikro-orm';
import * as fastifyEdge from '@landlord/mikro-orm/fastify';
import * as honoEdge from '@landlord/mikro-orm/hono';
import { fastify, type FastifyInstance } from 'fastify';
import { Hono } from 'hono';

export async function fastifyWithoutPrefix(): Promise<FastifyInstance> {
  // #region fastify
  const app = fastify({ rewriteUrl: fastifyEdge.withoutTenantPath('/t/:tenant') });
  await app.register(fastifyEdge.tenantContext, { resolvers: [byPath('/t/:tenant')] });
  app.get('/books', () => `Books of ${currentTenant()?.schemaName}`); // GET /t/acme/books
  // #endregion fastify
  return app;
}

export async function fastifyWithPrefix(): Promise<FastifyInstance> {
  const app = fastify();
  await app.register(fastifyEdge.tenantContext, { resolvers: [byPath('/t/:tenant')] });
  // #region prefix
  await app.register(
    async routes => {
      routes.get('/books', () => `Books of ${currentTenant()?.schemaName}`); // GET /t/acme/books
    },
    { prefix: '/t/:tenant' },
  );
  // #endregion prefix
  return app;
}

export function honoWithoutPrefix(): Hono {
  // #region hono
  const app = new Hono({ getPath: honoEdge.withoutTenantPath('/t/:tenant') });
  app.use(honoEdge.tenantContext({ resolvers: [byPath('/t/:tenant')] }));
  app.get('/books', c => c.text(`Books of ${currentTenant()?.schemaName}`)); // GET /t/acme/books
  // #endregion hono
  return app;
}

export function honoWithPrefix(): Hono {
  const app = new Hono();
  app.use(honoEdge.tenantContext({ resolvers: [byPath('/t/:tenant')] }));
  const routes = new Hono().get('/books', c => c.text(`Books of ${currentTenant()?.schemaName}`));
  app.route('/t/:tenant', routes);
  return app;
}
