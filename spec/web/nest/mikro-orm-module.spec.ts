import 'reflect-metadata';
import { compileFunction } from 'node:vm';
import * as landlord from '@landlord/mikro-orm';
import { runInTenant, TenantEntityManager, withTenants } from '@landlord/mikro-orm';
import * as core from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import * as mikroNest from '@mikro-orm/nestjs';
import * as pglite from '@mikro-orm/pglite';
import * as postgresql from '@mikro-orm/postgresql';
import * as nest from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { transform } from '@swc/core';
import { expect } from 'chai';
import { onDatabases } from '../../support/databases/database.ts';
import { failureOf } from '../../support/assertions/failure.ts';
import type { SpecOrm } from '../../support/orm/open-orm.ts';
import { exampleCode } from '../../support/processes/examples.ts';
import { send, type HttpResponse } from '../../support/web/http.ts';

/** What is written in the place of `forRoot(config)` of the page about Nest. */
const REGISTRATIONS: Readonly<Record<string, string>> = {
  forRoot: 'forRoot(config)',
  'forRoot, an EntityManager for each request': 'forRoot({ ...config, scope: Scope.REQUEST })',
  'forRoot, entities of forFeature': 'forRoot({ ...config, entities: [Client], entitiesTs: [Client], autoLoadEntities: true })',
  'forRoot, no request context of its own': 'forRoot({ ...config, registerRequestContext: false })',
  'forRootAsync, a factory and a driver': 'forRootAsync({ useFactory: async () => config, driver: Driver })',
  'forRootAsync, a factory alone': 'forRootAsync({ useFactory: () => config })',
  'forRootAsync, a class and a driver': 'forRootAsync({ useClass: class { createMikroOrmOptions() { return config; } }, driver: Driver })',
};

class CreateBook extends Migration {
  override up(): void {
    this.addSql('create table "book" ("id" serial primary key, "title" varchar(255) not null);');
  }
}

onDatabases('the Nest application of the documentation', database => {
  let entities: Entities;
  let app: nest.INestApplication | undefined;
  let isFilled = false;

  before(async () => {
    entities = await load<Entities>(exampleCode('start/entities.ts'));
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  for (const [title, registration] of Object.entries(REGISTRATIONS)) {
    it(`G5 S1 serves each host its tenant’s rows, and finds the EntityManager by its class: ${title}`, async () => {
      const { AppModule } = await loadApp(registration);
      const port = await start(AppModule);
      await expectIsolation(port);
    });
  }

  it('G5 finds repositories, the ORM and the EntityManager by the classes that are MikroORM’s, and they are in the scope’s tenant', async () => {
    const { AppModule } = await loadApp(REGISTRATIONS['forRoot']!);
    await start(AppModule);
    const { Book } = entities;
    const driver = database.kind === 'pglite' ? pglite : postgresql;
    const orm: SpecOrm = app!.get(core.MikroORM);
    const repository = app!.get<core.EntityRepository<Named>>(mikroNest.getRepositoryToken(Book));

    for (const found of [app!.get(core.EntityManager), app!.get(driver.EntityManager)]) {
      expect(found).to.equal(orm.em).and.to.be.instanceOf(driver.EntityManager).and.to.be.instanceOf(TenantEntityManager);
    }

    expect(app!.get(driver.MikroORM)).to.equal(orm);
    expect(await runInTenant('bob', async () => (await repository.findAll()).map(({ title }) => title))).to.deep.equal(['of bob']);
    expect(await failureOf(() => repository.findAll())).to.be.instanceOf(core.ValidationError);
    expect(await failureOf(() => orm.em.fork().find(Book, {}))).to.have.property('code', 'TENANT_CONTEXT_REQUIRED');
  });

  it('G5 S1 a scope that is entered before the request context of @mikro-orm/nestjs goes on in it', async () => {
    const { AppModule, enterTenant } = await loadApp(REGISTRATIONS['forRoot']!, code =>
      code.replace("consumer.apply(enterTenant).forRoutes('*all');", 'void consumer;').replace('async function enterTenant', 'export $&'),
    );
    const port = await start(AppModule, enterTenant);
    await expectIsolation(port);
  });

  async function expectIsolation(port: number): Promise<void> {
    const at = (host: string): Promise<HttpResponse> => send({ port, host, path: '/books' });
    const names = Array.from({ length: 12 }, (_, index) => (index % 3 === 0 ? 'acme' : 'bob'));
    const answers = await Promise.all(names.map(name => at(`${name}.example.com`)));

    expect(answers.map(({ body }) => JSON.parse(body) as unknown)).to.deep.equal(names.map(name => ({ titles: [`of ${name}`], count: 1 })));
    expect((await at('nobody.example.com')).status).to.equal(404);
    expect(landlord.currentTenant()).to.equal(undefined);
  }

  async function loadApp(registration: string, change = (code: string) => code): Promise<App> {
    const { Client, Book } = entities;
    const config = withTenants({ ...database.options(), entities: [Client, Book], migrations: { path: 'migrations/public' } } as object, {
      tenant: Client,
      migrations: { migrationsList: [CreateBook] },
    });
    const code = `import { Scope } from '@nestjs/common'; import { Driver } from 'spec';\n${exampleCode('nestjs/app.module.ts')}`;

    return load<App>(change(code.replace('forRoot(config)', registration)), {
      '../start/entities.js': entities,
      '../start/mikro-orm.config.js': { __esModule: true, default: config },
      spec: { Driver: database.options().driver },
      '@mikro-orm/postgresql': database.kind === 'pglite' ? pglite : postgresql,
    });
  }

  async function start(AppModule: object, ...middlewares: readonly unknown[]): Promise<number> {
    app = await NestFactory.create(AppModule as new () => object, { logger: false, abortOnError: false });
    middlewares.forEach(each => app!.use(each));
    await fill(app.get(core.MikroORM));
    const server = await app.listen(0, '127.0.0.1');

    return (server as { address(): { readonly port: number } }).address().port;
  }

  async function fill(orm: SpecOrm): Promise<void> {
    if (isFilled) {
      return;
    }

    isFilled = true;
    await orm.schema.create();

    for (const name of ['acme', 'bob']) {
      const em = orm.em.fork();
      await em.persistAndFlush(new entities.Client({ name, domainUrl: `${name}.example.com`, schemaName: name }));
      await runInTenant(name, tenant => tenant.persistAndFlush(tenant.create(entities.Book, { title: `of ${name}` })));
    }
  }
});

/** The exports of a module, compiled as `nest build` does it. */
async function load<Exports>(source: string, modules: Readonly<Record<string, object | undefined>> = {}): Promise<Exports> {
  const { code } = await transform(source, {
    swcrc: false,
    module: { type: 'commonjs' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    },
  });
  const module = { exports: {} };
  const required: Readonly<Record<string, object | undefined>> = { ...MODULES, ...modules };
  compileFunction(code, ['module', 'exports', 'require'])(module, module.exports, (specifier: string) => required[specifier]);

  return module.exports as Exports;
}

const MODULES: Readonly<Record<string, object>> = {
  '@landlord/mikro-orm': landlord,
  '@mikro-orm/core': core,
  '@mikro-orm/nestjs': mikroNest,
  '@nestjs/common': nest,
};

interface Entities {
  readonly Client: new (data: landlord.TenantData) => landlord.TenantMixin;
  readonly Book: new () => Named;
}

interface Named {
  title: string;
}

interface App {
  readonly AppModule: object;
  readonly enterTenant?: unknown;
}
