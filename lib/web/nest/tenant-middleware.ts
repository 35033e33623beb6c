import type { IncomingMessage } from 'node:http';
import { HttpException } from '@nestjs/common';
import type { HttpTenantError } from '../../errors/index.js';
import { leaveScope } from '../../orm/mikro-context.js';
import { keepFlow, type AsyncFlow } from '../../scope/async-flow.js';
import { exposeTenant } from '../core/found-tenant.js';
import { identify } from '../core/identify.js';
import { keepScopeOfBody, keepScopeOfPipes } from '../core/keep-scope.js';
import { runAs } from '../core/run-as.js';
import type { WebRequest } from '../core/web-request.js';
import type { TenantsModuleOptions } from './options.js';

/** The middleware of the module, for both adapters. What it throws reaches the exception filters. */
export function tenantMiddleware(
  options: TenantsModuleOptions,
  requestOf: (req: any) => WebRequest,
): (req: any, res: any, next: (error?: unknown) => void) => Promise<void> {
  const { notFound } = options;

  return async (req: Marked, res, next) => {
    const identified = identify(requestOf(req), options, req);
    const found = identified instanceof Promise ? await identified : identified;
    const goOn = (error?: unknown): void => {
      req[FLOW] = keepFlow();
      keepScopeOfPipes(res);
      keepScopeOfBody(req);
      next(error);
    };

    if (found.kind === 'unknown' && typeof notFound === 'function') {
      await leaveScope(async () => notFound(req, res, goOn));
      return;
    }

    if (found.kind !== 'tenant' && found.kind !== 'public') {
      throw toException(found.error, res);
    }

    if (found.kind === 'tenant') {
      exposeTenant(req, found);
    }

    runAs(found, () => goOn());
  };
}

/** The flow in which the request is served, by the request of Node. */
export function flowOf(raw: object): AsyncFlow | undefined {
  return (raw as Marked)[FLOW];
}

function toException(error: HttpTenantError, res: { setHeader(name: string, value: string): unknown }): HttpException {
  // filters of Nest send no headers of an exception
  Object.entries(error.headers).forEach(([name, value]) => res.setHeader(name, value));

  return new HttpException(error.message, error.status, { cause: error });
}

const FLOW = Symbol('landlord.flow');

interface Marked extends IncomingMessage {
  [FLOW]?: AsyncFlow;
}
