import { tenants, type DoctorOptions, type Finding, type FindingKind, type TenantService } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import type { Library } from '../../fixtures/entities/index.ts';
import { createDatabase, onDatabases } from '../support/databases/database.ts';
import { initLibrary, newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';

/** What is planted in the tenant of the name, and what is found of it. */
interface Plant {
  readonly kind: FindingKind;
  readonly name: string;
  readonly sql: readonly string[];
  readonly message: RegExp;
  /** Whether the doctor mends it. */
  readonly isMended?: true;
  /** Whether each tenant has to be read for it. */
  readonly isDeep?: true;
}

const PLANTS: readonly Plant[] = [
  {
    kind: 'schema-orphaned',
    name: 'orphan',
    sql: [`delete from public.library where schema_name = 'orphan'`],
    message: /no tenant has it/,
  },
  { kind: 'schema-missing', name: 'missing', sql: ['drop schema missing cascade'], message: /no schema in the database/ },
  { kind: 'schema-unmarked', name: 'unmarked', sql: ['comment on schema unmarked is null'], message: /lacks the mark/, isMended: true },
  { kind: 'schema-foreign', name: 'foreigner', sql: [`comment on schema foreigner is 'mine'`], message: /mark of somebody else/ },
  {
    kind: 'history-unknown',
    name: 'ahead',
    sql: [`insert into ahead.mikro_orm_migrations (name) values ('MigrationOfTomorrow')`],
    message: /MigrationOfTomorrow/,
  },
  { kind: 'history-broken', name: 'lost', sql: ['drop table lost.mikro_orm_migrations'], message: /histor/ },
  {
    kind: 'history-behind',
    name: 'behind',
    sql: ['delete from behind.mikro_orm_migrations'],
    message: /a migration is pending, first Migration/,
  },
  {
    kind: 'index-invalid',
    name: 'indexed',
    sql: [
      'create index by_name on indexed.author (name)',
      `update pg_index set indisvalid = false where indexrelid = 'indexed.by_name'::regclass`,
    ],
    message: /index by_name of author is not valid/,
    isMended: true,
  },
  {
    kind: 'function-path',
    name: 'strayed',
    sql: [`create function strayed.f() returns int language sql set search_path = lost as 'select 1'`],
    message: /function strayed\.f\(\) reads and writes in lost/,
  },
  {
    kind: 'sequence-behind',
    name: 'counted',
    sql: [`insert into counted.author (id, name) values (50, 'Ann')`],
    message: /the next value of author_id_seq is 1, and author\.id has 50/,
    isMended: true,
    isDeep: true,
  },
  {
    kind: 'drift',
    name: 'drifted',
    sql: ['alter table drifted.author add column shoe_size int', 'drop index if exists drifted.nothing'],
    message: /it has column author\.shoe_size/,
    isDeep: true,
  },
];

onDatabases('the doctor', database => {
  let orm: LibraryOrm;
  let service: TenantService<Library>;

  before(async () => {
    orm = await openLibrary(database);
    service = tenants<Library>(orm);
    await orm.em.fork().persistAndFlush(['healthy', ...PLANTS.map(({ name }) => name)].map(name => newLibrary(name)));
  });

  it('L5 finds nothing in a database that is as it should be', async () => {
    expect((await service.doctor({ deep: true })).findings).to.deep.equal([]);
  });

  it('L5 names each fault that is planted, and the tenant that has it, once', async () => {
    for (const { sql } of PLANTS) {
      for (const statement of sql) {
        await database.query(statement);
      }
    }

    const shallow = await found();
    expect(shallow.map(keyOf)).to.have.members(PLANTS.filter(({ isDeep }) => isDeep !== true).map(keyOfPlant));
    const deep = await found({ deep: true });
    // what else differs in a tenant that is broken in another way is drift too
    const expected = [...PLANTS.map(keyOfPlant), 'drift indexed', 'drift strayed'];
    expect(deep.map(keyOf)).to.have.members(expected);

    for (const { kind, name, message } of PLANTS) {
      expect(deep.find(each => keyOf(each) === `${kind} ${name}`)?.message, kind).to.match(message);
    }
  });

  it('L5 looks at the selected tenants alone', async () => {
    expect((await found({ only: ['healthy', 'ahead'] })).map(keyOf)).to.deep.equal(['history-unknown ahead']);
    expect(await found({ only: ['healthy'], deep: true })).to.deep.equal([]);
  });

  it('L5 mends what is safe, and nothing else', async () => {
    const before = await found({ deep: true });
    const { mended, failed } = await service.doctor({ deep: true, fix: true });

    expect(failed).to.deep.equal([]);
    expect(mended.map(({ finding }) => keyOf(finding))).to.have.members(PLANTS.filter(({ isMended }) => isMended).map(keyOfPlant));
    expect((await found({ deep: true })).map(keyOf)).to.have.members(before.filter(({ fix }) => fix === undefined).map(keyOf));
    await database.query(`insert into counted.author (name) values ('Bob')`);
    expect(await database.query('select id from counted.author order by 1')).to.deep.equal([{ id: 50 }, { id: 51 }]);
    await service.rename('unmarked', 'marked');
  });

  it('L5 names rows in the public schema that no tenant has, and a deleted tenant that cannot be restored', async () => {
    await database.query('create table public.author (id int)');
    expect(await ofKind('public-rows')).to.deep.equal([]);
    await database.query('insert into public.author values (1)');
    expect(await ofKind('public-rows')).to.have.nested.property('[0].object', 'public.author');
    await service.drop('healthy', { soft: true });
    const [deleted] = await service.listDeleted();
    expect(await ofKind('deleted-incomplete')).to.deep.equal([]);
    await database.query('delete from public.library where schema_name = $1', [deleted?.id]);
    expect(await ofKind('deleted-incomplete')).to.have.nested.property('[0].schemaName', deleted?.id);
    expect((await service.purge()).failed).to.deep.equal([]);
    expect(await ofKind('deleted-incomplete')).to.deep.equal([]);
  });

  it('L5 names connections that may take more memory of the server than they have', async () => {
    const other = await initLibrary(database, { connections: { memoryBudgetMb: 1, maxTenants: false } }, { pool: { min: 0, max: 10 } });
    const findings = (await tenants(other).doctor()).findings.filter(({ kind }) => kind === 'memory-over-budget');
    await other.close();

    expect(findings).to.have.length(1);
    expect(findings[0]?.remedy).to.contain('maxTenants: ');
  });

  async function found(options: DoctorOptions<Library> = {}): Promise<readonly Finding[]> {
    return (await service.doctor(options)).findings;
  }

  async function ofKind(kind: FindingKind): Promise<Finding[]> {
    return (await found()).filter(each => each.kind === kind);
  }
});

onDatabases(
  'the doctor beside other servers and roles',
  database => {
    it('L5 names a process that hears of no change, and a replica that lacks tenants', async () => {
      await (await openLibrary(database)).em.fork().persistAndFlush([newLibrary('acme'), newLibrary('bob')]);
      const lagging = await createDatabase('behind');
      database.atEnd(() => lagging.close());
      const orm = await initLibrary(
        database,
        { directory: { listen: { url: lagging.url } } },
        { driver: PostgreSqlDriver, replicas: [{ name: 'lagging', clientUrl: lagging.url }] },
      );
      const { findings } = await tenants(orm).doctor();

      expect(findings.map(({ kind }) => kind)).to.have.members(['listener-deaf', 'replica-behind']);
      expect(findings.find(({ kind }) => kind === 'replica-behind')?.message).to.equal('replica 1 lacks 2 of 2 tenants, such as acme');
    });

    it('L5 names and mends roles and privileges that are missing or that reach another tenant', async () => {
      const prefix = `doc_${process.pid}_`;
      const orm = await initLibrary(database, { roles: { prefix } });
      const service = tenants<Library>(orm);
      await orm.em.fork().persistAndFlush(['carl', 'dora', 'ede'].map(name => newLibrary(name)));
      // older than the option
      const missing = (await service.doctor()).findings;
      expect(missing.map(keyOf)).to.have.members(['role-missing acme', 'role-missing bob']);
      await database.query(`create role "${prefix}gone"`);
      await database.query(`grant usage on schema dora to "${prefix}carl"`);
      await database.query(`grant select on dora.author to "${prefix}carl"`);
      await database.query(`revoke select on ede.author from "${prefix}ede"`);
      const expected = ['role-missing acme', 'role-missing bob', `role-stale ${prefix}gone`, 'grant-stale dora', 'grant-missing ede'];
      expect((await service.doctor()).findings.map(keyOf)).to.have.members(expected);
      const { mended, failed } = await service.doctor({ fix: true });
      expect([mended.length, failed]).to.deep.equal([5, []]);
      expect((await service.doctor()).findings).to.deep.equal([]);
      expect(await database.query(`select has_schema_privilege($1, 'dora', 'usage') as may`, [`${prefix}carl`])).to.deep.equal([
        { may: false },
      ]);

      for (const { schemaName } of await service.list()) {
        await service.drop(schemaName);
      }
    });
  },
  ['postgresql'],
);

function keyOf({ kind, schemaName, object }: Finding): string {
  return `${kind} ${schemaName ?? object}`;
}

function keyOfPlant({ kind, name }: Plant): string {
  return `${kind} ${name}`;
}
