import {
  currentSchema,
  currentTenant,
  forEachTenant,
  runInPublic,
  runInTenant,
  TenantError,
  TenantMixin,
  tenants as serviceOf,
} from '@landlord/mikro-orm';
import type { TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabasesAndPooler, type SpecDatabase } from '../support/databases/database.ts';
import { expectIdle } from '../support/databases/idle-connections.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { effort } from '../support/generators/effort.ts';
import { checkOperations } from '../support/generators/property.ts';
import { scopeModel } from '../support/models/scope-model/run.ts';
import { tenantsOf, type Tenants } from '../support/models/scope-model/tenants.ts';
import { WAITS } from '../support/models/scope-model/waits.ts';
import { KEPT_PATHS, type KeptPath, type ReadPath, type World } from '../support/models/scope-model/world.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Town extends TenantMixin {}
defineEntity({ class: Town, extends: TenantMixin, properties: {} });

const TENANTS = Array.from({ length: 50 }, (_, index) => `t${String(index).padStart(2, '0')}`);

/** With one connection, a transaction or a stream blocks all other flows. PGlite does not stream. */
const ON_ONE_CONNECTION = {
  operations: effort(1_200, 5_000),
  changes: 3,
  maxTransactions: 0,
  keptPaths: KEPT_PATHS.filter(path => path !== 'stream'),
};

const SIZES = {
  postgresql: { operations: effort(8_000, 100_000), changes: 3, maxTransactions: 3, keptPaths: KEPT_PATHS },
  pglite: ON_ONE_CONNECTION,
  pgbouncer: ON_ONE_CONNECTION,
} as const;

const MAX_COMMANDS = 600;

onDatabasesAndPooler('flows over fifty tenants', database => {
  let orm: LibraryOrm;
  let rows: Map<string, Town>;
  const { operations, maxTransactions, keptPaths, changes } = SIZES[database.kind];

  before(async () => {
    orm = await openNoteOrm(database, Town, {}, { pool: { min: 0, max: 5 } });
    const towns = TENANTS.map(name => new Town({ schemaName: name, domainUrl: `${name}.example.com` }));
    await orm.em.fork().persistAndFlush(towns);
    rows = new Map(towns.map(town => [town.schemaName, town]));
    // decoys: a read of the public schema by mistake finds rows
    await database.query(`create table public.note as select 1 as id, 'decoy'::text as text`);

    for (const name of TENANTS) {
      await database.query(`insert into ${name}.note (text) values ('${name}')`);
    }
  });

  it('S1, S2, S3, S5, S7, S9, S11, S12 each keeps its own tenant, whatever the others do meanwhile', async function () {
    this.timeout(300_000);
    const count = { operations: 0 };
    const written = new Map<string, number>();
    const tenants = tenantsOf(TENANTS);
    const model = scopeModel(() => worldOf(orm, rows, database), {
      // what becomes of them is there for the next run
      tenants: () => tenants,
      changes,
      flows: 12,
      waits: WAITS,
      maxCommands: MAX_COMMANDS,
      maxTransactions,
      keptPaths,
      count,
      written,
    });

    const hasMet = () => tenants.some(({ label, name }) => label !== name);
    await checkOperations('flows over fifty tenants', model, { operations, maxCommands: MAX_COMMANDS, count, hasMet });

    console.log(`      ${count.operations} operations, ${database.statements.length} statements`);
    await expectIdle(database);
    await expectRows(database, tenants, written);
    expect(hasMet(), 'tenants that were changed').to.equal(true);
  });
});

async function expectRows(database: SpecDatabase, tenants: Tenants, written: ReadonlyMap<string, number>): Promise<void> {
  for (const { label, name } of tenants) {
    const found = await database.query(`select text, count(*)::int from ${name}.note group by text order by text`);
    const own = written.get(label);

    expect(found).to.deep.equal([{ text: label, count: 1 }, ...(own === undefined ? [] : [{ text: `written for ${label}`, count: own }])]);
  }

  expect(await database.query('select text from public.note')).to.deep.equal([{ text: 'decoy' }]);
}

