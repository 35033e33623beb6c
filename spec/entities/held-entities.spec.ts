import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { ArrayType, Collection, defineEntity, p, Reference, ref, ScalarReference, Type, Utils, wrap } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { expect } from 'chai';
import fc from 'fast-check';
import { onDatabases } from '../support/databases/database.ts';
import { effort } from '../support/generators/effort.ts';
import { checkProperty } from '../support/generators/property.ts';
import { ClientSchema, Client, newClient } from '../support/orm/evolving-orm.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';

class Town {
  id!: number;
  facts?: unknown;
  signers = new Collection<Signer>(this);
}

class Signer {
  id!: number;
  name!: string;
  town?: Town | null;
}

class Clause {
  terms?: unknown;
  guarantor?: unknown;
}

class Deed {
  id!: number;
  terms?: unknown;
  notes?: ScalarReference<unknown> | null;
  witness?: unknown;
  witnesses?: unknown;
  schedule?: unknown;
  clause?: Clause | null;
  clauses?: Clause[] | null;
}

/** Stores the key of an entity. */
class SignerKey extends Type<unknown, unknown> {
  override convertToDatabaseValue(value: unknown): unknown {
    return keyOf(value);
  }

  override getColumnType(): string {
    return 'int';
  }
}

/** Stores all of a value, whatever class it is of, in a column of JSON. */
class Schedule extends Type<unknown, unknown> {
  override convertToDatabaseValue(value: unknown): unknown {
    return value === null || value === undefined ? null : JSON.stringify(value);
  }

  override getColumnType(): string {
    return 'jsonb';
  }
}

const SIGNERS = (): ArrayType => new ArrayType(key => key, keyOf as never);

function keyOf(value: unknown): unknown {
  const entity: unknown = Reference.unwrapReference(value as object);

  return Utils.isEntity<Signer>(entity) ? entity.id : entity;
}

const TOWN = defineEntity({
  class: Town,
  tableName: 'town',
  properties: { id: p.integer().primary(), facts: p.json().nullable(), signers: () => p.oneToMany(Signer).mappedBy('town') },
});

const SIGNER = defineEntity({
  class: Signer,
  tableName: 'signer',
  schema: '*',
  properties: { id: p.integer().primary(), name: p.string(), town: () => p.manyToOne(Town).inversedBy('signers').nullable() },
});

const CLAUSE = defineEntity({
  class: Clause,
  embeddable: true,
  properties: { terms: p.json().nullable(), guarantor: p.type(SignerKey).nullable() },
});

const DEED = defineEntity({
  class: Deed,
  tableName: 'deed',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    terms: p.json().nullable(),
    notes: p.json().lazy().ref().nullable(),
    witness: p.type(SignerKey).nullable(),
    schedule: p.type(Schedule).nullable(),
    witnesses: p
      .type(SIGNERS() as never)
      .columnType('text[]')
      .nullable(),
    clause: () => p.embedded(Clause).nullable(),
    clauses: () => p.embedded(Clause).array().nullable(),
  },
} as never);

class Tables extends Migration {
  override up(): void {
    this.addSql('create table "signer" ("id" int primary key, "name" text not null, "town_id" int)');
    this.addSql(
      'create table "deed" ("id" int primary key, "terms" jsonb, "notes" jsonb, "witness" int, "witnesses" text[], "schedule" jsonb, "clause_terms" jsonb, ' +
        '"clause_guarantor" int, "clauses" jsonb)',
    );
  }
}

/** Where a value is in a row of the tenant’s. The last are keys, and take an entity, a reference or a list alone. */
const OF_JSON: Readonly<Record<string, (deed: Deed, value: unknown) => void>> = {
  'a JSON column': (deed, value) => (deed.terms = value),
  'a lazy JSON column': (deed, value) => (deed.notes = new ScalarReference(value)),
  'a type of the user’s that stores JSON': (deed, value) => (deed.schedule = value),
  'JSON in an embeddable': (deed, value) => (deed.clause = Object.assign(new Clause(), { terms: value })),
  'JSON in a list of embeddables': (deed, value) => (deed.clauses = [new Clause(), Object.assign(new Clause(), { terms: value })]),
};

