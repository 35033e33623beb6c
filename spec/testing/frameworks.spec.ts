import 'reflect-metadata';
import { tenantContext as fastifyContext } from '@landlord/mikro-orm/fastify';
import { tenantContext as honoContext } from '@landlord/mikro-orm/hono';
import { TenantsModule } from '@landlord/mikro-orm/nest';
import { asTenant, expectNoScope, inject, type TenantNames } from '@landlord/mikro-orm/testing';
import { Controller, Get, Module, Post, Query, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { expect } from 'chai';
import Fastify from 'fastify';
import { Hono } from 'hono';
import request from 'supertest';
import { Author, type Library } from '../../fixtures/entities/index.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openLibraryKit, type LibraryKit } from '../support/testing/library-kit.ts';
import { decorate, decorateParameters } from '../support/web/frameworks/decorate.ts';
import { authorsHere } from '../support/web/web-library.ts';

/** An application that is not started: `GET /` lists the tenant's authors, `POST /?name=…` adds one. */
interface App {
  send(tenant: TenantNames, method: 'get' | 'post', path: string): Promise<{ readonly status: number; readonly text: string }>;
  close(): Promise<unknown>;
}

const APPS: Readonly<Record<string, (orm: LibraryOrm) => Promise<App>>> = {
  'Nest on Express, by `getHttpServer()`': async orm => nestApp(await NestFactory.create(moduleOf(orm), { logger: false })),
  'Nest on Fastify, by `getHttpServer()`': async orm => {
    const app = await NestFactory.create<NestFastifyApplication>(moduleOf(orm), new FastifyAdapter(), { logger: false });
    const opened = await nestApp(app);
    await app.getHttpAdapter().getInstance().ready();

    return opened;
  },
  'Nest on Fastify, by `inject()`': async orm => {
    const app = await NestFactory.create<NestFastifyApplication>(moduleOf(orm), new FastifyAdapter(), { logger: false });
    await app.init();

    return injected(app, () => app.close());
  },
  'Fastify, by `inject()`': async orm => {
    const app = Fastify();
    await app.register(fastifyContext, { orm });
    app.get('/', () => authorsHere(orm));
    app.post('/', ({ query }) => addHere(orm, (query as { readonly name: string }).name));

    return injected(app, () => app.close());
  },
  'Hono, by `inject()`': async orm => {
    const app = new Hono();
    app.use(honoContext({ orm }));
    app.get('/', async context => context.json(await authorsHere(orm)));
    app.post('/', async context => context.json(await addHere(orm, context.req.query('name') ?? '')));

    return {
      send: async (tenant, method, path) => {
        const answer = await inject(app, tenant)(path, { method: method.toUpperCase() });

        return { status: answer.status, text: await answer.text() };
      },
      close: async () => undefined,
    };
  },
};

describe('a test of an application that is not started', () => {
  let kit: LibraryKit;
  let app: App | undefined;
  let acme: Library;
  let bob: Library;

  before(async () => {
    kit = await openLibraryKit('postgresql');
  });

  after(() => kit?.close());

  beforeEach(async function () {
    await kit.begin(this.currentTest?.title ?? '');
    [acme, bob] = [await kit.testTenant<Library>(), await kit.testTenant<Library>()];
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
    await kit.end();
  });

  for (const isForced of [false, true]) {
    it(`K1 an application that closes its ORM${isForced ? ' by force' : ''} leaves it to the tests that follow`, async () => {
      const closing = Fastify();
      await closing.register(fastifyContext, { orm: kit.orm });
      closing.get('/', () => authorsHere(kit.orm));
      closing.addHook('onClose', () => kit.orm.close(isForced));

      expect(((await inject(closing, acme)('/')) as { readonly statusCode: number }).statusCode).to.equal(200);
      await closing.close();
      await kit.end();
      await kit.begin('the next test');

      expect((await kit.testTenant<Library>()).schemaName).to.be.a('string');
      expect(await kit.orm.isConnected()).to.equal(true);
    });
  }

  it('K1 the ORM is closed with the kit, and can be closed after that', async () => {
    const other = await openLibraryKit('postgresql');
    await other.orm.close();
    expect(await other.outside(() => other.orm.isConnected())).to.equal(true);
    await other.close();
    expect(await other.orm.isConnected()).to.equal(false);
    await other.orm.close();
  });

  for (const [name, open] of Object.entries(APPS)) {
    it(`K1 sends requests of several tenants in its transaction, each in its own: ${name}`, async () => {
      app = await open(kit.orm);
      const opened = app;
      const send: App['send'] = (...args) => opened.send(...args);
      const read = async (tenant: TenantNames): Promise<string[]> =>
        (JSON.parse((await send(tenant, 'get', '/')).text) as string[]).toSorted();
      const answers = await Promise.all([
        send(acme, 'post', '/?name=Ann'),
        send(bob, 'post', '/?name=Bea'),
        send(acme, 'post', '/?name=Amy'),
        send({ schemaName: 'nobody', domainUrl: 'nobody.test' }, 'get', '/'),
      ]);

      expect(answers.map(({ status }) => status < 300)).to.deep.equal([true, true, true, false]);
      expect([await read(acme), await read(bob)]).to.deep.equal([['Amy', 'Ann'], ['Bea']]);
      await kit.expectUntouched('public');
      expectNoScope();

      await kit.end();
      await kit.begin('the next test');
      [acme, bob] = [await kit.testTenant<Library>(), await kit.testTenant<Library>()];
      expect([await read(acme), await read(bob)]).to.deep.equal([[], []]);
    });
  }
});

async function addHere(orm: LibraryOrm, name: string): Promise<string[]> {
  await orm.em.persistAndFlush(orm.em.create(Author, { name }));

  return authorsHere(orm);
}

async function nestApp(app: INestApplication): Promise<App> {
  await app.init();

  return {
    send: (tenant, method, path) => asTenant(request(app.getHttpServer()), tenant)[method](path),
    close: () => app.close(),
  };
}

function injected(app: { inject(options: any): any }, close: () => Promise<unknown>): App {
  return {
    send: async (tenant, method, path) => {
      const { statusCode, body } = await inject(app, tenant)(path, { method: method.toUpperCase() });

      return { status: statusCode, text: body };
    },
    close,
  };
}

function moduleOf(orm: LibraryOrm): new () => object {
  class AuthorsController {
    list(): Promise<string[]> {
      return authorsHere(orm);
    }

    add(name: string): Promise<string[]> {
      return addHere(orm, name);
    }
  }

  decorate(AuthorsController, [Controller()], { list: [Get()], add: [Post()] });
  decorateParameters(AuthorsController, 'add', [Query('name')]);

  class AppModule {}

  decorate(AppModule, [Module({ imports: [TenantsModule.forRoot({ orm })], controllers: [AuthorsController] })], {});

  return AppModule;
}
