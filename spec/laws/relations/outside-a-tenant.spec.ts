import { runInPublic, runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import type { Domain } from '../../support/models/relations/domain.ts';
import { openRelated, TWINS, type Related } from '../../support/models/relations/open.ts';
import { readCatalog, readReferencesOut } from '../../support/databases/schema-contents.ts';
import { refusal } from '../../support/assertions/refusal.ts';

type Read = (em: SqlEntityManager, all: Domain) => Promise<unknown>;

/** The ways from a shared entity to the tenants' rows that refer to it. */
const FROM_SHARED: Readonly<Record<string, Read>> = {
  'populate, joined': (em, { Country }) => em.find(Country, {}, { populate: ['people'] as never, strategy: 'joined' }),
  'populate, select-in': (em, { Country }) => em.find(Country, {}, { populate: ['people'] as never, strategy: 'select-in' }),
  'populate of a m:n': (em, { Country }) => em.find(Country, {}, { populate: ['visitors'] as never }),
  'populate of a 1:1': (em, { Country }) => em.find(Country, {}, { populate: ['anthem'] as never }),
  'populate *': (em, { Country }) => em.find(Country, {}, { populate: ['*'] as never }),
  'a condition': (em, { Country }) => em.find(Country, { people: { name: { $ne: '' } } }),
  'Collection.init': async (em, { Country }) => (await em.findOneOrFail<any>(Country, 1)).people.init(),
  'Collection.loadCount': async (em, { Country }) => (await em.findOneOrFail<any>(Country, 1)).people.loadCount(),
  'Collection.matching': async (em, { Country }) => (await em.findOneOrFail<any>(Country, 1)).visitors.matching({}),
  'em.populate': async (em, { Country }) => em.populate(await em.find(Country, {}), ['people'] as never),
  'the query builder': (em, { Country }) => em.createQueryBuilder(Country, 'c').leftJoinAndSelect('c.people', 'p').getResult(),
};

onDatabasesAndPooler('relations where there is no tenant', database => {
  let related: Related;

  before(async () => {
    related = await openRelated(database);
  });

  for (const [name, read] of Object.entries(FROM_SHARED)) {
    it(`R2 N2 "${name}" from a shared entity to tenants' rows is refused outside a tenant, and reads no decoy`, async () => {
      database.statements.length = 0;
      const { orm, entities } = related;

      expect((await refusal(() => read(orm.em.fork(), entities))).code).to.equal('TENANT_CONTEXT_REQUIRED');
      expect((await refusal(() => runInPublic(em => read(em, entities), { orm }))).code).to.equal('TENANT_CONTEXT_REQUIRED');
      expect(database.statements.filter(sql => /"(person|person_visited|anthem)"/.test(sql))).to.deep.equal([]);
    });
  }

  it('S6 a shared entity itself is found outside a tenant, whatever of tenants refers to it', async () => {
    const { orm, entities } = related;
    const [none, ofPublic] = [
      await orm.em.fork().find(entities.Country, {}),
      await runInPublic(em => em.find(entities.Country, {}), { orm }),
    ];

    expect([none.length, ofPublic.length]).to.deep.equal([3, 3]);
  });

  it('R2 in no scope an EntityManager of one tenant reads its own, by each relation', async () => {
    for (const twin of TWINS) {
      const people = await related.orm.em.fork({ schema: twin }).find<any>(
        related.entities.Person,
        {},
        {
          populate: ['country.people', 'firstPet', 'pets', 'clubs', 'labels'] as never,
        },
      );

      const others: string[] = people.flatMap(person => person.country?.people.getItems() ?? []).map(({ name }) => name);

      expect(others).not.to.deep.equal([]);
      expect(others.filter(name => !name.includes(twin))).to.deep.equal([]);
    }
  });

  it('S8 a shared entity’s collection is not filled with one tenant’s rows and shown to the next', async () => {
    const { orm, entities } = related;

    for (const strategy of ['joined', 'select-in'] as const) {
      const read = (em: TenantEntityManager, schema: string): Promise<unknown> =>
        em.find(entities.Person, {}, { schema, populate: ['country.people'] as never, strategy });

      expect((await refusal(() => read(orm.em.fork(), 'acme'))).code).to.equal('TENANT_CONTEXT_REQUIRED');
      expect((await refusal(() => read(orm.em.fork({ schema: 'bob' }), 'acme'))).code).to.equal('CROSS_TENANT');
      expect(await read(orm.em.fork({ schema: 'acme' }), 'acme')).to.have.length(4);
    }
  });

  it('S8 nor is it by a query builder, or by an EntityManager that was made outside the scope', async () => {
    const { orm, entities } = related;
    const outside = orm.em.fork();
    const bobs = orm.em.fork({ schema: 'bob' });
    const people = (em: TenantEntityManager): any => em.createQueryBuilder(entities.Person, 'p').leftJoinAndSelect('p.country', 'c');
    const further = (query: any): Promise<unknown> => query.leftJoinAndSelect('c.people', 'q').getResult();

    expect((await refusal(() => further(people(outside).withSchema('acme')))).code).to.equal('TENANT_CONTEXT_REQUIRED');
    expect((await refusal(() => further(people(bobs).withSchema('acme')))).code).to.equal('CROSS_TENANT');
    expect(await further(people(orm.em.fork({ schema: 'acme' })))).to.have.length(4);

    // a join may name its tenant itself
    const named = (em: TenantEntityManager, schema: string): Promise<unknown> =>
      (em.createQueryBuilder(entities.Country, 'c') as any).leftJoinAndSelect('c.people', 'q', {}, undefined, schema).getResult();
    expect((await refusal(() => named(outside, 'acme'))).code).to.equal('TENANT_CONTEXT_REQUIRED');
    expect((await refusal(() => named(bobs, 'acme'))).code).to.equal('CROSS_TENANT');
    expect(await named(orm.em.fork({ schema: 'acme' }), 'acme')).to.have.length(3);

    for (const strategy of ['joined', 'select-in'] as const) {
      const read = (): Promise<unknown> => outside.find(entities.Country, {}, { populate: ['people'] as never, strategy });
      expect((await refusal(() => runInTenant('acme', read, { orm }))).code).to.equal('TENANT_CONTEXT_REQUIRED');
    }

    const joined = (): Promise<unknown> =>
      outside.createQueryBuilder(entities.Country, 'c').leftJoinAndSelect('c.visitors', 'v').getResult();
    expect((await refusal(() => runInTenant('acme', joined, { orm }))).code).to.equal('TENANT_CONTEXT_REQUIRED');
  });

  it('S19 a query for a shared entity may name the tenant whose rows it joins, and a write may name none', async () => {
    const { orm, entities } = related;
    const query = (): any => orm.em.fork().createQueryBuilder(entities.Country, 'c').withSchema('acme');
    const ofAcme = { 'p.name': { $like: '%acme%' } };

    expect(await query().select('c.id').leftJoin('c.people', 'p').where(ofAcme).execute()).not.to.deep.equal([]);
    expect(await query().leftJoin('c.people', 'p').where(ofAcme).getCount()).to.be.above(0);

    for (const write of [
      () => query().insert({ id: 9, name: 'x' }),
      () => query().update({ name: 'x' }),
      () => query().delete(),
      () => query().truncate(),
    ]) {
      const { code } = await refusal(() => write().execute());
      expect(['SHARED_SCHEMA', 'SHARED_TABLE_IN_USE']).to.include(code);
    }

    await refusal(() => query().update({ name: 'x' }).execute(), 'SHARED_SCHEMA');
  });

  it('S8 R2 the collection of a shared entity that was loaded in one tenant’s scope is not read on in another’s', async () => {
    const { orm, entities } = related;
    const country = await runInTenant('acme', em => em.findOneOrFail<any>(entities.Country, 3, { populate: ['people'] as never }), { orm });
    const own = country.people.getItems().map((person: any) => person.name);

    await runInTenant(
      'bob',
      async () => {
        await refusal(() => country.people.init(), 'CROSS_TENANT');
      },
      { orm },
    );
    expect(country.people.getItems().map((person: any) => person.name)).to.deep.equal(own);
  });

  it('R3 the tenant set of all these entities lands wholly in each tenant, as it would in a database of its own', async () => {
    const plain = (lines: readonly string[]): string[] =>
      lines
        .map(line => line.replaceAll('public.', '').replaceAll('own_grade', 'grade'))
        // for Citus, it is generated as an identity
        .map(line => (database.isCitus ? line.replace(/default nextval\('\w+'::regclass\)/, 'identity d') : line))
        .toSorted();

    for (const twin of TWINS) {
      expect(plain(await readCatalog(database, twin, { without: ['country'] }))).to.deep.equal(plain(related.plain[twin].catalog));
      expect((await readReferencesOut(database, twin)).filter(line => !/-> (public\.(country|grade)|citus$)/.test(line))).to.deep.equal([]);
    }
  });
});
