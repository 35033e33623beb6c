import 'reflect-metadata';
import { once } from 'node:events';
import { currentSchema, withTenants, type TenantMixin } from '@landlord/mikro-orm';
import { CurrentTenant, TenantInterceptor, TenantsModule, type TenantsModuleOptions } from '@landlord/mikro-orm/nest';
import { EntityManager, type Options } from '@mikro-orm/core';
import { MikroOrmModule } from '@mikro-orm/nestjs';
import { Controller, Get, Inject, Injectable, UseInterceptors, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AbstractGraphQLDriver, Args, GraphQLModule, Int, Query, Resolver } from '@nestjs/graphql';
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { expect } from 'chai';
import { graphql } from 'graphql';
import { firstValueFrom } from 'rxjs';
import { WebSocket } from 'ws';
import { Author, Genre, Library } from '../../../fixtures/entities/index.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import { onDatabases } from '../../support/databases/database.ts';
import { LIBRARY_ENTITIES, openLibrary, ROOT, type LibraryOrm } from '../../support/orm/library-orm.ts';
import { freePort } from '../../support/web/free-port.ts';
import { decorate, decorateParameters } from '../../support/web/frameworks/decorate.ts';
import { moduleWith, nestApplications } from '../../support/web/frameworks/nest-applications.ts';
import { authorsHere, createLibraries, hostOf } from '../../support/web/web-library.ts';

onDatabases(
  'the module for Nest',
  database => {
    let orm: LibraryOrm;
    const { start, stop, portOf, get } = nestApplications();

    before(async () => {
      orm = await openLibrary(database);
      await createLibraries(orm, 'acme', 'bob');
      await orm.em.fork().persistAndFlush(orm.em.fork().create(Genre, { name: 'Poetry' }));
    });

    it('E1 S3 a resolver of GraphQL is in the scope of its request', async () => {
      const module = moduleWith(
        [TenantsModule.forRoot({ orm }), GraphQLModule.forRoot({ driver: SmallDriver, autoSchemaFile: true })],
        [],
        [resolverOfNames(orm)],
      );
      await start(module, 'Express');
      const names = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 'acme' : 'bob'));
      const answers = await Promise.all(names.map(name => get(hostOf(name), '/graphql?query={names(times:2)}')));

      expect(answers.map(({ body }) => body)).to.deep.equal(
        names.map(name => JSON.stringify({ data: { names: [`${name} ${name} Ann of ${name}`, `${name} ${name} Ann of ${name}`] } })),
      );
    });

    it('E1 S3 messages of a gateway are each in the scope of the host that opened their socket', async () => {
      await start(moduleWith([TenantsModule.forRoot({ orm })], [], [gatewayOf(orm)]), 'Express', created =>
        created.useWebSocketAdapter(new WsAdapter(created)),
      );
      const port = portOf();
      const sockets = await Promise.all(
        ['acme', 'bob', 'nobody'].map(async name => {
          const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: hostOf(name) } });
          await once(socket, 'open');

          return socket;
        }),
      );
      const heard = sockets.map(() => [] as unknown[]);
      sockets.forEach((socket, index) => socket.on('message', message => heard[index]?.push(JSON.parse((message as Buffer).toString()))));

      for (let n = 0; n < 10; n += 1) {
        sockets.forEach(socket => socket.send(JSON.stringify({ event: 'names', data: n })));
      }

      const ended = Promise.all(
        sockets.slice(0, 2).map(async (socket, index) => {
          while ((heard[index]?.length ?? 0) < 10) {
            await once(socket, 'message');
          }
        }),
      );
      await ended;
      const of = (name: string): unknown[] => Array.from({ length: 10 }, (_, n) => `${n} ${name} ${name} Ann of ${name}`);
      expect((heard[0] as { data: string }[]).map(({ data }) => data)).to.have.members(of('acme') as string[]);
      expect((heard[1] as { data: string }[]).map(({ data }) => data)).to.have.members(of('bob') as string[]);
      expect(JSON.stringify(heard[2])).to.not.contain('Ann of');
      sockets.forEach(socket => socket.terminate());
    });

    it('E1 S3 a message of a microservice is in the scope of the tenant that `message` names, and is refused without one', async () => {
      const port = await freePort();
      const message: TenantsModuleOptions['message'] = context => context.switchToRpc().getData<{ tenant?: string }>().tenant;
      const service = await NestFactory.createMicroservice(
        moduleWith([TenantsModule.forRoot({ orm, message })], [messagesController(orm)]),
        {
          transport: Transport.TCP,
          options: { port, host: '127.0.0.1' },
          logger: false,
          abortOnError: false,
        } as object,
      );
      await service.listen();
      const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { port, host: '127.0.0.1' } });
      const ask = (tenant: string | undefined): Promise<string> => firstValueFrom(client.send<string>('names', { tenant }));

      try {
        const names = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 'acme' : 'bob'));

        expect(await Promise.all(names.map(ask))).to.deep.equal(names.map(name => `${name} ${name} Ann of ${name}`));
        expect(await failureOf(() => ask('nobody'))).to.deep.include({ status: 'error' });
        expect(await failureOf(() => ask(undefined))).to.deep.include({ status: 'error' });
      } finally {
        client.close();
        await service.close();
      }
    });
    it('E1 S3 a microservice beside an application of HTTP has the scopes of messages with `inheritAppConfig`, and refuses them without', async () => {
      const message: TenantsModuleOptions['message'] = context => context.switchToRpc().getData<{ tenant?: string }>().tenant;
      const answers: unknown[] = [];

      for (const inheritAppConfig of [true, false]) {
        const port = await freePort();
        const options = { transport: Transport.TCP, options: { port, host: '127.0.0.1' } };
        const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { port, host: '127.0.0.1' } });
        await start(moduleWith([TenantsModule.forRoot({ orm, message })], [messagesController(orm)]), 'Express', async created => {
          created.connectMicroservice(options, { inheritAppConfig });
          await created.startAllMicroservices();
        });

        try {
          answers.push(await firstValueFrom(client.send<string>('names', { tenant: 'acme' })).catch(() => 'refused'));
        } finally {
          client.close();
          await stop();
        }
      }

      expect(answers).to.deep.equal(['acme acme Ann of acme', 'refused']);
    });
  },
  ['postgresql', 'pglite'],
);

