import { runInTenant, TenantMixin, tenants, withTenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, MikroORM, p, wrap, type EntityData, type Options } from '@mikro-orm/core';
import { expect } from 'chai';
import fc from 'fast-check';
import { TenantRules } from '../../dist/scope/tenant-rules.js';
import { Author, Library } from '../../fixtures/entities/index.ts';
import { schemaNames, storedTenants } from '../support/databases/catalog.ts';
import { onDatabases } from '../support/databases/database.ts';
import { forAll } from '../support/generators/corpus.ts';
import { newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';

class Shop extends TenantMixin {
  // as many write it: all that is given is taken
  constructor(data: object) {
    super();
    Object.assign(this, data);
  }
}

const ShopSchema = defineEntity({ class: Shop, extends: TenantMixin, properties: { note: p.string().nullable() } });
const OwnerSchema = defineEntity({
  name: 'Owner',
  properties: { id: p.integer().primary(), name: p.string(), shop: () => p.manyToOne(Shop), shops: () => p.manyToMany(Shop) },
});
class Owner extends OwnerSchema.class {}
OwnerSchema.setClass(Owner);
const NoteSchema = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary() } });

const SETTINGS = ['autoCreateSchema', 'autoDropSchema'] as const;

const VALUES = [true, false, 'false', 0, {}, []];

/** Ways in which data becomes a tenant, or a part of one, that say that there is a setting in it. */
const REFUSING: Readonly<Record<string, (orm: LibraryOrm, body: Body) => unknown>> = {
  'the constructor': (_, body) => new Library(body as never),
  'em.create()': (orm, body) => orm.em.fork().create(Library, body as never),
  'em.create() of a managed one': (orm, body) => orm.em.fork().create(Library, { id: 1, ...body } as never, { managed: true }),
  'tenants().create()': (orm, body) => tenants(orm).create(body as never),
  'em.assign()': (orm, body) => orm.em.fork().assign(newLibrary('given'), body),
};

/** Ways of MikroORM’s own, which leave a setting out as they do what has no setter. */
const LEAVING_OUT: Readonly<Record<string, (orm: LibraryOrm, body: Body) => Library>> = {
  'wrap().assign()': (orm, body) => wrap(newLibrary('given')).assign(body as never, { em: orm.em.fork() }),
  'wrap().assign() that merges': (orm, body) =>
    wrap(newLibrary('given')).assign(body as never, {
      em: orm.em.fork(),
      mergeObjectProperties: true,
      convertCustomTypes: true,
    }),
  'em.merge()': (orm, body) => orm.em.fork().merge(Library, { id: 1, ...body } as EntityData<Library>),
  'em.map()': (orm, body) => orm.em.fork().map(Library, { id: 1, ...body, auto_create_schema: false, auto_drop_schema: true } as never),
};

