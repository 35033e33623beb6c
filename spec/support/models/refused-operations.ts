import {
  acrossTenants,
  currentTenant,
  forEachTenant,
  runInPublic,
  runInTenant,
  tenants,
  type TenantEntityManager,
} from '@landlord/mikro-orm';
import { LockMode } from '@mikro-orm/core';
import { expect } from 'chai';
import { CompiledQuery } from 'kysely';
import { PassThrough } from 'node:stream';
import { Author, Book, Genre, Library, Tag } from '../../../fixtures/entities/index.ts';
import type { SpecDatabase } from '../databases/database.ts';
import { newLibrary, type LibraryOrm } from '../orm/library-orm.ts';

/** One piece of work on the twins. `n` is a new number each time, to identify what is written. */
export interface RefusedOperation {
  /** Is not refused. */
  prepare?(of: Subject): Promise<unknown>;
  /** Rejects if any part of it fails. */
  run(of: Subject): Promise<unknown>;
  /** Whether it is made of parts, each of which is done whole or not at all. */
  readonly hasParts?: boolean;
}

export interface Subject {
  readonly orm: LibraryOrm;
  readonly acme: Library;
  readonly bob: Library;
  readonly n: number;
}

type Work = (em: TenantEntityManager, n: number) => Promise<unknown>;

/** The scope that something has failed in goes on. */
const inAcme =
  (work: Work): RefusedOperation['run'] =>
  ({ orm, acme, n }) =>
    runInTenant(acme, async em => {
      try {
        return await work(em, n);
      } catch (error) {
        expect(currentTenant()?.schemaName).to.equal('acme');
        expect((await orm.em.fork().findOneOrFail(Book, 1)).title).to.equal('acme book 1');
        expect(await orm.em.fork().execute('select title from book where id = 1')).to.deep.equal([{ title: 'acme book 1' }]);
        throw error;
      }
    });

const tag = (n: number): { id: number; name: string } => ({ id: n, name: `tag ${n}` });

const INSERT = 'insert into tag (id, name) values (?, ?)';

const insertRaw = (em: TenantEntityManager, n: number): Promise<unknown> => em.execute(INSERT, [n, `tag ${n}`]);

const insertQuery = (n: number): CompiledQuery => CompiledQuery.raw('insert into tag (id, name) values ($1, $2)', [n, `tag ${n}`]);

const READ_BOOK = CompiledQuery.raw('select title from book where id = $1', [1]);

const all = async (rows: AsyncIterable<unknown>): Promise<unknown[]> => {
  const found: unknown[] = [];

  for await (const row of rows) {
    found.push(row);
  }

  return found;
};

const make = ({ orm, n }: Subject): Promise<unknown> => orm.em.fork().persistAndFlush(newLibrary(`t${n}`));

const deleteSoftly = async (of: Subject): Promise<void> => {
  await make(of);
  await tenants(of.orm).drop(`t${of.n}`, { soft: true });
};

const dataOf = (n: number): { name: string; domainUrl: string; schemaName: string } => ({
  name: `t${n}`,
  domainUrl: `t${n}.example.com`,
  schemaName: `t${n}`,
});

const exportAcme = async ({ orm }: Subject): Promise<Buffer> => {
  const to = new PassThrough();
  const [, chunks] = await Promise.all([tenants(orm).export('acme', to), all(to).catch(() => [])]);

  return Buffer.concat(chunks as Buffer[]);
};

const changed =
  (change: (row: Library, n: number) => void): RefusedOperation['run'] =>
  async ({ orm, n }) => {
    const em = orm.em.fork();
    change(await em.findOneOrFail(Library, { schemaName: `t${n}` }), n);
    await em.flush();
  };

