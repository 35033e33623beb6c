import type { TenantEntityManager } from '@landlord/mikro-orm';
import { FlushMode, LockMode, ref } from '@mikro-orm/core';
import { Author, Book, Loan, LoanSummary, Tag } from '../../../fixtures/entities/index.ts';
import type { Expected, Row, SchemaOption, Situation, Table } from './cell.ts';
import { Digest, Memo, SharedRoutine, TenantRoutine } from './entities.ts';

type Use = (em: TenantEntityManager, options: SchemaOption) => unknown;

const DEEP = ['author.books.tags', 'genre', 'sequelOf'] as const;

const TWO_TAGS = [
  { id: 104, name: 'one' },
  { id: 105, name: 'two' },
];

/** Raw SQL with unqualified names reads the schema of the scope in which it is sent. */
const RAW: Expected = {
  'in no scope': 'public',
  'in the public scope': 'public',
  'made in no scope, used in one': 'acme',
  'made in the public scope, used in a tenant’s': 'acme',
};

/** MikroORM would load this without a schema, so it is refused if the EntityManager has another schema or none. */
export const UNLOADED: Expected = {
  'in no scope, with { schema } of a tenant': 'TENANT_CONTEXT_REQUIRED',
  'in the public scope, with { schema } of a tenant': 'TENANT_CONTEXT_REQUIRED',
  'in no scope, by a fork of a tenant with { schema } of another': 'CROSS_TENANT',
};

/** A tenant's EntityManager stores only that tenant's entities, also outside scopes. */
export const FLUSHED: Expected = { 'in no scope, by a fork of a tenant with { schema } of another': 'CROSS_TENANT' };

/** `em.begin()` replaces the transaction of the EntityManager. */
const IN_TRANSACTIONS: readonly Situation[] = ['in a transaction', 'after a nested transaction was rolled back, with another scope in it'];

