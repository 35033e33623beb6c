import { runInTenant, tenants, type RunResult, type TenantEntityManager } from '@landlord/mikro-orm';
import { Seeder } from '@mikro-orm/seeder';
import { expect } from 'chai';
import { Tag, type Library } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../databases/database.ts';
import { LeftOut, type Outcome, type Tried } from '../faults/trials.ts';
import { newLibrary } from '../orm/library-orm.ts';
import type { Subject } from './refused-operations.ts';

export interface ServiceSubject extends Subject {
  readonly database: SpecDatabase;
  /** What the names of the tenants' roles begin with. Undefined without roles. */
  readonly rolePrefix: string | undefined;
}

type Service = Tried<ServiceSubject>;

let seeded = 0;

/** Seeds what differs each time. A second one of the same has nothing to do. */
export class DatabaseSeeder extends Seeder {
  override async run(em: TenantEntityManager): Promise<void> {
    await em.upsert(Tag, { id: seeded, name: `seeded ${seeded}` });
  }
}

const nameOf = ({ n }: Subject): string => `t${n}`;

const dataOf = (of: Subject): { name: string; domainUrl: string; schemaName: string } => ({
  name: nameOf(of),
  domainUrl: `${nameOf(of)}.example.com`,
  schemaName: nameOf(of),
});

const make = (of: Subject): Promise<unknown> => of.orm.em.fork().persistAndFlush(newLibrary(nameOf(of)));

const dropRole = async ({ database, rolePrefix, n }: ServiceSubject): Promise<void> => {
  if (rolePrefix !== undefined) {
    await database.query(`drop owned by "${rolePrefix}t${n}"`);
    await database.query(`drop role "${rolePrefix}t${n}"`);
  }
};

/** A tenant without its row, its mark and its role. */
const makeForeign = async (of: ServiceSubject): Promise<void> => {
  await make(of);
  await of.database.query('delete from public.library where schema_name = $1', [nameOf(of)]);
  await of.database.query(`comment on schema ${nameOf(of)} is null`);
  await dropRole(of);
};

/** Rows in the public tables, of a tenant with or without a schema. */
const withPublicRows =
  (autoCreateSchema: boolean): NonNullable<Service['prepare']> =>
  async of => {
    const { database, orm, n } = of;
    const row = newLibrary(nameOf(of), { autoCreateSchema });
    await orm.em.fork().persistAndFlush(row);
    await database.query('insert into public.author (id, name, library_id) values ($1, $2, $3)', [n, `a${n}`, row.id]);
    await database.query(
      `insert into public.book (id, title, copies, format, author_id, library_id) select i, 'b' || i, 1, 'print', $1, $2 from generate_series($1, $1 + 3) i`,
      [n, row.id],
    );
    await database.query('insert into public.tag (id, name, library_id) values ($1, $2, $3)', [n, `x${n}`, row.id]);
    await database.query('insert into public.book_tags (book_id, tag_id, library_id) values ($1, $1, $2)', [n, row.id]);
  };

const EXTRACTION = { column: 'library_id', without: ['library_id'] } as const;

const all = ({ failed, notBegun, stopped }: RunResult): void => {
  const error = failed[0]?.error ?? (stopped?.reason === 'database' ? stopped.error : undefined);

  if (error !== undefined) {
    throw error;
  }

  expect(notBegun).to.deep.equal([]);
};

const unlog = async (of: ServiceSubject): Promise<void> => {
  await make(of);
  await of.database.query(`delete from ${nameOf(of)}.mikro_orm_migrations`);
};

const MIGRATION = 'Migration20261123063104';

/** Each is mended by a statement of its own kind. */
const plant = async (of: ServiceSubject): Promise<void> => {
  const { database, rolePrefix } = of;
  await make(of);
  const name = nameOf(of);
  await database.query(`comment on schema ${name} is null`);
  await database.query(`create index by_name on ${name}.author (name)`);
  await database.query(`update pg_index set indisvalid = false where indexrelid = '${name}.by_name'::regclass`);
  await database.query(`insert into ${name}.author (id, name) values (50, 'Ann')`);
  await (rolePrefix === undefined ? undefined : database.query(`revoke all on all tables in schema ${name} from "${rolePrefix}${name}"`));
};

const MENDED = ['schema-unmarked', 'index-invalid', 'sequence-behind', 'grant-missing', 'role-missing'];

const mend = async (of: ServiceSubject): Promise<unknown> => {
  const { mended, failed, busy } = await tenants(of.orm).doctor({ fix: true, deep: true, only: [nameOf(of)] });

  if (failed[0] !== undefined) {
    throw failed[0].error;
  }

  if (busy.length > 0) {
    throw new LeftOut();
  }

  return mended.map(({ finding }) => finding.kind);
};