/** What is done in a tenant, by each path that has messages of its own. */
const IN_A_TENANT: Readonly<Record<string, RefusedOperation>> = {
  'a find with relations': { run: inAcme(em => em.find(Book, {}, { populate: ['tags', 'author'] })) },
  'a stream': { run: inAcme(em => all(em.stream(Tag, { chunkSize: 1, orderBy: { id: 'asc' } }))) },
  'a stream in a transaction': { run: inAcme(em => em.transactional(tx => all(tx.stream(Tag, { chunkSize: 1, orderBy: { id: 'asc' } })))) },
  'a stream of raw SQL': { run: inAcme(em => all(em.getConnection().stream('select name from tag order by id', []))) },
  'a stream of raw SQL in a transaction': {
    run: inAcme(em =>
      em.transactional(tx => all(tx.getConnection().stream('select name from tag order by id', [], tx.getTransactionContext()))),
    ),
  },
  'a stream that writes': {
    run: inAcme((em, n) => all(em.getKysely<Tables>().insertInto('tag').values(tag(n)).returning('id').stream(1))),
  },
  'a stream of raw SQL that writes': {
    run: inAcme((em, n) => all(em.getConnection().stream(`${INSERT} returning id`, [n, `tag ${n}`]))),
  },
  'a flush': {
    run: inAcme((em, n) => em.persistAndFlush([em.create(Tag, tag(n)), em.create(Author, { id: n, name: `a${n}` })])),
  },
  'an insert': { run: inAcme((em, n) => em.insert(Tag, tag(n))) },
  'an upsert': { run: inAcme((em, n) => em.upsert(Tag, tag(n))) },
  'raw SQL that reads': { run: inAcme(em => em.execute('select title from book order by id')) },
  'raw SQL that writes': { run: inAcme(insertRaw) },
  'raw SQL of several statements': { run: inAcme(em => em.execute('select title from book; select name from tag; select 1')) },
  'raw SQL that sets a path': { run: inAcme(em => em.execute('set search_path to bob')) },
  'raw SQL that sets path and role in a transaction': {
    run: inAcme((em, n) =>
      em.transactional(async tx => {
        await tx.execute('set local search_path to bob');
        await insertRaw(tx, n);
        await tx.execute('set role none');
        await tx.execute('set search_path to bob; select title from book');
      }),
    ),
  },
  'raw SQL that locks': {
    run: inAcme((em, n) =>
      em.transactional(async tx => {
        await tx.execute('lock table tag in share row exclusive mode');
        await insertRaw(tx, n);
      }),
    ),
  },
  'a transaction with savepoints and raw SQL': {
    run: inAcme((em, n) =>
      em.transactional(async tx => {
        await tx.insert(Tag, tag(n));
        await tx.transactional(inner => inner.execute(`update tag set name = name || ' inner' where id = ?`, [n]));
      }),
    ),
  },
  'a transaction with a lock': {
    run: inAcme((em, n) =>
      em.transactional(async tx => {
        await tx.findOneOrFail(Book, 1, { lockMode: LockMode.PESSIMISTIC_WRITE });
        await tx.insert(Tag, tag(n));
      }),
    ),
  },
  '`begin`, `commit` and `rollback`': {
    run: inAcme(async (em, n) => {
      const fork = em.fork();
      await fork.begin();

      try {
        await fork.insert(Tag, tag(n));
        await fork.execute('select title from book');
        await fork.commit();
      } catch (error) {
        await fork.rollback().catch(() => undefined);
        throw error;
      }
    }),
  },
  "a transaction of Kysely's": {
    run: inAcme((em, n) =>
      em
        .getKysely<Tables>()
        .transaction()
        .execute(async trx => {
          await trx.insertInto('tag').values(tag(n)).execute();
          await trx.executeQuery(READ_BOOK);
        }),
    ),
  },
  "a connection of Kysely's": {
    hasParts: true,
    run: inAcme((em, n) =>
      em
        .getKysely<Tables>()
        .connection()
        .execute(async db => {
          await db.executeQuery(insertQuery(n));
          await db.executeQuery(READ_BOOK);
        }),
    ),
  },
};

/** What is done for several tenants, and for none. */
const FOR_SEVERAL: Readonly<Record<string, RefusedOperation>> = {
  'a transaction over two tenants': {
    run: ({ orm, acme, bob, n }) =>
      runInPublic(() =>
        orm.em.transactional(async () => {
          for (const [tenant, title] of [
            [acme, 'acme book 1'],
            [bob, 'bob book 1'],
          ] as const) {
            await runInTenant(tenant, async em => {
              await em.insert(Tag, tag(n));
              expect(await em.execute('select title from book where id = 1')).to.deep.equal([{ title }]);
            });
          }

          expect(await orm.em.execute('select title from book where id = 1')).to.deep.equal([{ title: 'decoy' }]);
        }),
      ),
  },
  'a shared row': { run: ({ n }) => runInPublic(em => em.insert(Genre, { id: n, name: `g${n}` })) },
  '`forEachTenant`': { hasParts: true, run: ({ n }) => forEachTenant(async em => void (await em.insert(Tag, tag(n)))) },
  '`forEachTenant` in a transaction': {
    run: ({ orm, n }) =>
      orm.em.fork().transactional(() =>
        forEachTenant(async em => {
          await em.insert(Tag, tag(n));
          await em.execute('select title from book');
        }),
      ),
  },
  'a report across tenants': { run: ({ orm }) => all(acrossTenants(Book, {}, { orm, reason: 'a spec' })) },
  'a status': { run: async ({ orm }) => (await tenants(orm).status()).tenants.map(({ schemaName, pending }) => [schemaName, pending]) },
  'a doctor': { run: async ({ orm }) => (await tenants(orm).doctor({ deep: true })).findings },
};