/** The library, on a database. */
function worldOf(orm: LibraryOrm, rows: Map<string, Town>, database: SpecDatabase): World {
  // outside every scope, MikroORM itself refuses the global EntityManager
  const em = (): TenantEntityManager => (currentSchema() === undefined && !orm.em.isInTransaction() ? orm.em.fork() : orm.em);

  return {
    inTenant: ({ label, name }, by, fn) => runInTenant(by === 'name' ? name : rows.get(label)!, fn),
    inPublic: fn => runInPublic(fn),
    inTransaction: fn => (currentSchema() === undefined ? orm.em.fork({ useContext: true }) : orm.em).transactional(fn),
    forEach: async (names, concurrency, fn) => {
      const outcomes = await forEachTenant((_, tenant) => fn(tenant.schemaName), {
        concurrency,
        settle: true,
        where: { schemaName: { $in: [...names] } },
      });
      expect(outcomes.map(({ schemaName }) => schemaName)).to.deep.equal([...names].sort());

      return outcomes.filter(({ ok }) => !ok).map(({ schemaName }) => schemaName);
    },
    change: async change => {
      const service = serviceOf<Town>(orm);

      switch (change.kind) {
        case 'rename':
          await service.rename(change.from, change.to);
          break;
        case 're-create':
          await service.drop(change.name);
          rows.set(change.newLabel, await service.create({ schemaName: change.name, domainUrl: `h${++hosts}.example.com` }));
          await database.query(`insert into ${change.name}.note (text) values ('${change.newLabel}')`);
          break;
        case 'swap': {
          const [one, other] = change.names;
          await service.rename(one, 'on_the_way');
          await service.rename(other, one);
          await service.rename('on_the_way', other);
        }
      }
    },
    here: () => ({ tenant: currentTenant()?.schemaName, schema: currentSchema(), em: orm.em.schema }),
    read: path => textOrCode(() => READS[path](em())),
    keep: path => {
      const read = KEPT[path](orm.em);

      return () => textOrCode(read);
    },
    write: async (text, path) =>
      codeOf(() => (path === 'insert' ? orm.em.insert(Note, { text }) : orm.em.persistAndFlush(orm.em.create(Note, { text } as never)))),
    abortedRead: async when => {
      const controller = new AbortController();

      if (when === 'before') {
        controller.abort();
      } else if (database.kind === 'postgresql') {
        setImmediate(() => controller.abort());
      }

      await orm.em.find(Note, { id: 1 }, { signal: controller.signal }).catch((error: unknown) => {
        // the request may be answered before it is aborted, or refused
        expect(String(error)).to.match(/This operation was aborted|^TenantChangedError/);
      });
    },
  };
}

const READS: Readonly<Record<ReadPath, (em: TenantEntityManager) => Promise<string | undefined>>> = {
  find: async em => (await em.find(Note, { id: 1 }))[0]?.text,
  'find in a fork': async em => (await em.fork({ keepTransactionContext: true }).find(Note, { id: 1 }))[0]?.text,
  qb: async em => (await em.qb(Note).where({ id: 1 }).getSingleResult())?.text,
  Kysely: async em => (await em.getKysely<Tables>().selectFrom('note').select('text').where('id', '=', 1).executeTakeFirst())?.text,
  repository: async em => (await em.getRepository(Note).findAll({ where: { id: 1 } }))[0]?.text,
};

const KEPT: Readonly<Record<KeptPath, (em: TenantEntityManager) => () => Promise<string | undefined>>> = {
  qb: em => {
    const query = em.qb(Note).where({ id: 1 });

    return async () => (await query.getSingleResult())?.text;
  },
  Kysely: em => {
    const query = em.getKysely<Tables>().selectFrom('note').select('text').where('id', '=', 1);

    return async () => (await query.executeTakeFirst())?.text;
  },
  stream: em => {
    const rows = em.stream(Note, { where: { id: 1 } });

    return async () => {
      let text: string | undefined;

      for await (const row of rows) {
        ({ text } = row);
      }

      return text;
    };
  },
  fork: em => {
    const fork = em.fork();

    return async () => (await fork.find(Note, { id: 1 }))[0]?.text;
  },
};

async function codeOf(write: () => Promise<unknown>): Promise<string | undefined> {
  const answer = await textOrCode(async () => {
    await write();

    return 'done';
  });

  return answer === 'done' ? undefined : answer;
}

async function textOrCode(read: () => Promise<string | undefined>): Promise<string> {
  try {
    return (await read()) ?? 'nothing';
  } catch (error) {
    if (error instanceof TenantError) {
      return error.code;
    }

    throw error;
  }
}

let hosts = 0;

interface Tables {
  note: { id: number; text: string };
}