onDatabases(
  'the module for Nest with MikroOrmModule',
  database => {
    const { start, stop, get } = nestApplications();
    let config: object;

    before(async () => {
      const orm = await openLibrary(database);
      await createLibraries(orm, 'acme', 'bob');
      await orm.close();
      config = withTenants({ ...database.options(), baseDir: ROOT, entities: LIBRARY_ENTITIES } as Partial<Options<any, any, any>>, {
        tenant: Library,
      });
    });

    for (const [title, registration] of Object.entries({
      forRoot: (options: TenantsModuleOptions) => TenantsModule.forRoot(options),
      forRootAsync: (options: TenantsModuleOptions) => TenantsModule.forRootAsync({ useFactory: async () => options }),
    })) {
      for (const adapter of ['Express', 'Fastify'] as const) {
        it(`E1 H1 ${title} serves each host its tenant with MikroOrmModule before it and after it, on ${adapter}`, async () => {
          for (const isFirst of [true, false]) {
            const mikroOrm = MikroOrmModule.forRoot(config as never);
            const module = moduleWith(isFirst ? [registration({}), mikroOrm] : [mikroOrm, registration({})], [booksController()]);
            await start(module, adapter);
            const names = Array.from({ length: 12 }, (_, index) => (index % 3 === 0 ? 'acme' : 'bob'));
            const answers = await Promise.all(names.map(name => get(hostOf(name), '/books')));

            expect(answers.map(({ body }) => body)).to.deep.equal(names.map(name => JSON.stringify([name, name, [`Ann of ${name}`]])));
            expect((await get('nobody.example.com', '/books')).status).to.equal(404);
            await stop();
          }
        });
      }
    }
  },
  ['postgresql', 'pglite'],
);

function booksController(): Type {
  class BooksController {
    readonly em: EntityManager;

    constructor(em: EntityManager) {
      this.em = em;
    }

    async list(tenant: TenantMixin | undefined): Promise<unknown> {
      return [tenant?.schemaName, currentSchema(), (await this.em.find(Author, {})).map(({ name }) => name)];
    }
  }

  decorate(BooksController, [Controller()], { list: [Get('books')] });
  decorateParameters(BooksController, 'list', [CurrentTenant()]);
  Inject(EntityManager)(BooksController, undefined, 0);

  return BooksController;
}

async function namesOf(orm: LibraryOrm, tenant: TenantMixin | undefined): Promise<string> {
  return `${tenant?.schemaName} ${currentSchema()} ${(await authorsHere(orm)).join()}`;
}

function resolverOfNames(orm: LibraryOrm): Type {
  class NamesResolver {
    names(times: number, tenant: TenantMixin | undefined): Promise<string[]> {
      return Promise.all(Array.from({ length: times }, () => namesOf(orm, tenant)));
    }
  }

  // what a compiler with metadata of decorators writes
  Reflect.defineMetadata('design:paramtypes', [Number, Object], NamesResolver.prototype, 'names');
  decorate(NamesResolver, [Resolver()], { names: [Query(() => [String])] });
  decorateParameters(NamesResolver, 'names', [Args('times', { type: () => Int }), CurrentTenant()]);
  Injectable()(NamesResolver);

  return NamesResolver;
}

function gatewayOf(orm: LibraryOrm): Type {
  class NamesGateway {
    handleConnection(client: { request?: unknown }, request: unknown): void {
      client.request = request;
    }

    async names(n: number, tenant: TenantMixin | undefined): Promise<object> {
      return { event: 'names', data: `${n} ${await namesOf(orm, tenant)}` };
    }
  }

  decorate(NamesGateway, [WebSocketGateway(), UseInterceptors(TenantInterceptor)], { names: [SubscribeMessage('names')] });
  decorateParameters(NamesGateway, 'names', [MessageBody(), CurrentTenant()]);

  return NamesGateway;
}

function messagesController(orm: LibraryOrm): Type {
  class MessagesController {
    names(tenant: TenantMixin | undefined): Promise<string> {
      return namesOf(orm, tenant);
    }
  }

  decorate(MessagesController, [Controller()], { names: [MessagePattern('names')] });
  decorateParameters(MessagesController, 'names', [CurrentTenant()]);

  return MessagesController;
}

/** Answers queries by GET. The drivers for Nest are servers of their own. */
class SmallDriver extends AbstractGraphQLDriver {
  async start({ schema }: { readonly schema?: unknown }): Promise<void> {
    this.httpAdapterHost.httpAdapter.get('/graphql', async (req: { query: { query: string } }, res: { json(body: unknown): unknown }) => {
      res.json(await graphql({ schema: schema as never, source: req.query.query, contextValue: { req } }));
    });
  }

  async stop(): Promise<void> {
    // nothing of its own is open
  }
}