const OF_TYPES: typeof OF_JSON = {
  'a type of the user’s': (deed, value) => (deed.witness = value),
  'a list of such': (deed, value) => (deed.witnesses = [1, value]),
  'such a type in an embeddable': (deed, value) => (deed.clause = Object.assign(new Clause(), { guarantor: value })),
  'such a type in a list of embeddables': (deed, value) => (deed.clauses = [Object.assign(new Clause(), { guarantor: value })]),
};

/** What is written of it. */
const WRITES: Readonly<Record<string, (em: TenantEntityManager, set: (deed: Deed) => void) => Promise<unknown>>> = {
  'a flush of a loaded row': async (em, set) => {
    set(await em.findOneOrFail(Deed, 1));
    await em.flush();
  },
  'a flush of a new row': (em, set) => em.persistAndFlush(made(set)),
  'em.insert()': (em, set) => em.insert(made(set)),
  'em.insertMany()': (em, set) => em.insertMany([made(() => undefined), made(set)]),
  'em.upsert()': (em, set) => em.upsert(made(set)),
  'em.upsertMany()': (em, set) => em.upsertMany([made(() => undefined), made(set)]),
};

let latest = 100;

function made(set: (deed: Deed) => void): Deed {
  const deed = Object.assign(new Deed(), { id: (latest += 1) });
  set(deed);

  return deed;
}

/** What JSON is made of. */
const FORMS = {
  list: (value: unknown, beside: unknown): unknown => [beside, value],
  literal: (value: unknown, beside: unknown): unknown => ({ beside, at: new Date(0), value }),
  instance: (value: unknown, beside: unknown): unknown => Object.assign(new (class Dto {})(), { beside, value }),
  bare: (value: unknown, beside: unknown): unknown => Object.assign(Object.create(null) as object, { beside, value }),
  reference: (value: unknown, beside: unknown): unknown => (value instanceof Signer ? ref(value) : [beside, value]),
};

/** JSON with an entity somewhere in it. */
const VALUES = fc.letrec<{ value: (entity: object) => unknown; inner: (entity: object) => unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant((entity: object) => entity),
    tie('inner'),
  ),
  inner: fc.tuple(fc.constantFrom(...(Object.keys(FORMS) as (keyof typeof FORMS)[])), tie('value'), fc.jsonValue({ maxDepth: 1 })).map(
    ([form, of, beside]) =>
      (entity: object) =>
        FORMS[form](of(entity), beside),
  ),
})).value;

const REFERENCES: Readonly<Record<string, (entity: object) => unknown>> = {
  'an entity': entity => entity,
  'a reference': entity => ref(entity),
};

