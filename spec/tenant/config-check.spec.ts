import { TenantConfigError, TenantMixin, withTenants, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p } from '@mikro-orm/core';
import { defineConfig } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Author, Book, Genre, Library, Tag } from '../../fixtures/entities/index.ts';
import { failureOf } from '../support/assertions/failure.ts';

describe('checking the configuration', () => {
  it('W1 reports all that is wrong with the options at once', () => {
    const problems = problemsOf(() =>
      withTenants(
        { driver: class MySqlDriver {} as never, schema: 'a', migrations: { path: './same' } },
        {
          tenant: Genre as never,
          publicSchema: 'b',
          publicHosts: ['https://example.com', 'example.com:80'],
          migrations: { path: './same', tableName: 'x.history' },
        },
      ),
    );

    for (const word of ['MySqlDriver', 'TenantMixin', 'Both migration sets', 'tableName', '`publicSchema` is "b"']) {
      expect(
        problems.filter(problem => problem.includes(word)),
        word,
      ).to.have.length(1);
    }
  });

  it('W1 names each public host that is none', () => {
    const problems = problemsOf(() =>
      withTenants(defineConfig({}), { tenant: Library, publicHosts: ['https://example.com', 'fine.example.com', 'a b'] }),
    );

    expect(problems).to.have.length(2);
    expect(problems.join()).to.contain('https://example.com').and.to.contain('a b').and.not.to.contain('fine');
  });

  it('W1 names each option of the connections that is none', () => {
    const problemsWith = (connections: object): readonly string[] =>
      problemsOf(() => withTenants(defineConfig({}), { tenant: Library, connections }));

    expect(problemsWith({ preferServed: 1, maxTenants: 0 })).to.have.length(2);
    expect(problemsWith({ maxTenants: 1.5 }).join()).to.contain('`connections.maxTenants` is 1.5');
    expect(problemsWith({ memoryBudgetMb: 0 }).join()).to.contain('`connections.memoryBudgetMb` is 0');
    expect(problemsWith({ preferServed: 'yes' }).join()).to.contain('`connections.preferServed` is "yes"');
  });

  it('W1 names each limit that is none', () => {
    const problemsWith = (limits: object | number): readonly string[] =>
      problemsOf(() => withTenants(defineConfig({}), { tenant: Library, limits: limits as never }));

    expect(problemsWith({ concurrency: 0, queue: -1, timeoutMs: '5s' })).to.have.length(3);
    expect(problemsWith({ concurrency: 0 }).join()).to.contain('`limits.concurrency` is 0, but must be a whole number, above zero');
    expect(problemsWith({ queue: -1 }).join()).to.contain('`limits.queue` is -1, but must be a whole number, zero or more');
    expect(problemsWith(5).join()).to.contain('`limits` is 5');
  });

  it('W1 names each option of the directory that is none, and shows no URL', () => {
    const problems = problemsOf(() =>
      withTenants(defineConfig({}), {
        tenant: Library,
        directory: {
          max: 0,
          ttlMs: -1,
          unknownMax: 1.5,
          unknownTtlMs: Number.NaN,
          lookupTimeoutMs: '5s' as never,
          listen: { url: 'mysql://user:secret@host/db' },
          trigger: 'yes' as never,
          onUnavailable: 'wait' as never,
        },
      }),
    );

    for (const name of ['max', 'ttlMs', 'unknownMax', 'unknownTtlMs', 'lookupTimeoutMs', 'listen', 'trigger', 'onUnavailable']) {
      expect(
        problems.filter(problem => problem.includes(`\`directory.${name}\``)),
        name,
      ).to.have.length(1);
    }

    expect(problems.join()).to.not.contain('secret');
    expect(() =>
      withTenants(defineConfig({}), {
        tenant: Library,
        directory: { max: undefined as never, ttlMs: 1, listen: { url: 'postgres://host/db' }, onUnavailable: 'refuse' },
      }),
    ).not.to.throw();
  });

  it('W1 says what to pass where options, tenant or driver are missing', () => {
    expect(problemsOf(() => withTenants({}, undefined as unknown as TenantsOptions)).join())
      .to.contain('`driver` is not set')
      .and.to.contain('`tenant` is not set');
    expect(problemsOf(() => withTenants(defineConfig({ schema: '*' }), { tenant: Library })).join()).to.contain('"*"');
  });

  it('law 1, law 3: refuses SQL of a virtual entity that reads tenants’ tables without saying whose', async () => {
    const properties = { title: p.string() };
    const virtual = (name: string, expression: string | (() => string), schema?: string): object =>
      defineEntity({ name, expression, properties, ...(schema === undefined ? {} : { schema }) } as never);
    const refused = [
      virtual('Bare', 'select title from book'),
      virtual('Quoted', 'select title from public.genre join "book" on true'),
      virtual('Shouted', 'SELECT title FROM (Book)'),
      virtual('Star', 'select title from public.genre', '*'),
    ];
    const taken = [
      virtual('Shared', 'select name as title from public.genre'),
      virtual('Shelved', 'select title from public.book join bookshelf on true'),
      virtual('Asked', () => 'select title from book'),
      virtual('AskedStar', () => 'select title from book', '*'),
    ];
    const error = await failureOf(
      MikroORM.init(
        withTenants(
          defineConfig({
            dbName: 'never_connected',
            port: 1,
            entities: [Library, Author, Book, Genre, Tag, ...refused, ...taken] as never,
          }),
          { tenant: Library },
        ),
      ),
    );

    expect(error).to.be.instanceOf(TenantConfigError);
    expect((error as TenantConfigError).problems.map(problem => problem.split(' ')[0])).to.have.members([
      'Bare',
      'Quoted',
      'Shouted',
      'Star',
    ]);
  });

  for (const [what, extended] of Object.entries({ 'a class of defineEntity': false, 'a class that extends another tenant class': true })) {
    it(`W1 says that a config with a tenant entity is not wrapped, where MikroORM would miss its key: ${what}`, async () => {
      class Base extends TenantMixin {}
      class Client extends (extended ? Base : TenantMixin) {}
      const schema = defineEntity({ class: Client, name: 'Client', extends: TenantMixin, properties: { name: p.string() } });
      const error = await failureOf(() => MikroORM.init(defineConfig({ entities: [schema], dbName: 'none' })));

      expect(error).to.be.instanceOf(TenantConfigError);
      expect((error as TenantConfigError).message)
        .to.contain('withTenants(')
        .and.to.contain('Client')
        .and.not.to.contain('@PrimaryKey');
    });
  }

  it('W1 leaves MikroORM’s message where another entity has no key', async () => {
    const schema = defineEntity({ name: 'Keyless', properties: { name: p.string() } });
    const error = await failureOf(() => MikroORM.init(defineConfig({ entities: [schema], dbName: 'none' })));

    expect(String(error)).to.contain('Keyless entity is missing @PrimaryKey()');
  });

  it('W1 refuses nothing of a configuration that works', () => {
    expect(() => withTenants(defineConfig({}), { tenant: Library, publicHosts: ['example.com', '[::1]'] })).not.to.throw();
  });

  it('W1 reports all that is wrong with the entities at once, before any connection', async () => {
    class Shop extends TenantMixin {}
    const ShopSchema = defineEntity({ class: Shop, extends: TenantMixin, schema: '*', properties: {} });
    const Pinned = defineEntity({
      name: 'Pinned',
      properties: {
        id: p.integer().primary(),
        book: () => p.manyToOne(Book),
        tags: () => p.manyToMany(Tag),
        // MikroORM's types accept only one target
        about: () => p.manyToOne([Genre, Author] as unknown as typeof Genre),
        shelf: () => p.manyToMany([Genre, Author] as unknown as typeof Genre),
      },
    });
    const Enumerated = defineEntity({
      name: 'Enumerated',
      schema: '*',
      properties: {
        id: p.integer().primary(),
        kind: p.enum(() => ({ one: 'one' })).nativeEnumName('public.kind'),
      },
    });
    const error = await failureOf(
      MikroORM.init(
        withTenants(
          defineConfig({ dbName: 'never_connected', port: 1, entities: [ShopSchema, Pinned, Enumerated, Author, Book, Genre, Tag] }),
          { tenant: Shop },
        ),
      ),
    );

    expect(error).to.be.instanceOf(TenantConfigError);
    const { problems } = error as TenantConfigError;
    expect(problems.filter(problem => problem.startsWith('The tenant entity Shop'))).to.have.length(1);
    expect(problems.filter(problem => problem.startsWith('Pinned.book'))).to.have.length(1);
    expect(problems.filter(problem => problem.startsWith('Pinned.tags'))).to.have.length(1);
    expect(problems.filter(problem => /^Pinned\.(about|shelf) .* Author/.test(problem))).to.have.length(2);
    expect(problems.filter(problem => problem.startsWith('Enumerated.kind'))).to.have.length(1);
  });

  it('W1, S8 refuses a collection of shared entities whose links are a tenant’s, which would show them to the next one', async () => {
    const linked = (pivotSchema: object, targetSchema: object): object[] => {
      const Fair: any = make('Fair', {
        id: p.integer().primary(),
        sellers: () =>
          p
            .manyToMany(Seller)
            .pivotEntity(() => Stall)
            .inversedBy('fairs'),
      });
      const Seller: any = make('Seller', { id: p.integer().primary(), fairs: () => p.manyToMany(Fair).mappedBy('sellers') }, targetSchema);
      const Stall: any = make(
        'Stall',
        { fair: () => p.manyToOne(Fair).primary(), seller: () => p.manyToOne(Seller).primary() },
        pivotSchema,
      );

      return [Fair, Seller, Stall];
    };

    const [problem, ...others] = await problemsOfEntities(linked({ schema: '*' }, {}));
    expect(others).to.deep.equal([]);
    expect(problem).to.match(/^Fair\.sellers is a collection of shared entities .* \(Stall\)/);
    expect(await problemsOfEntities(linked({}, {}))).to.deep.equal([]);
    // told as a foreign key alone
    expect((await problemsOfEntities(linked({ schema: '*' }, { schema: '*' }))).filter(each => each.includes('links'))).to.deep.equal([]);
  });

  it('W1, law 2 refuses an inheritance tree of which only some entities are the tenants’', async () => {
    const trees: Readonly<Record<string, readonly [root: object, child: object]>> = {
      'in one table': [{ discriminatorColumn: 'kind', discriminatorValue: 'root' }, { discriminatorValue: 'child' }],
      'in several tables': [{ inheritance: 'tpt' }, {}],
    };
    const tree = ([ofRoot, ofChild]: readonly [object, object], rootSchema: object, childSchema: object): object[] => {
      const Root = make('Root', { id: p.integer().primary(), kind: p.string() }, { ...ofRoot, ...rootSchema });

      return [Root, make('Child', { text: p.string() }, { extends: Root, ...ofChild, ...childSchema })];
    };

    for (const [name, kind] of Object.entries(trees)) {
      for (const [rootSchema, childSchema] of [
        [{}, { schema: '*' }],
        [{ schema: '*' }, { schema: 'archive' }],
      ] as const) {
        const problems = await problemsOfEntities(tree(kind, rootSchema, childSchema));
        expect(problems, name).to.have.length(1);
        expect(problems[0]).to.match(/^Child has the schema .* Root/);
      }

      for (const schema of [{}, { schema: '*' }]) {
        expect(await problemsOfEntities(tree(kind, schema, schema)), name).to.deep.equal([]);
        expect(await problemsOfEntities(tree(kind, schema, {})), name).to.deep.equal([]);
      }
    }
  });

  it('W1 reports a tenant entity that is not among the entities, and that none is a tenant’s', async () => {
    const error = await failureOf(
      MikroORM.init(withTenants(defineConfig({ dbName: 'never_connected', port: 1, entities: [Genre] }), { tenant: Library })),
    );

    expect((error as TenantConfigError).code).to.equal('TENANT_CONFIG');
    expect((error as TenantConfigError).problems.join())
      .to.contain('Library is not in `entities`')
      .and.to.contain('No entity is a tenant entity');
  });
});

function problemsOf(fn: () => unknown): readonly string[] {
  let thrown: unknown;

  try {
    fn();
  } catch (error) {
    thrown = error;
  }

  expect(thrown).to.be.instanceOf(TenantConfigError);

  return (thrown as TenantConfigError).problems;
}

function make(name: string, properties: object, more: object = {}): any {
  return defineEntity({ name, properties, ...more } as never);
}

/** What is wrong with these entities, beside a tenant's and the tenants' own. No database is reached. */
async function problemsOfEntities(entities: readonly object[]): Promise<readonly string[]> {
  const config = defineConfig({
    dbName: 'never_connected',
    port: 1,
    entities: [Library, Author, Book, Genre, Tag, ...entities] as never,
  });

  try {
    await (await MikroORM.init(withTenants(config, { tenant: Library }))).close();

    return [];
  } catch (error) {
    if (!(error instanceof TenantConfigError)) {
      throw error;
    }

    return error.problems;
  }
}
