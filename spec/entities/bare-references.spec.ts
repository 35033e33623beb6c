import { runInPublic, runInTenant, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, helper, p, ref, Reference, rel, type EntityClass, type EntityManager } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';

class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

const WriterSchema = defineEntity({ name: 'Writer', schema: '*', properties: { id: p.integer().primary(), name: p.string().nullable() } });

class Writer extends WriterSchema.class {}
WriterSchema.setClass(Writer);

const WorkSchema = defineEntity({
  name: 'Work',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    writer: () => p.manyToOne(Writer).ref().nullable(),
    editor: () => p.manyToOne(Writer).nullable(),
    proofreader: () => p.oneToOne(Writer).owner().nullable(),
    helpers: () => p.manyToMany(Writer),
  },
});

class Work extends WorkSchema.class {
  override editor: any = rel(Writer as EntityClass<Writer>, 1 as never);
}
WorkSchema.setClass(Work);

/** Its key is made of others' keys. */
const CreditSchema = defineEntity({
  name: 'Credit',
  schema: '*',
  properties: { work: () => p.manyToOne(Work).primary(), writer: () => p.manyToOne(Writer).primary() },
});

class Credit extends CreditSchema.class {}
CreditSchema.setClass(Credit);

/** Every way to make a reference to one. */
const CREDITS: Readonly<Record<string, (em: EntityManager, key: any) => any>> = {
  'em.getReference()': (em, key) => em.getReference(Credit, key),
  'em.getReference() with `wrapped`': (em, key) => em.getReference(Credit, key, { wrapped: true } as never),
  'em.getReference() with a schema': (em, key) => em.getReference(Credit, key, { schema: 'acme' } as never),
  'ref()': (_, key) => ref(Credit as EntityClass<Credit>, key as never),
  'rel()': (_, key) => rel(Credit as EntityClass<Credit>, key as never),
  'Reference.createFromPK()': (_, key) => Reference.createFromPK(Credit, key as never),
};

/** References that no EntityManager makes. */
const REFERENCES: Readonly<Record<string, (key: number) => any>> = {
  'ref()': key => ref(Writer as EntityClass<Writer>, key as never),
  'rel()': key => rel(Writer as EntityClass<Writer>, key as never),
  'Reference.createFromPK()': key => Reference.createFromPK(Writer, key),
  'Reference.createNakedFromPK()': key => Reference.createNakedFromPK(Writer, key),
};

