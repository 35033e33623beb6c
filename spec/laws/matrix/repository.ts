import type { TenantEntityManager } from '@landlord/mikro-orm';
import type { SqlEntityRepository } from '@mikro-orm/sql';
import { Book, Loan, Tag } from '../../../fixtures/entities/index.ts';
import type { Row, SchemaOption, Table } from './cell.ts';
import { collect, FLUSHED } from './entity-manager.ts';

/** The ways in which a repository reaches the database; each asks its EntityManager. */
export const REPOSITORY: Table = {
  find: books((repo, o) => repo.find({ author: { name: { $ne: '' } } }, o)),
  findAll: books((repo, o) => repo.findAll({ ...o, populate: ['author', 'tags'] })),
  findAndCount: books((repo, o) => repo.findAndCount({}, { ...o, limit: 1 })),
  findByCursor: books(async (repo, o) => (await repo.findByCursor({ ...o, first: 1, orderBy: { id: 'asc' } })).items),
  findOne: books((repo, o) => repo.findOne({ id: 1 }, o)),
  findOneOrFail: books((repo, o) => repo.findOneOrFail(1, o)),
  stream: books((repo, o) => collect(repo.stream(o)), { notOnPglite: true }),
  count: books((repo, o) => repo.count({ tags: { name: { $ne: '' } } }, o)),
  countBy: books((repo, o) => repo.countBy('author', o)),
  populate: books(async (repo, o) => repo.populate(await repo.findAll(o), ['author', 'tags'], o)),
  qb: books((repo, { schema }) => repo.qb('b').withSchema(schema).getResult()),
  createQueryBuilder: books((repo, { schema }) => repo.createQueryBuilder('b').withSchema(schema).getResult()),
  getEntityManager: books((repo, o) => repo.getEntityManager().find(Book, {}, o)),

  insert: tags((repo, o) => repo.insert({ id: 103, name: 'inserted' }, o)),
  insertMany: tags((repo, o) => repo.insertMany([{ id: 104, name: 'one' }], o)),
  upsert: tags((repo, o) => repo.upsert({ id: 1, name: 'upserted' }, o)),
  upsertMany: tags((repo, o) => repo.upsertMany([{ id: 1, name: 'upserted' }], o)),
  nativeUpdate: tags((repo, o) => repo.nativeUpdate({ id: 1 }, { name: 'updated' }, o)),
  nativeDelete: {
    make: em => em.getRepository(Loan),
    use: (repo: SqlEntityRepository<Loan>, o) => repo.nativeDelete({ book: { title: { $ne: '' } } }, o),
    writes: true,
  },
  assign: tags(
    async (repo, o) => {
      repo.assign(await repo.findOneOrFail(1, o), { name: 'assigned' });
      await repo.getEntityManager().flush();
    },
    { expect: FLUSHED, readsFirst: true },
  ),
  create: tags(
    async (repo, o) => {
      repo.create({ id: 105, name: 'created' }, o);
      await repo.getEntityManager().flush();
    },
    { expect: FLUSHED },
  ),
  getReference: books((repo, o) => repo.getReference(1, { ...o, wrapped: false }), { quiet: true }),
  map: books((repo, o) => repo.map({ id: 1, title: 'mapped', author_id: 1 }, o), { quiet: true }),
  merge: books((repo, o) => repo.merge({ id: 1, title: 'merged', author: 1 }, o), { quiet: true }),
};

function books(use: (repo: SqlEntityRepository<Book>, options: SchemaOption) => unknown, more: Partial<Row> = {}): Row {
  return { make: (em: TenantEntityManager) => em.getRepository(Book), use, ...more };
}

function tags(use: (repo: SqlEntityRepository<Tag>, options: SchemaOption) => unknown, more: Partial<Row> = {}): Row {
  return { make: (em: TenantEntityManager) => em.getRepository(Tag), use, writes: true, ...more };
}