onDatabases('what a body holds of a tenant’s settings', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
  });

  after(() => orm.close());

  for (const [way, take] of Object.entries(REFUSING)) {
    it(`T21 is refused by ${way}, before any SQL`, async () => {
      database.statements.length = 0;

      for (const setting of SETTINGS) {
        for (const value of VALUES) {
          const error = await refusal(async () => take(orm, bodyWith({ [setting]: value })));

          expect(error).to.include({ code: 'TENANT_SETTING_REFUSED', name: 'TenantSettingError', setting });
          expect(error.message).to.include(`\`${setting}\``);
        }
      }

      expect(database.statements).to.deep.equal([]);
    });
  }

  for (const [way, take] of Object.entries(LEAVING_OUT)) {
    it(`T21 is left out by ${way}`, () => {
      for (const setting of SETTINGS) {
        for (const value of VALUES) {
          expectUnset(orm, take(orm, bodyWith({ [setting]: value })));
        }
      }
    });
  }

  it('T21 is no setting of any tenant, whatever the keys are called and whichever way they take', async () => {
    const key = fc.constantFrom(...SETTINGS, '__proto__', 'constructor', 'prototype', 'adoptSchema', 'auto_drop_schema', 'name');
    const json = fc.oneof(
      fc.constantFrom(true, false, null, 'true'),
      fc.dictionary(key, fc.constantFrom(true, false, 'x'), { maxKeys: 3 }),
    );
    const body = fc
      .array(fc.tuple(key, json), { maxLength: 4 })
      .map(
        pairs =>
          `{${['"name":"A"', '"domainUrl":"a.example.com"', '"schemaName":"a"', ...pairs.map(pair => pair.map(part => JSON.stringify(part)).join(':'))].join()}}`,
      );

    await forAll(
      fc.tuple(body, fc.constantFrom(...Object.entries({ ...REFUSING, ...LEAVING_OUT }).filter(([way]) => way !== 'tenants().create()'))),
      ([text, [, take]]) => {
        let taken: unknown;

        try {
          taken = take(orm, JSON.parse(text) as Body);
        } catch {
          return;
        }

        expectUnset(orm, taken as Library);
      },
      400,
    );
  });

  it('T21 is nothing that every object has, should a prototype be polluted elsewhere', () => {
    const tenant = newLibrary('given');

    for (const everybodys of [Object.prototype, Function.prototype]) {
      Object.defineProperty(everybodys, 'autoDropSchema', { configurable: true, value: true });

      try {
        expectUnset(orm, tenant);
      } finally {
        delete (everybodys as { autoDropSchema?: unknown }).autoDropSchema;
      }
    }
  });

  it('T21 makes no tenant without its schema, and takes none away with its row', async () => {
    const body = JSON.parse(
      '{"name":"A","domainUrl":"a.example.com","schemaName":"visitor","__proto__":{"autoCreateSchema":false,"autoDropSchema":true},"constructor":{"autoCreateSchema":false,"autoDropSchema":true}}',
    ) as Body;
    const tenant = await tenants<Library>(orm).create(body as never);
    expect(await schemaNames(database)).to.deep.equal(['visitor']);

    await orm.em.fork().transactional(async em => {
      const row = await em.findOneOrFail(Library, { id: tenant.id });
      wrap(row).assign(JSON.parse('{"autoDropSchema":true,"constructor":{"autoDropSchema":true}}') as never);
      em.remove(row);
    });

    expect(await storedTenants(database)).to.deep.equal([]);
    expect(await schemaNames(database)).to.deep.equal(['visitor']);
    await database.query('drop schema visitor cascade');
  });

  it('T21 is set by an assignment, and is no part of what is sent', async () => {
    const tenant = newLibrary('quiet', { autoCreateSchema: false });
    tenant.autoDropSchema = true;

    expect(JSON.parse(JSON.stringify(tenant))).not.to.have.any.keys(...SETTINGS);
    await orm.em.fork().persistAndFlush(tenant);
    expect(await schemaNames(database)).to.deep.equal([]);
  });

  it('T21 is set by the second argument of the service too', async () => {
    await tenants<Library>(orm).create({ name: 'Later', domainUrl: 'later.example.com', schemaName: 'later' }, { autoCreateSchema: false });

    expect(await schemaNames(database)).to.deep.equal([]);
    await tenants(orm).provision('later');
    expect(await schemaNames(database)).to.deep.equal(['later']);
    await tenants(orm).drop('later');
  });
});

