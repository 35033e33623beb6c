import { tenants, type DoctorOptions, type Finding, type FindingKind, type TenantService } from '@landlord/mikro-orm';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import pg from 'pg';
import type { Library } from '../../fixtures/entities/index.ts';
import { until } from '../support/assertions/until.ts';
import { createDatabase, onDatabases } from '../support/databases/database.ts';
import { POOL_OF_ONE } from '../support/databases/idle-connections.ts';
import { openRefusingProxy } from '../support/faults/refusing-proxy.ts';
import { initLibrary, newLibrary, openLibrary, type LibraryOrm } from '../support/orm/library-orm.ts';
import { rolesOf } from '../support/orm/roles.ts';

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
  {
    kind: 'drift',
    name: 'granted',
    sql: ['grant select on granted.author to pg_monitor'],
    message: /it has grant select on table author to pg_monitor/,
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
      await orm.em.fork().persistAndFlush(['carl', 'dora', 'ede', 'fay', 'gus'].map(name => newLibrary(name)));
      // older than the option
      const missing = (await service.doctor()).findings;
      expect(missing.map(keyOf)).to.have.members(['role-missing acme', 'role-missing bob']);

      for (const sql of [
        `create role "${prefix}gone"`,
        `create type dora.mood as enum ('glad')`,
        `create function dora.f() returns int language sql as 'select 1'`,
        `grant usage on schema dora to "${prefix}carl"`,
        `grant select on dora.author to "${prefix}carl"`,
        `grant select (name) on dora.member to "${prefix}gone"`,
        `grant usage on type dora.mood to "${prefix}gone"`,
        `grant execute on function dora.f() to "${prefix}gone"`,
        `alter default privileges in schema dora grant select on tables to "${prefix}gone"`,
        `grant "${prefix}dora" to "${prefix}carl"`,
        `revoke select on ede.author from "${prefix}ede"`,
        `revoke usage on sequence ede.author_id_seq from "${prefix}ede"`,
        `revoke usage on schema fay from "${prefix}fay"`,
        `alter default privileges in schema fay revoke insert, select, update, delete, truncate on tables from "${prefix}fay"`,
      ]) {
        await database.query(sql);
      }

      const expected = [
        'role-missing acme',
        'role-missing bob',
        `role-stale ${prefix}gone`,
        'grant-stale dora',
        'grant-stale dora',
        'grant-stale dora',
        'grant-missing ede',
        'grant-missing fay',
      ];
      const { findings } = await service.doctor();
      expect(findings.map(keyOf)).to.have.members(expected);
      expect(messagesOf(findings, 'grant-stale')).to.have.members([
        `role ${prefix}carl, which is that of another tenant, has privileges in the schema: on tables, the schema`,
        `role ${prefix}gone, which is that of another tenant, has privileges in the schema: on routines, tables, types, what is added later`,
        `role ${prefix}carl, which is that of another tenant, is a member of the tenant's role and has all its privileges`,
      ]);
      expect(messagesOf(findings, 'grant-missing')).to.have.members([
        'the role of the tenant lacks privileges on sequences (1), tables (1)',
        'the role of the tenant lacks privileges on the schema, what is added later',
      ]);
      // two at once mend each fault, which the one may have mended before the other looks, and neither fails for what the other has done
      const both = await Promise.all([service.doctor({ fix: true }), service.doctor({ fix: true })]);
      expect(both.map(({ failed }) => failed)).to.deep.equal([[], []]);
      expect(new Set(both.flatMap(({ mended }) => mended.map(({ finding }) => keyOf(finding))))).to.deep.equal(new Set(expected));
      expect((await service.doctor()).findings).to.deep.equal([]);
      expect(
        await database.query(
          `select has_schema_privilege($1, 'dora', 'usage') as schema, has_column_privilege($2, 'dora.member', 'name', 'select') as column,
            pg_has_role($1, $3, 'member') as member`,
          [`${prefix}carl`, `${prefix}carl`, `${prefix}dora`],
        ),
      ).to.deep.equal([{ schema: false, column: false, member: false }]);
      // a table that is added later is the tenant's
      await database.query('create table fay.later (id int)');
      expect((await service.doctor()).findings).to.deep.equal([]);
      // what an application may want is named, and left
      await database.query('grant usage on schema gus to public');
      const open = await service.doctor({ fix: true });
      expect(messagesOf(open.findings, 'grant-stale')).to.deep.equal(['everybody may look into the schema']);
      expect([open.mended, open.failed]).to.deep.equal([[], []]);

      for (const { schemaName } of await service.list()) {
        await service.drop(schemaName);
      }
    });

    it('L5 an index whose mending was cut short is mended by the next, and one that is just being built is none', async () => {
      const orm = await openLibrary(database);
      const service = tenants<Library>(orm);
      await orm.em.fork().persistAndFlush(newLibrary('hans'));
      await database.query('create index by_name on hans.author (name)');
      await database.query(`update pg_index set indisvalid = false where indexrelid = 'hans.by_name'::regclass`);
      const reader = new pg.Client({ connectionString: database.url });
      await reader.connect();
      // building an index concurrently waits for older transactions
      await reader.query('begin isolation level repeatable read; select from hans.author');
      const cut = service.doctor({ fix: true });
      await until('it waits', async () => (await waiting('reindex index concurrently')).length > 0);
      expect(await service.doctor()).to.deep.include({ findings: [], busy: ['hans'] });
      await database.query(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where query like 'reindex index concurrently%'`);
      expect((await cut).failed.map(({ finding }) => keyOf(finding))).to.deep.equal(['index-invalid hans']);
      await reader.end();
      expect((await service.doctor()).findings.map(({ object }) => object)).to.deep.equal(['by_name', 'by_name_ccnew']);
      // a tenant on which one of them works is left to it by the other
      await Promise.all([service.doctor({ fix: true }), service.doctor({ fix: true })]);
      expect((await service.doctor({ fix: true })).failed).to.deep.equal([]);
      expect((await service.doctor({ deep: true })).findings.map(keyOf)).to.deep.equal(['drift hans']);
      await service.drop('hans');
    });

    it('L5 N3 a role that cannot be given back after an index is mended leaves with its connection', async () => {
      const names = rolesOf(database, 'doctor_ddl');
      await names.create();
      await database.query(`create role "${names.ddl}" nologin superuser`);
      const proxy = await openRefusingProxy(database.url ?? '');
      const roles = { prefix: names.prefix, shared: names.shared, ddl: names.ddl };
      const orm = await openLibrary(database, { roles, directory: { listen: false } }, { ...POOL_OF_ONE, clientUrl: proxy.url });
      const service = tenants<Library>(orm);
      await orm.em.fork().persistAndFlush(newLibrary('ivo'));
      await database.query('create index by_name on ivo.author (name)');
      await database.query(`update pg_index set indisvalid = false where indexrelid = 'ivo.by_name'::regclass`);
      proxy.decide = ({ statements: [sql] }) =>
        /^reset role|pg_advisory_unlock/.test(sql ?? '') ? { place: 0, sqlState: '57014' } : undefined;
      const { mended } = await service.doctor({ fix: true });
      proxy.decide = undefined;

      expect(mended.map(({ finding }) => keyOf(finding))).to.include('index-invalid ivo');
      expect(await orm.em.fork().execute(`select current_setting('role') as role`)).to.deep.equal([{ role: 'none' }]);
      expect((await service.doctor()).busy).to.deep.equal([]);
      await service.drop('ivo');
      await orm.close();
      await proxy.close();
      await names.drop();
    });

    it('L5 a tenant that is migrated at the moment is not mended, and is by the next', async () => {
      const orm = await openLibrary(database);
      const service = tenants<Library>(orm);
      await orm.em.fork().persistAndFlush(newLibrary('ida'));
      await database.query('comment on schema ida is null');
      const other = new pg.Client({ connectionString: database.url });
      await other.connect();
      await other.query(`begin; select pg_advisory_xact_lock(hashtextextended('landlord:ida', 0))`);
      expect(await service.doctor({ fix: true })).to.deep.include({ findings: [], mended: [], busy: ['ida'] });
      await other.end();
      expect((await service.doctor({ fix: true })).mended).to.have.length(1);
      expect((await service.doctor()).findings).to.deep.equal([]);
    });

    async function waiting(text: string): Promise<unknown[]> {
      return database.query(`select from pg_stat_activity where starts_with(query, $1) and wait_event_type = 'Lock'`, [text]);
    }
  },
  ['postgresql'],
);

function messagesOf(findings: readonly Finding[], kind: FindingKind): string[] {
  return findings.filter(each => each.kind === kind).map(({ message }) => message);
}

function keyOf({ kind, schemaName, object }: Finding): string {
  return `${kind} ${schemaName ?? object}`;
}

function keyOfPlant({ kind, name }: Plant): string {
  return `${kind} ${name}`;
}
