import { Module, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { send } from '../http.ts';

/** One application after the other, each closed after its spec. */
export function nestApplications(): NestApplications {
  let app: INestApplication | undefined;

  const stop = async (): Promise<void> => {
    await app?.close();
    app = undefined;
  };

  afterEach(stop);

  async function start(
    module: Type,
    adapter: 'Express' | 'Fastify',
    prepare = (created: INestApplication): unknown => created,
  ): Promise<void> {
    const options = { logger: false, abortOnError: false } as const;
    app = await (adapter === 'Express' ? NestFactory.create(module, options) : NestFactory.create(module, new FastifyAdapter(), options));
    await prepare(app);
    await app.listen(0, '127.0.0.1');
  }

  function portOf(): number {
    return (app as INestApplication<{ address(): { readonly port: number } }>).getHttpServer().address().port;
  }

  function get(host: string, path: string): ReturnType<typeof send> {
    return send({ port: portOf(), path: encodeURI(path), headers: { host } });
  }

  return { start, stop, portOf, get };
}

export function moduleWith(imports: readonly unknown[], controllers: readonly Type[] = [], providers: readonly Type[] = []): Type {
  class AppModule {}

  Module({ imports: [...imports] as never, controllers: [...controllers], providers: [...providers] })(AppModule);

  return AppModule;
}

interface NestApplications {
  readonly start: (module: Type, adapter: 'Express' | 'Fastify', prepare?: (created: INestApplication) => unknown) => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly portOf: () => number;
  readonly get: (host: string, path: string) => ReturnType<typeof send>;
}
