import { schemaRouter, tenantContext } from '@landlord/mikro-orm';
import Koa from 'koa';
import type { Library } from '../../../fixtures/entities/index.ts';
import { newLibrary, type LibraryOrm } from './library-orm.ts';

/** Tenants on hosts of every kind: names in two spellings, one beyond ASCII, and addresses. */
export async function createNamedTenants(orm: LibraryOrm): Promise<void> {
  await orm.em.fork().persistAndFlush(namedTenants());
}

/**
 * Answers with the schema name of the request's tenant, and with `public` on the public hosts. The headers `x-host` and `x-url-host` have the
 * hosts that Koa has for the request, encoded as in a URL.
 */
export function appThatNamesTheTenant(options: { readonly proxy?: boolean } = {}): Koa {
  const name = (ctx: Koa.Context): void => {
    ctx.body = ctx.state.tenant?.schemaName ?? 'public';
    ctx.set('x-host', encodeURIComponent(ctx.host));
    ctx.set('x-url-host', encodeURIComponent(ctx.URL.host ?? ''));
  };
  const app = new Koa(options);
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
