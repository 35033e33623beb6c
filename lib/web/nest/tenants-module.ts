import {
  Inject,
  Module,
  RequestMethod,
  type DynamicModule,
  type FactoryProvider,
  type MiddlewareConsumer,
  type ModuleMetadata,
  type NestModule,
} from '@nestjs/common';
import { APP_INTERCEPTOR, HttpAdapterHost } from '@nestjs/core';
import type { RequestHandler } from 'express';
import { RoutingError } from '../../errors/index.js';
import { mount } from '../express/mount.js';
import { isProxyTrusted } from '../express/trusted-proxy.js';
import { keepScopeOfReplies } from '../fastify/keep-scope.js';
import { sentUrlOf } from '../fastify/tenant-path.js';
import { hostSeenBy, requestOf as requestOfFastify } from '../fastify/web-request.js';
import { PathPattern } from '../core/path-pattern.js';
import type { WebRequest } from '../core/web-request.js';
import { TENANTS_MODULE_OPTIONS, type TenantsModuleOptions } from './options.js';
import { TenantInterceptor } from './tenant-interceptor.js';
import { flowOf, tenantMiddleware } from './tenant-middleware.js';

/** The options of `TenantsModule.forRootAsync()`. */
export interface TenantsModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly useFactory: (...args: any[]) => TenantsModuleOptions | Promise<TenantsModuleOptions>;
  readonly inject?: FactoryProvider['inject'];
}

/**
 * Serves each request in the scope of its tenant, with the Express adapter and the Fastify adapter, and each message of gateways and
 * microservices in that of its own. Import it once, in the root module, before the modules whose middleware needs the scope. It goes together
 * with `MikroOrmModule` of `@mikro-orm/nestjs` in each of its ways of registration.
 */
export class TenantsModule implements NestModule {
  readonly #options: TenantsModuleOptions;
  readonly #host: HttpAdapterHost;

  static forRoot(options: TenantsModuleOptions = {}): DynamicModule {
    return moduleWith({ provide: TENANTS_MODULE_OPTIONS, useFactory: () => options });
  }

  static forRootAsync({ imports = [], inject = [], useFactory }: TenantsModuleAsyncOptions): DynamicModule {
    return { ...moduleWith({ provide: TENANTS_MODULE_OPTIONS, useFactory, inject }), imports };
  }

  constructor(options: TenantsModuleOptions, host: HttpAdapterHost) {
    this.#options = options;
    this.#host = host;
  }

  configure(consumer: MiddlewareConsumer): void {
    const { httpAdapter } = this.#host;

    // a microservice alone has none
    if (this.#options.middleware === false || typeof httpAdapter?.getType !== 'function') {
      return;
    }

    const isFastify = httpAdapter.getType() === 'fastify';
    const { stripPath } = this.#options;

    if (stripPath !== undefined && isFastify) {
      throw RoutingError.cannotStrip(stripPath);
    }

    if (stripPath !== undefined) {
      // a middleware of Nest's own runs below the whole path, and could not change it for the routes
      httpAdapter.use(strip(new PathPattern(stripPath)));
    }

    const requestOf = isFastify ? requestsOfFastify(httpAdapter.getInstance()) : requestOfExpress;
    consumer.apply(tenantMiddleware(this.#options, requestOf)).forRoutes({ path: '{*all}', method: RequestMethod.ALL });
  }
}

Module({})(TenantsModule);
Inject(TENANTS_MODULE_OPTIONS)(TenantsModule, undefined, 0);
Inject(HttpAdapterHost)(TenantsModule, undefined, 1);

function moduleWith(options: FactoryProvider): DynamicModule {
  return {
    module: TenantsModule,
    global: true,
    providers: [options, TenantInterceptor, { provide: APP_INTERCEPTOR, useExisting: TenantInterceptor }],
    exports: [TENANTS_MODULE_OPTIONS, TenantInterceptor],
  };
}

function requestsOfFastify(app: Parameters<typeof hostSeenBy>[0]): (raw: any) => WebRequest {
  const seen = hostSeenBy(app);
  keepScopeOfReplies(app, request => flowOf(request.raw));

  return raw => ({ ...requestOfFastify(seen(raw)), url: sentUrlOf(raw) ?? raw.originalUrl ?? raw.url });
}

function strip(prefix: PathPattern): RequestHandler {
  return (req, res, next) => {
    const found = prefix.matchTarget(req.url);

    if (found !== undefined) {
      mount(req, res, found.mountPath);
    }

    next();
  };
}

// a middleware of Nest is mounted at the whole path, so that `url` is not that of the request
function requestOfExpress(req: any): WebRequest {
  const { headers, rawHeaders, httpVersionMajor, originalUrl: url } = req;

  return { headers, rawHeaders, httpVersionMajor, url, forwardedHost: isProxyTrusted(req) ? headers['x-forwarded-host'] : undefined };
}
