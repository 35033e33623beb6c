import 'reflect-metadata';
import { pipeline, type Readable } from 'node:stream';
import { withoutTenantPath } from '@landlord/mikro-orm/fastify';
import { CurrentTenant, PublicGuard, TenantGuard, TenantsModule } from '@landlord/mikro-orm/nest';
import type { TenantMixin } from '@landlord/mikro-orm';
import {
  Body,
  Controller,
  Get,
  Module,
  Post,
  Req,
  Res,
  Sse,
  StreamableFile,
  UploadedFile,
  UseGuards,
  UseInterceptors,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, FileInterceptor, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { from, map } from 'rxjs';
import { decorate, decorateParameters } from './decorate.ts';
import {
  answerTo,
  endlessStream,
  events,
  longStream,
  readForm,
  scopeHere,
  whatIsLeft,
  who,
  type EdgeSetup,
  type Framework,
} from './edge-app.ts';

export const nestOnExpress: Framework = {
  name: 'Nest on Express',
  // Nest registers its parsers before every middleware
  parsers: ['before'],
  hasHttp2: false,
  hasTwoRouters: false,
  mounts: false,
  forwarded: 'first',
  serve: async setup => {
    // named: what Nest 12 would import by itself is not what tsx has loaded here
    const adapter = new ExpressAdapter();
    const options = { logger: false, abortOnError: false } as const;
    const app = await NestFactory.create<NestExpressApplication>(moduleOf(setup, 'express'), adapter, options);
    app.set('trust proxy', setup.trustProxy ?? false);

    return start(app, setup);
  },
};

export const nestOnFastify: Framework = {
  name: 'Nest on Fastify',
  parsers: ['after'],
  hasHttp2: true,
  hasTwoRouters: false,
  mounts: false,
  forwarded: 'last',
  serve: async setup => {
    const { trustProxy = false, http2 = false, stripPath } = setup;
    const adapter = new FastifyAdapter({
      trustProxy,
      forceCloseConnections: true,
      ...(http2 ? { http2: true } : {}),
      ...(stripPath === undefined ? {} : { rewriteUrl: withoutTenantPath(stripPath) }),
    } as object);
    adapter
      .getInstance()
      .addContentTypeParser('multipart/form-data', (request: any, payload: Readable) => readForm(request.headers['content-type'], payload));

    return start(await NestFactory.create(moduleOf(setup, 'fastify'), adapter, { logger: false, abortOnError: false }), setup);
  },
};

async function start(app: INestApplication, { found }: EdgeSetup): Promise<{ readonly port: number; close(): Promise<unknown> }> {
  app.use((_req: unknown, res: { on(event: 'close', fn: () => void): unknown }, next: () => void) => {
    found?.push(['before', whatIsLeft()]);
    res.on('close', () => found?.push(['after', whatIsLeft()]));
    next();
  });
  const server = await app.listen(0, '127.0.0.1');

  return {
    port: (server as { address(): { readonly port: number } }).address().port,
    close: async () => {
      (server as { closeAllConnections?(): void }).closeAllConnections?.();
      await app.close();
    },
  };
}

function moduleOf(setup: EdgeSetup, adapter: 'express' | 'fastify'): new () => object {
  const { orm, options = {}, stripPath } = setup;
  const stripped = stripPath === undefined || adapter === 'fastify' ? {} : { stripPath };

  class PublicController {
    about(tenant: TenantMixin | undefined, req: { readonly originalUrl: string }): unknown {
      return who(orm, 'public', { tenant, path: req.originalUrl });
    }
  }

  decorate(PublicController, [Controller(), UseGuards(PublicGuard)], { about: [Get('about')] });
  decorateParameters(PublicController, 'about', [CurrentTenant(), Req()]);

  class TenantController {
    who(tenant: TenantMixin | undefined, req: { readonly originalUrl: string }): unknown {
      return who(orm, 'tenant', { tenant, path: req.originalUrl });
    }

    scope(): unknown {
      return scopeHere();
    }

    json(body: unknown): unknown {
      return answerTo(orm, body);
    }

    form(body: { readonly name: string }, file: { readonly buffer: Buffer } | undefined): unknown {
      return answerTo(orm, file === undefined ? body : { name: body.name, file: file.buffer.toString() });
    }

    stream(): unknown {
      return new StreamableFile(longStream(orm));
    }

    endless(res: any): void {
      const body = endlessStream(setup);

      if (adapter === 'express') {
        pipeline(body, res, () => undefined);
      } else {
        res.send(body);
      }
    }

    events(): unknown {
      return from(events(orm)).pipe(map(data => ({ data })));
    }

    throw(): void {
      throw new Error('thrown');
    }

    async reject(): Promise<void> {
      await who(orm, 'tenant', {});
      throw new Error('thrown');
    }
  }

  decorate(TenantController, [Controller(), UseGuards(TenantGuard)], {
    who: [Get(['who', 't/:tenant/who'])],
    scope: [Get('scope')],
    json: [Post('json')],
    form: [Post('form'), ...(adapter === 'express' ? [UseInterceptors(FileInterceptor('file'))] : [])],
    stream: [Get('stream')],
    endless: [Get('endless')],
    events: [Sse('events')],
    throw: [Get('throw')],
    reject: [Get('reject')],
  });
  decorateParameters(TenantController, 'who', [CurrentTenant(), Req()]);
  decorateParameters(TenantController, 'json', [Body()]);
  decorateParameters(TenantController, 'form', adapter === 'express' ? [Body(), UploadedFile()] : [Body()]);
  decorateParameters(TenantController, 'endless', [Res()]);

  class AppModule {}

  Module({ imports: [TenantsModule.forRoot({ orm, ...options, ...stripped })], controllers: [PublicController, TenantController] })(
    AppModule,
  );

  return AppModule;
}
