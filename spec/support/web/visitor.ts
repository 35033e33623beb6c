import { currentSchema, tenantContext, TenantError, type TenantMixin } from '@landlord/mikro-orm';
import type { Context } from 'koa';
import type { LibraryOrm } from '../orm/library-orm.ts';
import { contextOf } from './request-context.ts';

/** The result of a request: a schema, or the code of the error. */
export interface Visit {
  readonly served: string;
  readonly tenant: TenantMixin<unknown> | undefined;
  readonly error: unknown;
}

/** Sends requests through `tenantContext()` without a socket. */
export function visitorOf(orm: LibraryOrm): (host: string, inside?: (ctx: Context) => unknown) => Promise<Visit> {
  const middleware = tenantContext({ orm });

  return async (host, inside) => {
    const ctx = contextOf(host);
    let served: string | undefined;

    try {
      await middleware(ctx, async () => {
        served = currentSchema();
        await inside?.(ctx);
      });
    } catch (error) {
      if (!(error instanceof TenantError)) {
        throw error;
      }

      return { served: error.code, tenant: undefined, error };
    }

    return { served: String(served), tenant: ctx.state.tenant, error: undefined };
  };
}
