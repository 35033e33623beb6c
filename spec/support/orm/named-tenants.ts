import { schemaRouter, tenantContext } from '@landlord/mikro-orm';
import Koa from 'koa';
import type { Library } from '../../../fixtures/entities/index.ts';
import { newLibrary, type LibraryOrm } from './library-orm.ts';

/** Tenants on hosts of every kind: names in two spellings, one beyond ASCII, and addresses. */
export async function createNamedTenants(orm: LibraryOrm): Promise<void> {
  await orm.em.fork().persistAndFlush(namedTenants());
}

/** Answers with the schema name of the request's tenant, and with `public` on the public hosts. */
export function appThatNamesTheTenant(): Koa {
  const name = (ctx: Koa.Context): void => {
    ctx.body = ctx.state.tenant?.schemaName ?? 'public';
  };
  const app = new Koa();
  app.use(tenantContext()).use(schemaRouter({ public: name, tenant: name }));

  return app;
}

function namedTenants(): Library[] {
  return [
    newLibrary('acme', { domainUrl: 'Acme.Example.com' }),
    newLibrary('bob', { domainUrl: 'www.bob.example.com' }),
    newLibrary('buecher', { domainUrl: 'bücher.example.com' }),
    newLibrary('six', { domainUrl: '[2001:DB8:0:0:0:0:0:7]' }),
    newLibrary('four', { domainUrl: '192.0.2.7' }),
  ];
}