onDatabases('entities in values that are no relations', database => {
  let orm: SpecOrm;
  let untouched: unknown;

  const rows = (): Promise<unknown> =>
    database.query(
      `select 'acme' as of, to_jsonb(d) from acme.deed d union all select 'bob', to_jsonb(d) from bob.deed d union all select 'town', to_jsonb(t) from town t order by 1, 2`,
    );
  const signerIn = (schemaName: string): Promise<Signer> => runInTenant(schemaName, em => em.findOneOrFail(Signer, 2), { orm });
  const places: Readonly<Record<string, (run: (em: TenantEntityManager) => Promise<unknown>) => Promise<unknown>>> = {
    'the scope': run => runInTenant('acme', em => run(em), { orm }),
    'a fork of the tenant': run => run(orm.em.fork({ schema: 'acme' })),
  };

  before(async () => {
    orm = await openOrm(
      database,
      { tenant: Client, migrations: { migrationsList: [{ name: 'tables', class: Tables }] } },
      { entities: [ClientSchema, TOWN, SIGNER, CLAUSE, DEED] as never },
    );
    await orm.schema.create();
    await orm.em.fork().persistAndFlush(['acme', 'bob'].map(newClient));
    await database.query('insert into town (id) values (1)');

    for (const name of ['acme', 'bob']) {
      await database.query(`insert into ${name}.signer values (1, '${name} signer 1', 1), (2, '${name} signer 2', 1)`);
      await database.query(`insert into ${name}.deed (id) values (1)`);
    }

    untouched = await rows();
  });

  for (const [name, write] of Object.entries(WRITES)) {
    it(`law 2: another tenant’s are not stored by ${name}, and its own are`, async () => {
      const [theirs, own] = [await signerIn('bob'), await signerIn('acme')];

      for (const [place, set] of Object.entries({ ...OF_JSON, ...OF_TYPES })) {
        for (const [form, make] of Object.entries(REFERENCES)) {
          for (const [where, enter] of Object.entries(places)) {
            const error = await refusal(
              enter(em => write(em, deed => set(deed, make(theirs)))),
              'CROSS_TENANT',
              `${form} in ${place}, in ${where}`,
            );
            expect(error).to.deep.include({ schemaNames: ['acme', 'bob'] });
          }
        }

        await runInTenant('acme', em => rollBackAfter(em, inner => write(inner, deed => set(deed, own))), { orm });
      }

      expect(await rows()).to.deep.equal(untouched);
    });
  }

  it('law 2: wherever another tenant’s is in JSON, it is not stored', async () => {
    const theirs = await signerIn('bob');
    const property = fc.asyncProperty(
      VALUES,
      fc.constantFrom(...Object.keys(OF_JSON)),
      fc.constantFrom(...Object.keys(WRITES)),
      async (make, place, name) => {
        await runInTenant(
          'acme',
          em =>
            refusal(
              WRITES[name]!(em, deed => OF_JSON[place]!(deed, make(theirs))),
              'CROSS_TENANT',
            ),
          { orm },
        );
      },
    );
    await checkProperty('entities in JSON', property, effort(60, 2000));
    expect(await rows()).to.deep.equal(untouched);
  });

  it('law 2: nor is it in the JSON of a shared entity, or what a shared one in JSON has of it', async () => {
    const theirs = await signerIn('bob');
    const town = await runInTenant('bob', em => em.findOneOrFail(Town, 1, { populate: ['signers'] }), { orm });

    for (const [where, enter] of Object.entries(places)) {
      await refusal(
        enter(async em => {
          (await em.findOneOrFail(Town, 1)).facts = { of: [theirs] };
          await em.flush();
        }),
        'CROSS_TENANT',
        where,
      );
      await refusal(
        enter(async em => {
          (await em.findOneOrFail(Deed, 1)).terms = { of: town };
          await em.flush();
        }),
        'CROSS_TENANT',
        where,
      );
    }

    expect(await rows()).to.deep.equal(untouched);
  });

  it('law 2: nor is it where a hook sets it while the flush is under way', async () => {
    const theirs = await signerIn('bob');
    let set: ((deed: Deed) => void) | undefined;
    orm.em.getEventManager().registerSubscriber({ getSubscribedEntities: () => [Deed], beforeUpdate: ({ entity }) => set?.(entity) });

    for (const [place, put] of Object.entries({ ...OF_JSON, ...OF_TYPES })) {
      set = deed => put(deed, theirs);
      await runInTenant(
        'acme',
        async em => {
          const deed = await em.findOneOrFail(Deed, 1);
          deed.terms = { changed: true };
          await refusal(em.flush(), 'CROSS_TENANT', place);
        },
        { orm },
      );
    }

    set = undefined;
    expect(await rows()).to.deep.equal(untouched);
  });

  it('G4 a value that a type of the user’s own stores as JSON may have an EntityManager', async () => {
    const theirs = await signerIn('bob');
    await runInTenant(
      'acme',
      em =>
        rollBackAfter(em, async inner => {
          const deed = await inner.findOneOrFail(Deed, 1);
          const value = { em: Object.assign(inner.fork(), { held: theirs }), toJSON: () => ({ text: 'its own' }) };
          deed.schedule = Object.assign(new (class Dto {})(), value);
          await inner.flush();
          expect((await inner.fork({ keepTransactionContext: true }).findOneOrFail(Deed, 1)).schedule).to.deep.equal({ text: 'its own' });
        }),
      { orm },
    );
  });

  it('G4 an entity that is read from the database is as it was, and what has no entity in it is stored', async () => {
    const values = [{ a: [1, 'x', null, { b: true }] }, 'a text', 5, [new Date(0)], Object.assign(new (class Dto {})(), { x: 1 })];
    await runInTenant(
      'acme',
      em =>
        rollBackAfter(em, async inner => {
          const deed = await inner.findOneOrFail(Deed, 1);

          for (const value of values) {
            deed.terms = value;
            await inner.flush();
            expect((await inner.fork({ keepTransactionContext: true }).findOneOrFail(Deed, 1)).terms).to.deep.equal(
              JSON.parse(JSON.stringify(value)),
            );
          }

          expect(wrap(deed).isInitialized()).to.equal(true);
        }),
      { orm },
    );
  });
});
