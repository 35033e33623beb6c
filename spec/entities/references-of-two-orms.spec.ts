import { runInPublic, runInTenant, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity, helper, p, ref, Reference, rel, type EntityClass } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabases } from '../support/databases/database.ts';
import { openBeside, openOrm, type SpecOrm } from '../support/orm/open-orm.ts';

class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

const WriterSchema = defineEntity({ name: 'Writer', schema: '*', properties: { id: p.integer().primary() } });

class Writer extends WriterSchema.class {}
WriterSchema.setClass(Writer);

/** What a constructor does, beside its own. */
let making: (() => void) | undefined;

const WorkSchema = defineEntity({
  name: 'Work',
  schema: '*',
  properties: { id: p.integer().primary(), writer: () => p.manyToOne(Writer).ref().nullable(), editor: () => p.manyToOne(Writer) },
});

class Work extends WorkSchema.class {
  override editor: any = this.begin();

  private begin(): unknown {
    making?.();

    return rel(Writer as EntityClass<Writer>, 1 as never);
  }
}
WorkSchema.setClass(Work);

const OnlyHereSchema = defineEntity({ name: 'OnlyHere', schema: '*', properties: { id: p.integer().primary() } });

class OnlyHere extends OnlyHereSchema.class {}
OnlyHereSchema.setClass(OnlyHere);

/** References that no EntityManager makes. */
const REFERENCES: Readonly<Record<string, (entity: EntityClass<any>) => any>> = {
  'ref()': entity => ref(entity, 2),
  'rel()': entity => rel(entity, 2),
  'Reference.createFromPK()': entity => Reference.createFromPK(entity, 2),
};

const tenantOf = (reference: object): unknown => helper(Reference.unwrapReference(reference)).__schema;

onDatabases(
  'references that are made of a key, with two ORMs of the same classes',
  database => {
    let orms: Readonly<Record<'first' | 'second', SpecOrm>>;

    before(async () => {
      const first = await openOrm(database, { tenant: Client, autoCreateSchema: false }, { entities: [Client, Writer, Work] });
      await first.schema.create();

      for (const name of ['acme', 'bob']) {
        await first.em.fork().persistAndFlush(new Client({ schemaName: name, domainUrl: `${name}.example.com` }));
        await database.query(`create schema ${name}`);
        await database.query(`create table ${name}.writer (id int primary key)`);
        await database.query(`create table ${name}.work (id int primary key, writer_id int, editor_id int)`);
        await database.query(`insert into ${name}.writer values (1), (2)`);
      }

      const second = await openBeside(database, first, { contextName: 'second', entities: [Client, Writer, Work, OnlyHere] });
      orms = { first, second };
    });

    for (const [inner, outer] of [
      ['first', 'second'],
      ['second', 'first'],
    ] as const) {
      for (const [how, make] of Object.entries(REFERENCES)) {
        it(`R6 ${how} is of the tenant of the innermost scope, which is the ${inner} ORM’s`, async () => {
          const [own, other] = [{ orm: orms[inner] }, { orm: orms[outer] }];

          for (const enterOuter of [
            (fn: () => Promise<unknown>) => runInTenant('bob', fn, other),
            (fn: () => Promise<unknown>) => runInPublic(fn, other),
          ]) {
            await enterOuter(() =>
              runInTenant(
                'acme',
                async em => {
                  expect(tenantOf(make(Writer))).to.equal('acme');
                  em.create(Work, { id: 1, writer: make(Writer) } as never);
                  await em.flush();
                },
                own,
              ),
            );
            expect(await database.query('delete from acme.work returning writer_id, editor_id')).to.deep.equal([
              { writer_id: 2, editor_id: 1 },
            ]);
          }

          expect(await database.query('select * from bob.work')).to.deep.equal([]);
        });
      }
    }

    it('R6 one of a class that only one of them has is of that one’s scope, also around a scope of the other', async () => {
      for (const make of Object.values(REFERENCES)) {
        await runInTenant(
          'bob',
          () => runInTenant('acme', async () => expect(tenantOf(make(OnlyHere))).to.equal('bob'), { orm: orms.first }),
          { orm: orms.second },
        );
      }
    });

    it('R6 one that another ORM’s EntityManager makes, while an entity is made, is of that EntityManager’s tenant', async () => {
      const seen: unknown[] = [];
      const beside = orms.second.em.fork({ schema: 'bob' });
      making = () => void seen.push(tenantOf(beside.getEntityFactory().createReference(Writer, 2, { merge: false })));

      try {
        const work = orms.first.em.fork({ schema: 'acme' }).create(Work, { id: 1 } as never, { persist: false });
        expect([...seen, tenantOf(work.editor as object)]).to.deep.equal(['bob', 'acme']);
      } finally {
        making = undefined;
      }
    });
  },
  ['postgresql', 'pglite'],
);