/** The ways in which an EntityManager reaches the database. The name of each row begins with the method's name. */
export const ENTITY_MANAGER: Table = {
  find: read((em, o) => em.find(Book, {}, o)),
  'find, by related': read((em, o) =>
    em.find(Book, { author: { name: { $ne: '' } }, genre: { name: 'crime' }, tags: { name: { $ne: '' } } }, o),
  ),
  'find, limit and populate': read((em, o) =>
    em.find(Book, { tags: { name: { $ne: '' } } }, { ...o, limit: 1, populate: ['tags'], strategy: 'joined' }),
  ),
  'find, $some': read((em, o) => em.find(Book, { tags: { $some: { name: { $ne: '' } } } }, o)),
  'find, $none': read((em, o) => em.find(Author, { books: { $none: { genre: { name: 'none' } } } }, o)),
  'find, $every': read((em, o) => em.find(Author, { books: { $every: { tags: { $some: { name: { $ne: '' } } } } } }, o)),
  'find, $exists': read((em, o) => em.find(Book, { sequelOf: { $exists: true } }, o)),
  'find, unmanaged': read((em, o) => em.find(Book, {}, { ...o, disableIdentityMap: true })),
  'find, union': read((em, o) => em.find(Book, {}, { ...o, unionWhere: [{ id: 1 }, { author: { name: { $ne: '' } } }] })),
  'find, populate *, select-in': read((em, o) => em.find(Book, {}, { ...o, populate: ['*'], strategy: 'select-in' })),
  'find, populate *, joined': read((em, o) => em.find(Book, {}, { ...o, populate: ['*'], strategy: 'joined' })),
  'find, populate *, balanced': read((em, o) => em.find(Book, {}, { ...o, populate: ['*'], strategy: 'balanced' })),
  'find, populate, select-in': read((em, o) => em.find(Book, {}, { ...o, populate: DEEP, strategy: 'select-in' })),
  'find, populate, joined': read((em, o) => em.find(Book, {}, { ...o, populate: DEEP, strategy: 'joined' })),
  'find, populate, balanced': read((em, o) => em.find(Book, {}, { ...o, populate: DEEP, strategy: 'balanced' })),
  'find, a view': read((em, o) => em.find(LoanSummary, {}, o)),
  'find, a materialized view': read((em, o) => em.find(Digest, {}, o)),
  'find, a lazy scalar': read((em, o) => em.find(Memo, {}, { ...o, populate: ['text', 'author'] })),
  'find, populateWhere': read((em, o) => em.find(Book, {}, { ...o, populate: ['tags'], populateWhere: { tags: { name: { $ne: '' } } } })),
  stream: read((em, o) => collect(em.stream(Book, { ...o, populate: ['author', 'tags'] })), { notOnPglite: true }),
  findAll: read((em, o) => em.findAll(Book, o)),
  findAndCount: read((em, o) => em.findAndCount(Book, { tags: { name: { $ne: '' } } }, { ...o, limit: 1 })),
  findByCursor: read(async (em, o) => (await em.findByCursor(Book, { ...o, first: 1, orderBy: { id: 'asc' } })).items),
  findOne: read((em, o) => em.findOne(Book, 1, o)),
  'findOne, populate': read((em, o) => em.findOne(Book, { id: 1 }, { ...o, populate: ['author', 'tags', 'genre'] })),
  findOneOrFail: read((em, o) => em.findOneOrFail(Book, { id: 1 }, o)),
  refresh: read(async (em, o) => em.refresh(await em.findOneOrFail(Book, 2, { ...o, populate: ['author', 'tags'] }), o)),
  'refresh, a reference': read(async (em, o) => ((await em.refresh(em.getReference(Book, 2, o as object))) as Book | null)?.title),
  refreshOrFail: read(async (em, o) => em.refreshOrFail(await em.findOneOrFail(Book, 2, o), o)),
  count: read((em, o) => em.count(Book, { tags: { name: { $ne: '' } } }, o)),
  countBy: read((em, o) => em.countBy(Book, 'author', { ...o, where: { author: { name: { $ne: '' } } } })),
  populate: read(async (em, o) => em.populate(await em.find(Book, {}, o), ['author', 'tags'], o)),
  'populate, a reference': read((em, o) => em.populate(em.getReference(Author, 1, o as object), ['books.tags'] as never, o), {
    expect: UNLOADED,
  }),

  insert: write((em, o) => em.insert(Tag, { id: 103, name: 'inserted' }, o)),
  'insert, an entity': write((em, o) => em.insert(em.create(Tag, { id: 103, name: 'inserted' }, { ...o, persist: false })), {
    expect: FLUSHED,
  }),
  insertMany: write((em, o) => em.insertMany(Tag, TWO_TAGS, o)),
  upsert: write((em, o) => em.upsert(Book, { id: 1, title: 'upserted', author: 1 }, o)),
  upsertMany: write((em, o) => em.upsertMany(Tag, [{ id: 1, name: 'upserted' }, ...TWO_TAGS], o)),
  clone: write((em, o) => em.clone(Memo, { id: 1 }, { text: 'cloned' }, o), { varies: true }),
  nativeUpdate: write((em, o) => em.nativeUpdate(Book, { author: { name: { $ne: '' } } }, { title: 'updated' }, o)),
  nativeDelete: write((em, o) => em.nativeDelete(Loan, { book: { title: { $ne: '' } } }, o)),
  lock: write(async (em, o) => em.lock(await em.findOneOrFail(Book, 1, o), LockMode.PESSIMISTIC_WRITE)),

  persist: flush((em, o) => em.persist(em.create(Book, { id: 101, title: 'new', author: 1, tags: [1] } as never, o)).flush()),
  'persist, made by hand': write((em, { schema }) => em.persist(Object.assign(new Tag(), { id: 102, name: schema ?? 'by hand' })).flush(), {
    takesSchema: false,
  }),
  persistAndFlush: flush((em, o) => em.persistAndFlush(em.create(Tag, { id: 101, name: 'new' }, o))),
  remove: flush(async (em, o) => em.remove(await em.findOneOrFail(Loan, 1, o)).flush(), { readsFirst: true }),
  removeAndFlush: flush((em, o) => em.removeAndFlush(em.getReference(Loan, 1, o as object))),
  flush: flush(
    async (em, o) => {
      const book = await em.findOneOrFail(Book, 1, o);
      book.title = 'changed';
      await em.flush();
    },
    { readsFirst: true },
  ),
  'flush, a collection': flush(
    async (em, o) => {
      (await em.findOneOrFail(Book, 1, { ...o, populate: ['tags'] })).tags.add(em.getReference(Tag, 2, o as object));
      await em.flush();
    },
    { readsFirst: true },
  ),
  tryFlush: flush(async (em, o) => {
    em.create(Tag, { id: 109, name: 'flushed by a query' }, o);
    await em.tryFlush(Tag, { flushMode: FlushMode.ALWAYS });
  }),
  assign: flush(
    async (em, o) => {
      em.assign(await em.findOneOrFail(Book, 2, o), { author: 2, tags: [1] });
      await em.flush();
    },
    { readsFirst: true },
  ),

  create: read((em, o) => em.create(Tag, { id: 1, name: 'made' }, { ...o, persist: false }), { quiet: true }),
  getReference: read((em, o) => em.getReference(Book, 1, o as object), { quiet: true }),
  map: read((em, o) => em.map(Book, { id: 1, title: 'mapped', author_id: 1 }, o), { quiet: true }),
  merge: read((em, o) => em.merge(Book, { id: 1, title: 'merged', author: 1 }, o), { quiet: true }),

  transactional: read((em, o) => em.transactional(tx => tx.find(Book, {}, o))),
  begin: read((em, o) => begun(em, () => em.find(Book, {}, o)), { except: IN_TRANSACTIONS }),
  commit: read((em, o) => begun(em, () => em.find(Book, {}, o), 'commit'), { except: IN_TRANSACTIONS }),
  rollback: read((em, o) => begun(em, () => em.find(Book, {}, o)), { except: IN_TRANSACTIONS }),
  fork: read((em, o) => em.fork({ ...o, keepTransactionContext: true }).find(Book, {})),

  qb: read((em, { schema }) => em.qb(Book, 'b').withSchema(schema).getResult()),
  createQueryBuilder: read((em, { schema }) => em.createQueryBuilder(Book, 'b').withSchema(schema).getResult()),
  getRepository: read((em, o) => em.getRepository(Book).findAll(o)),
  repo: read((em, o) => em.repo(Book).findAll(o)),
  getKysely: read(
    (em, { schema }) => {
      const db = em.getKysely<Tables>();

      return (schema === undefined ? db : db.withSchema(schema)).selectFrom('book').selectAll().execute();
    },
    { quiet: true },
  ),
  'getKysely, join': kysely(db =>
    db.selectFrom('book as b').innerJoin('genre as g', 'g.id', 'b.genre_id').select(['b.title', 'g.name']).orderBy('b.id'),
  ),
  'getKysely, insert': kysely(db => db.insertInto('tag').values({ id: 108, name: 'kysely' }).returningAll(), true),
  'getKysely, update': kysely(db => db.updateTable('book').set({ title: 'kysely' }).where('book.id', '=', 1).returningAll(), true),
  'getKysely, delete': kysely(db => db.deleteFrom('loan').returningAll(), true),
  execute: read(em => em.execute('select title from book order by id'), { quiet: true, takesSchema: false, expect: RAW }),
  callRoutine: read(em => em.callRoutine(SharedRoutine, {}), { notOnPglite: true, quiet: true, takesSchema: false, expect: RAW }),
  'callRoutine, a tenant’s': read(em => em.callRoutine(TenantRoutine, {}), { notOnPglite: true, quiet: true, takesSchema: false }),
  refreshMaterializedView: write(em => em.refreshMaterializedView(Digest), { quiet: true, takesSchema: false }),
  getDataLoader: read(async (em, o) => {
    const author = ref(em.getReference(Author, 1, o as object));

    return (await em.getDataLoader('ref')).load([author, {}]);
  }),
  getUnitOfWork: flush(async (em, o) => {
    em.getUnitOfWork().persist(em.create(Tag, { id: 111, name: 'by the unit of work' }, { ...o, persist: false }));
    await em.getUnitOfWork().commit();
  }),
};