/** What changes tenants. */
const OF_TENANTS: Readonly<Record<string, RefusedOperation>> = {
  'creating a tenant': { run: make },
  'creating two tenants': { run: ({ orm, n }) => orm.em.fork().persistAndFlush([newLibrary(`t${n}`), newLibrary(`r${n}`)]) },
  'providing a tenant with its schema': {
    prepare: ({ orm, n }) => orm.em.fork().persistAndFlush(newLibrary(`t${n}`, { autoCreateSchema: false })),
    run: ({ orm, n }) => tenants(orm).provision(`t${n}`),
  },
  'renaming a tenant': { prepare: make, run: ({ orm, n }) => tenants(orm).rename(`t${n}`, `r${n}`) },
  'renaming a tenant by a flush': { prepare: make, run: changed((row, n) => (row.schemaName = `r${n}`)) },
  'moving a tenant to another host': { prepare: make, run: changed((row, n) => (row.domainUrl = `r${n}.example.com`)) },
  'dropping a tenant': { prepare: make, run: ({ orm, n }) => tenants(orm).drop(`t${n}`) },
  'deleting a tenant softly': { prepare: make, run: ({ orm, n }) => tenants(orm).drop(`t${n}`, { soft: true }) },
  'restoring a tenant': { prepare: deleteSoftly, run: ({ orm, n }) => tenants(orm).restore(`t${n}`) },
  'restoring a tenant under another name': {
    prepare: deleteSoftly,
    run: ({ orm, n }) => tenants(orm).restore(`t${n}`, { schemaName: `r${n}` }),
  },
  'purging a tenant': {
    prepare: deleteSoftly,
    run: async ({ orm, n }) => {
      const { failed } = await tenants(orm).purge({ only: [`t${n}`] });

      if (failed[0] !== undefined) {
        throw failed[0].error;
      }
    },
  },
  'cloning a tenant': { run: ({ orm, n }) => tenants<Library>(orm).clone('acme', dataOf(n)) },
  'exporting a tenant': { run: exportAcme },
  'importing a tenant': {
    prepare: async of => (file ??= await exportAcme(of)),
    run: async ({ orm, n }) => {
      const source = new PassThrough();
      source.end(file);
      await tenants<Library>(orm).import(source, dataOf(n));
    },
  },
};

export const REFUSED_OPERATIONS: Readonly<Record<string, RefusedOperation>> = { ...IN_A_TENANT, ...FOR_SEVERAL, ...OF_TENANTS };

let file: Buffer | undefined;

interface Tables {
  readonly tag: { readonly id: number; readonly name: string };
}

/** All that an operation may have changed in the twins' database, without its number. */
export async function stateOf(database: SpecDatabase, n: number): Promise<string> {
  const [row] = await database.query(STATE, [n]);

  return JSON.stringify(row)
    .replaceAll(String(n), 'N')
    .replaceAll(/landlord_deleted_\w+/g, 'DELETED')
    .replaceAll(/\beyJ\w+/g, 'DATA');
}

const STATE = `select
  (select json_agg(json_build_array(schema_name, domain_url, name) order by name) from public.library where name in ('t' || $1::text, 'r' || $1::text)) as rows,
  (select json_agg(json_build_array(nspname, obj_description(oid, 'pg_namespace'), (select count(*) from pg_class where relnamespace = n.oid), nspowner) order by nspname)
    from pg_namespace n where nspname ~ '^[tr][0-9]+$' or nspname ~ '^landlord_') as schemas,
  (select json_agg(rolname order by rolname) from pg_roles where rolname ~ ('_[tr]' || $1::text || '$')) as roles,
  (select json_agg(json_build_array('acme', name)) from acme.tag where id = $1::int) as acme,
  (select json_agg(json_build_array('bob', name)) from bob.tag where id = $1::int) as bob,
  (select json_agg(name) from public.tag where id = $1::int) as public,
  (select json_agg(name) from public.genre where id = $1::int) as genres,
  (select count(*)::int from acme.author where name = 'a' || $1::text) as authors`;