/** What the doctor says that it has mended is so. */
const checkMended = async (of: ServiceSubject, outcome: Outcome): Promise<void> => {
  if ('answer' in outcome) {
    const { findings } = await tenants(of.orm).doctor({ deep: true, only: [nameOf(of)] });
    expect(findings.map(({ kind }) => kind).filter(kind => MENDED.includes(kind))).to.deep.equal([]);
  }
};

/** What changes something. */
const CHANGES: Readonly<Record<string, Service>> = {
  'adopting a schema': { prepare: makeForeign, run: of => tenants<Library>(of.orm).adopt(dataOf(of)) },
  'extracting rows into a new schema': {
    prepare: withPublicRows(false),
    run: async of => (await tenants(of.orm).extract(nameOf(of), EXTRACTION)).refused,
  },
  'extracting rows into a schema that is there': {
    prepare: withPublicRows(true),
    run: async of => (await tenants(of.orm).extract(nameOf(of), EXTRACTION)).refused,
  },
  'extracting rows that stay': {
    prepare: withPublicRows(true),
    run: async of => (await tenants(of.orm).extract(nameOf(of), { ...EXTRACTION, keep: true })).refused,
  },
  'trying an extraction': {
    prepare: withPublicRows(false),
    run: of => tenants(of.orm).extract(nameOf(of), { ...EXTRACTION, dryRun: true }),
  },
  'seeding tenants': {
    hasParts: true,
    prepare: async ({ n }) => void (seeded = n),
    run: async ({ orm }) => {
      const results = await tenants(orm).seed('DatabaseSeeder', { only: ['acme', 'bob'] });
      const failed = results.find(({ ok }) => !ok);

      if (failed?.ok === false) {
        throw failed.error;
      }
    },
  },
  'mending a tenant': { hasParts: true, prepare: plant, run: mend, check: checkMended },
  'creating a tenant of a schema that is there': {
    prepare: async of => {
      await make(of);
      await of.database.query('delete from public.library where schema_name = $1', [nameOf(of)]);
    },
    run: of => tenants<Library>(of.orm).create(dataOf(of), { adoptSchema: true }),
  },
  'recording a migration': {
    hasParts: true,
    prepare: unlog,
    run: async of => all(await tenants(of.orm).logMigration(MIGRATION, { only: [nameOf(of)] })),
  },
  'taking a migration out of the history': {
    hasParts: true,
    prepare: make,
    run: async of => all(await tenants(of.orm).unlogMigration(MIGRATION, { only: [nameOf(of)] })),
  },
  'renaming a migration': {
    hasParts: true,
    prepare: async of => {
      await make(of);
      await of.database.query(`update ${nameOf(of)}.mikro_orm_migrations set name = 'Former'`);
    },
    run: async of => all(await tenants(of.orm).renameMigration('Former', MIGRATION, { only: [nameOf(of)] })),
  },
};

/** What needs the option `roles`. */
const OF_ROLES: Readonly<Record<string, Service>> = {
  'creating the role of a tenant': {
    prepare: async of => {
      await make(of);
      await dropRole(of);
    },
    run: of => tenants(of.orm).createRole(nameOf(of)),
  },
  'mending the role of a tenant': {
    hasParts: true,
    prepare: async of => {
      await make(of);
      await dropRole(of);
    },
    run: mend,
    check: checkMended,
  },
};

/** What looks only. */
const READINGS: Readonly<Record<string, Service>> = {
  'the usage': {
    run: async of =>
      (await tenants(of.orm).usage({ exact: true, orderBy: 'schemaName' })).tenants.map(({ schemaName, tables }) => [schemaName, tables]),
  },
  'the environment of a program': { run: async of => Object.keys(await tenants(of.orm).environment('acme')) },
  'the environment of a program, of a row': { run: async of => Object.keys(await tenants(of.orm).environment(of.acme)) },
  'the list of tenants': { run: async of => (await tenants(of.orm).list()).map(({ schemaName }) => schemaName) },
  'the list of deleted tenants': { run: of => tenants(of.orm).listDeleted() },
  'a history': { run: async of => (await tenants(of.orm).history('acme')).map(({ name }) => name) },
  'all histories': { run: async of => (await tenants(of.orm).histories()).map(({ schemaName }) => schemaName) },
  'a comparison with the set': {
    run: async of => {
      const { busy, drifted, equal } = await tenants(of.orm).drift();

      if (busy.length > 0) {
        throw new LeftOut();
      }

      return [drifted, equal];
    },
  },
  'a report on the server': { run: of => tenants(of.orm).serverReport() },
  'a preview of a run': { run: of => tenants(of.orm).preview() },
  'a scope of an active tenant': {
    run: of => runInTenant(of.acme, em => em.execute('select title from book where id = 1'), { onlyActive: true, orm: of.orm }),
  },
};

export const REFUSED_SERVICES = { changes: CHANGES, ofRoles: OF_ROLES, readings: READINGS } as const;
