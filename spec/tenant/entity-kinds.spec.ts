import { expect } from 'chai';
import { runInPublic, runInTenant, TenantContextRequiredError, type TenantEntityManager } from '@landlord/mikro-orm';
import { onDatabasesAndPooler, type SpecDatabase } from '../support/databases/database.ts';
import {
  Account,
  Client,
  Employee,
  Memo,
  Note,
  Notice,
  Outage,
  PaidPlan,
  Person,
  Plan,
  SHARED_ENTITIES,
  Savings,
  Setting,
  Shelf,
  TENANT_ENTITIES,
  Tables,
  Truck,
  Van,
  Vehicle,
  type AnyClass,
} from '../support/orm/entity-kinds.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { openOrm, type SpecOrm } from '../support/orm/open-orm.ts';

onDatabasesAndPooler('the kinds of entities', database => {
  let orm: SpecOrm;

  before(async () => {
    orm = await openKinds(database, 'public');
    await orm.em
      .fork()
      .persistAndFlush(['acme', 'bob'].map(schemaName => new Client({ schemaName, domainUrl: `${schemaName}.example.com` })));
  });

  for (const entity of TENANT_ENTITIES) {
    it(`N2 ${entity.name} is a tenant entity: refused outside a tenant before any SQL`, async () => {
      database.statements.length = 0;
      const em = orm.em.fork();

      const reads: readonly (() => Promise<unknown>)[] = [
        () => em.find(entity, {}),
        () => em.createQueryBuilder(entity).getResultList(),
        () => em.count(entity),
      ];

      for (const read of reads) {
        expect(await failureOf(read)).to.be.instanceOf(TenantContextRequiredError);
        expect(await failureOf(() => runInPublic(read, { orm }))).to.be.instanceOf(TenantContextRequiredError);
      }

      expect(database.statements).to.deep.equal([]);
    });
  }

  it('S8 R3 a tree of one table, a tree of a table each and heirs of abstract classes are written to the tenant alone', async () => {
    await inTenant('acme', async em => {
      await em.persistAndFlush([
        em.create(Note, { text: 'note of acme' }),
        em.create(Memo, { text: 'memo of acme' }),
        em.create(Shelf, { title: 'shelf of acme' }),
        em.create(Van, { load: 2 } as never),
        em.create(Truck, { load: 40 } as never),
        em.create(Employee, { name: 'Ann of acme', desk: 'A1' }),
      ]);
    });

    expect(await contentsOf('acme')).to.deep.equal({ note: 1, memo: 1, shelf: 1, vehicle: 2, person: 1, employee: 1 });
    expect(await contentsOf('bob')).to.deep.equal({ note: 0, memo: 0, shelf: 0, vehicle: 0, person: 0, employee: 0 });
    expect(
      await database.query(
        `select table_name from information_schema.tables where table_schema = 'public' and table_name in (${OWN_TABLES})`,
      ),
    ).to.deep.equal([]);

    for (const entity of TENANT_ENTITIES) {
      const [own, neighbours] = [await inTenant('acme', em => em.find(entity, {})), await inTenant('bob', em => em.find(entity, {}))];
      expect(own, entity.name).to.have.length(entity === Vehicle || entity === Van ? 2 : 1);
      expect(neighbours, entity.name).to.deep.equal([]);
    }

    const employees = await inTenant('acme', em => em.find(Person, {}));
    expect(employees[0]).to.be.instanceOf(Employee).and.include({ name: 'Ann of acme', desk: 'A1' });
  });

  it('S6 shared trees, those of an abstract class too, are read and written in public from every scope', async () => {
    const make = (em: TenantEntityManager, name: string): object[] => [
      em.create(Setting, { title: name }),
      em.create(Plan, { title: name } as never),
      em.create(PaidPlan, { title: name, price: 5 } as never),
      em.create(Outage, { text: name } as never),
      em.create(Savings, { iban: name, rate: 3 }),
    ];
    database.statements.length = 0;
    await inTenant('acme', async em => em.persistAndFlush(make(em, 'from acme')));
    await runInPublic(async em => em.persistAndFlush(make(em, 'from public')), { orm });

    for (const read of [
      (entity: AnyClass) => inTenant('acme', em => em.find(entity, {})),
      (entity: AnyClass) => inTenant('bob', em => em.createQueryBuilder(entity).getResultList()),
      (entity: AnyClass) => runInPublic(em => em.find(entity, {}), { orm }),
      (entity: AnyClass) => orm.em.fork().find(entity, {}),
    ]) {
      expect(
        await Promise.all([Setting, Plan, PaidPlan, Notice, Outage, Account, Savings].map(async entity => (await read(entity)).length)),
      ).to.deep.equal([2, 4, 2, 2, 2, 2, 2]);
    }

    const statements = database.statements.filter(statement => /plan|notice|account|savings|setting/.test(statement));
    expect(statements).not.to.deep.equal([]);
    expect(statements.filter(statement => /"(acme|bob)"\./.test(statement) || !/"public"\./.test(statement))).to.deep.equal([]);
  });

  it('S10 ORMs of other public schemas, made of the same classes, keep to their own', async () => {
    const orms: SpecOrm[] = [];

    for (const publicSchema of ['north', 'south']) {
      orms.push(await openKinds(database, publicSchema));
    }

    for (const [index, publicSchema] of ['north', 'south', 'public'].entries()) {
      const own = orms[index] ?? orm;
      expect(SHARED_ENTITIES.map(entity => own.getMetadata(entity).schema)).to.deep.equal(SHARED_ENTITIES.map(() => publicSchema));
      expect(TENANT_ENTITIES.map(entity => own.getMetadata(entity).schema)).to.deep.equal(TENANT_ENTITIES.map(() => '*'));
      expect(own.getMetadata(Client).primaryKeys).to.deep.equal(['id']);
    }

    const [north, south] = orms as [SpecOrm, SpecOrm];
    const em = north.em.fork();
    await em.persistAndFlush([
      new Client({ schemaName: 'north_acme', domainUrl: 'acme.example.com' }),
      em.create(Setting, { title: 'north' }),
    ]);

    expect(await north.em.fork().count(Setting)).to.equal(1);
    expect(await south.em.fork().count(Setting)).to.equal(0);
    expect((await north.em.fork().find(Client, {})).map(client => client.schemaName)).to.deep.equal(['north_acme']);
    expect(await south.em.fork().count(Client)).to.equal(0);
    expect(await orm.em.fork().count(Client)).to.equal(2);
  });

  function inTenant<Result>(schemaName: string, fn: (em: TenantEntityManager) => Promise<Result>): Promise<Result> {
    return runInTenant(schemaName, fn, { orm });
  }

  async function contentsOf(schemaName: string): Promise<Record<string, number>> {
    const counts = Object.values(['note', 'memo', 'shelf', 'vehicle', 'person', 'employee']).map(
      table => `(select count(*)::int from "${schemaName}"."${table}") as "${table}"`,
    );
    const [row] = await database.query<Record<string, number>>(`select ${counts.join(', ')}`);

    return row ?? {};
  }
});

async function openKinds(database: SpecDatabase, publicSchema: string): Promise<SpecOrm> {
  const orm = await openOrm(
    database,
    { tenant: Client, publicSchema, migrations: { migrationsList: [{ name: 'tables', class: Tables }] } },
    { entities: [...TENANT_ENTITIES, ...SHARED_ENTITIES] },
  );
  await orm.schema.create();

  return orm;
}

const OWN_TABLES = `'note', 'memo', 'shelf', 'vehicle', 'person', 'employee'`;