onDatabases('a reference that is made of a key', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openOrm(database, { tenant: Client, autoCreateSchema: false }, { entities: [Client, Writer, Work, Credit] });
    await orm.schema.create();

    for (const name of ['acme', 'bob']) {
      await orm.em.fork().persistAndFlush(new Client({ schemaName: name, domainUrl: `${name}.example.com` }));
      await database.query(`create schema ${name}`);
      await database.query(`create table ${name}.writer (id int primary key, name text)`);
      await database.query(
        `create table ${name}.work (id int primary key, writer_id int references ${name}.writer, editor_id int references ${name}.writer, proofreader_id int unique references ${name}.writer)`,
      );
      await database.query(
        `create table ${name}.work_helpers (work_id int references ${name}.work, writer_id int references ${name}.writer, primary key (work_id, writer_id))`,
      );
      await database.query(`insert into ${name}.writer values (1, '${name} 1'), (2, '${name} 2')`);
    }
  });

  beforeEach(async () => {
    for (const name of ['acme', 'bob']) {
      await database.query(`truncate ${name}.work_helpers, ${name}.work`);
    }
  });

  const worksOf = (name: string): Promise<unknown> => database.query(`select id, writer_id, editor_id from ${name}.work`);
  const tenantOf = (reference: object): unknown => helper(Reference.unwrapReference(reference)).__schema;

  for (const [how, make] of Object.entries(REFERENCES)) {
    it(`R6 names the tenant of the scope: ${how}`, async () => {
      await runInTenant('acme', async em => {
        expect(tenantOf(make(2))).to.equal('acme');
        const work = em.create(Work, { id: 1, writer: make(2), helpers: [make(2)] } as never);
        await em.flush();
        expect(work.writer?.unwrap()).to.equal(await em.findOne(Writer, 2));
        expect(await work.writer?.loadProperty('name')).to.equal('acme 2');
        expect(await runInTenant('bob', () => tenantOf(make(2)))).to.equal('bob');
        expect(tenantOf(make(2))).to.equal('acme');
      });

      expect(await worksOf('acme')).to.deep.equal([{ id: 1, writer_id: 2, editor_id: 1 }]);
      expect(await database.query('select * from acme.work_helpers')).to.deep.equal([{ work_id: 1, writer_id: 2 }]);
      expect(await worksOf('bob')).to.deep.equal([]);
    });

    it(`R6, law 2: is refused in another tenant than the one it was made in: ${how}`, async () => {
      const foreign = await runInTenant('acme', () => ({ reference: make(2) }));
      const put: Readonly<Record<string, (em: EntityManager, reference: any) => unknown>> = {
        'em.create()': (em, reference) => em.create(Work, { id: 1, writer: reference } as never),
        'em.assign()': (em, reference) => em.assign(em.create(Work, { id: 1 } as never), { writer: reference }),
        'a property': (em, reference) => void Object.assign(em.create(Work, { id: 1 } as never), { writer: reference }),
        'a property of a new entity': (em, reference) => em.persist(Object.assign(new Work(), { id: 1, editor: reference })),
        'a property of a merged entity': (em, reference) => em.merge(Object.assign(new Work(), { id: 1, editor: reference })),
        'a 1:1 of a new entity': (em, reference) => em.persist(Object.assign(new Work(), { id: 1, proofreader: reference })),
        'a 1:1 of a merged entity': (em, reference) => em.merge(Object.assign(new Work(), { id: 1, proofreader: reference })),
        'a collection': (em, reference) => em.create(Work, { id: 1 } as never).helpers.add(reference),
        'a condition': (em, reference) => em.find(Work, { writer: reference }),
        'an insert': (em, reference) => em.insert(Work, { id: 1, writer: reference }),
        'an upsert': (em, reference) => em.upsert(Work, { id: 1, writer: reference }),
        itself: (em, reference) => em.remove(reference),
      };

      for (const [where, work] of Object.entries(put)) {
        await refusal(
          runInTenant('bob', async em => {
            await work(em, foreign.reference);
            await em.flush();
          }),
          'CROSS_TENANT',
          where,
        );
      }

      expect(await worksOf('bob')).to.deep.equal([]);
      expect(await database.query('select id from bob.writer order by id')).to.deep.equal([{ id: 1 }, { id: 2 }]);
    });

    it(`R6, law 1: is refused where there is no tenant: ${how}`, async () => {
      database.statements.length = 0;
      await refusal(() => make(1), 'TENANT_CONTEXT_REQUIRED');
      expect(database.statements).to.deep.equal([]);
      await refusal(
        runInPublic(() => make(1)),
        'TENANT_CONTEXT_REQUIRED',
      );
    });
  }

  for (const [how, make] of Object.entries(CREDITS)) {
    it(`R6, law 2: is refused with a key that is made of another tenant’s entities: ${how}`, async () => {
      const [work, writer] = await runInTenant('bob', async em => [em.getReference(Work, 1), await em.findOneOrFail(Writer, 2)] as const);
      await runInTenant('acme', async em => {
        const own = [em.getReference(Work, 1), em.getReference(Writer, 2)];

        for (const key of [
          [work, writer],
          [work, 2],
          [1, writer],
          [own[0], ref(writer)],
        ]) {
          await refusal(() => make(em, key), 'CROSS_TENANT');
        }

        const credit: Credit = Reference.unwrapReference(make(em, own));
        expect([tenantOf(credit), credit.work.id, credit.writer.id]).to.deep.equal(['acme', 1, 2]);
        expect([tenantOf(credit.work), tenantOf(credit.writer)]).to.deep.equal(['acme', 'acme']);
      });
    });
  }

  it('R6 is of the tenant that an entity is made for, where its class has it from the beginning', async () => {
    await runInTenant('acme', async em => {
      expect(tenantOf(new Work().editor)).to.equal('acme');
      expect(tenantOf(em.create(Work, { id: 1 } as never).editor)).to.equal('acme');
      await em.flush();
    });
    const em = orm.em.fork({ schema: 'bob' });
    expect(tenantOf(em.create(Work, { id: 1 } as never).editor)).to.equal('bob');
    await em.flush();
    expect(tenantOf(orm.em.fork().create(Work, { id: 2 } as never, { schema: 'bob' }).editor)).to.equal('bob');

    for (const name of ['acme', 'bob']) {
      expect(await worksOf(name)).to.deep.equal([{ id: 1, writer_id: null, editor_id: 1 }]);
    }
  });
});