/** A row of which only the result is compared. */
function read(use: Use, more: Partial<Row> = {}): Row<TenantEntityManager> {
  return { make: em => em, use, ...more };
}

function write(use: Use, more: Partial<Row> = {}): Row<TenantEntityManager> {
  return { make: em => em, use, writes: true, ...more };
}

/** A row that flushes. A tenant's EntityManager flushes only for that tenant. */
function flush(use: Use, more: Partial<Row> = {}): Row<TenantEntityManager> {
  return write(use, { expect: FLUSHED, ...more });
}

function kysely(build: (db: Kysely<Tables>) => { execute(): Promise<unknown> }, writes = false): Row<TenantEntityManager> {
  return { make: em => em, use: em => build(em.getKysely<Tables>()).execute(), writes, quiet: true, takesSchema: false };
}

async function begun(em: TenantEntityManager, fn: () => Promise<unknown>, end: 'commit' | 'rollback' = 'rollback'): Promise<unknown> {
  await em.begin();

  try {
    return await fn();
  } finally {
    await em[end]();
  }
}

export async function collect(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];

  for await (const row of rows) {
    all.push(row);
  }

  return all;
}

type Kysely<DB extends object> = ReturnType<typeof kyselyOf<DB>>;

function kyselyOf<DB extends object>(em: TenantEntityManager) {
  return em.getKysely<DB>();
}

interface Tables {
  book: { id: number; title: string; genre_id: number | null };
  genre: { id: number; name: string };
  loan: { id: number };
  tag: { id: number; name: string };
}