onDatabases('a schema that is there', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openLibrary(database);
    await orm.em.fork().persistAndFlush(newLibrary('kept'));
    await runInTenant('kept', em => em.persistAndFlush(em.create(Author, { name: 'Ann' })));
    const em = orm.em.fork();
    await em.removeAndFlush(await em.findOneOrFail(Library, { schemaName: 'kept' }));
    await database.query('create schema somebodys');
  });

  after(() => orm.close());

  for (const schemaName of ['kept', 'somebodys']) {
    it(`T21 is refused to a tenant without creation, and to one that has none and is renamed: ${schemaName}`, async () => {
      const error = await refusal(orm.em.fork().persistAndFlush(newLibrary(schemaName, { autoCreateSchema: false })));
      expect(error).to.include({ code: 'SCHEMA_ALREADY_EXISTS', schemaName });
      expect(error.message).to.include('adoptSchema');

      await orm.em.fork().persistAndFlush(newLibrary('bare', { autoCreateSchema: false }));
      expect(await refusal(tenants(orm).rename('bare', schemaName))).to.include({ code: 'SCHEMA_ALREADY_EXISTS', schemaName });

      expect(await storedTenants(database)).to.deep.equal(['bare']);
      await tenants(orm).drop('bare');
      expect(await schemaNames(database)).to.deep.equal(['kept', 'somebodys']);
    });
  }

  it('T21 is a tenant’s if its caller says so, with all that is in it, and only if the library made it', async () => {
    const data = (schemaName: string): any => ({ name: 'Again', domainUrl: 'again.example.com', schemaName });

    expect(await refusal(tenants(orm).create(data('somebodys'), { adoptSchema: true }))).to.include({ code: 'SCHEMA_PROTECTED' });
    expect(await refusal(tenants(orm).create(data('nobodys'), { adoptSchema: true }))).to.include({ code: 'SCHEMA_MISSING' });
    expect(await storedTenants(database)).to.deep.equal([]);
    // a property of that name is data like any other
    expect(await refusal(tenants(orm).create({ ...data('kept'), adoptSchema: true }))).to.include({ code: 'SCHEMA_ALREADY_EXISTS' });

    await tenants(orm).create(data('kept'), { adoptSchema: true });
    expect(await runInTenant('kept', async em => (await em.findAll(Author)).map(({ name }) => name))).to.deep.equal(['Ann']);
  });
});

onDatabases('a tenant in the data of another entity', database => {
  let orm: MikroORM<any, TenantEntityManager>;

  before(async () => {
    orm = (await MikroORM.init(
      withTenants({ ...database.options(), entities: [ShopSchema, OwnerSchema, NoteSchema] } as Partial<Options<any, any, any>>, {
        tenant: Shop,
      }),
    )) as MikroORM<any, TenantEntityManager>;
  });

  after(() => orm.close());

  it('T21 is given no setting either, also where its constructor takes all', () => {
    const shop = { schemaName: 'shop', domainUrl: 'shop.example.com', constructor: 'x' };

    for (const setting of SETTINGS) {
      const bad = { ...shop, [setting]: true };

      for (const data of [{ shop: bad }, { shop, shops: [shop, bad] }]) {
        expect(() => orm.em.fork().create(Owner, { name: 'O', ...data } as never))
          .to.throw()
          .with.property('code', 'TENANT_SETTING_REFUSED');
        const owner = orm.em.fork().create(Owner, { name: 'O' } as never);
        expect(() => orm.em.fork().assign(owner, data as never))
          .to.throw()
          .with.property('code', 'TENANT_SETTING_REFUSED');
      }

      expect(() => orm.em.fork().create(Shop, bad as never))
        .to.throw()
        .with.property('code', 'TENANT_SETTING_REFUSED');
    }
  });

  it('T21 has no setting as a column', async () => {
    class Mapped extends TenantMixin {}
    const MappedSchema = defineEntity({ class: Mapped, extends: TenantMixin, properties: { autoDropSchema: p.boolean() } });
    const error = await refusal(
      MikroORM.init(
        withTenants({ ...database.options(), entities: [MappedSchema, NoteSchema] } as Partial<Options<any, any, any>>, { tenant: Mapped }),
      ),
    );

    expect(error).to.include({ code: 'TENANT_CONFIG' });
    expect(error.message).to.include('Mapped.autoDropSchema is mapped as a property');
  });
});

type Body = Record<string, unknown>;

const bodyWith = (given: Body): Body => ({ name: 'A', domainUrl: 'a.example.com', schemaName: 'a', ...given });

function expectUnset(orm: LibraryOrm, tenant: Library): void {
  const rules = TenantRules.of(orm.config);

  expect(tenant).to.be.instanceOf(Library);
  expect([rules.settingOf(tenant, 'autoCreateSchema'), rules.settingOf(tenant, 'autoDropSchema')]).to.deep.equal([true, false]);
}
