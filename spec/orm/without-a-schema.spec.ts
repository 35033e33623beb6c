import { currentSchema, runInTenant } from '@landlord/mikro-orm';
import { defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Author, Book } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import { LIBRARY_ENTITIES, type LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins, schemasIn } from '../support/orm/twins.ts';

/** A virtual entity by each kind of expression that is a function. */
const virtual = (name: string, expression: (em: SqlEntityManager) => unknown): EntitySchema<any> =>
  defineEntity({ name, properties: { title: p.string() }, expression } as never);

const titles = (em: SqlEntityManager) => em.qb(Book, 'b').select('title').orderBy({ id: 'asc' });
const VIRTUAL = [
  virtual('TitleOfQuery', em => titles(em)),
  virtual('TitleOfText', em => titles(em).getFormattedQuery()),
  virtual('TitleOfFragment', em => titles(em).toRaw()),
];
const Rows = virtual('TitleOfRows', async function* rows(em: SqlEntityManager) {
  yield* await em.find(Book, {}, { fields: ['title'], orderBy: { id: 'asc' } });
});

const config = { entities: [...LIBRARY_ENTITIES, ...VIRTUAL, Rows] };

onDatabases(
  'a virtual entity in a stream',
  database => {
    let orm: LibraryOrm;

    before(async () => {
      orm = await openTwins(database, config);
    });

    for (const Title of [...VIRTUAL, Rows]) {
      it(`S9 is of the tenant of its EntityManager: ${Title.meta.className}`, async () => {
        await runInTenant('acme', async em => {
          const read = async (stream: AsyncIterable<any>): Promise<string[]> => {
            const found: string[] = [];

            for await (const { title } of stream) {
              found.push(title);
            }

            return found;
          };
          const late = em.stream(Title, {});
          database.statements.length = 0;

          expect(await read(em.stream(Title))).to.deep.equal(['acme book 1', 'acme book 2']);
          expect(await read(orm.em.stream(Title))).to.deep.equal(['acme book 1', 'acme book 2']);
          expect(await em.transactional(async inner => read(inner.stream(Title)))).to.deep.equal(['acme book 1', 'acme book 2']);
          expect(await runInTenant('bob', () => read(late))).to.deep.equal(['acme book 1', 'acme book 2']);
          expect(schemasIn(database.statements.filter(statement => statement.includes('"book"')))).to.deep.equal(['acme']);
        });
        await refusal(async () => {
          for await (const _ of orm.em.fork().stream(Title)) {
            // nothing is read
          }
        }, 'TENANT_CONTEXT_REQUIRED');
      });
    }
  },
  ['postgresql'],
);

onDatabases('a call that names no tenant', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
  });

  it('law 1: a call of the driver is refused in a scope, and the error says what to pass', async () => {
    await runInTenant('acme', async () => {
      database.statements.length = 0;

      for (const call of [
        () => orm.em.getDriver().find(Book, {}),
        () => orm.em.getDriver().findOne(Book, { id: 1 }),
        () => orm.em.getDriver().count(Book, {}),
        () => orm.em.getDriver().nativeInsert(Author, { id: 9, name: 'x' }),
        () => orm.em.getDriver().nativeUpdate(Book, { id: 1 }, { title: 'x' }),
        () => orm.em.getDriver().nativeDelete(Book, { id: 1 }),
      ]) {
        const { message } = await refusal(call, 'TENANT_CONTEXT_REQUIRED');
        expect(message).to.contain('`{ schema: currentSchema() }`').and.to.not.contain('outside any scope');
      }

      expect(database.statements).to.deep.equal([]);
      const [book] = await orm.em.getDriver().find(Book, { id: 1 }, { schema: currentSchema()! });
      expect(book).to.include({ title: 'acme book 1' });
    });
  });

  it('S16 the identity map is asked for an entity of the own tenant', async () => {
    await runInTenant('acme', async em => {
      const book = await em.findOneOrFail(Book, 1);
      const uow = em.getUnitOfWork();

      expect(uow.getById(Book, 1)).to.equal(book);
      expect(uow.getById(Book, 1, 'acme')).to.equal(book);
      expect(uow.getById(Book, 1, 'bob')).to.equal(undefined);
      expect(uow.tryGetById(Book, { id: 1 })).to.equal(book);
      await runInTenant('bob', async inner => {
        expect(inner.getUnitOfWork().getById(Book, 1)).to.equal(undefined);
        expect(orm.em.getUnitOfWork().getById(Book, 1)).to.equal(undefined);
        expect(uow.getById(Book, 1)).to.equal(book);
        const other = await inner.findOneOrFail(Book, 1);
        expect(orm.em.getUnitOfWork().getById(Book, 1)).to.equal(other).and.to.not.equal(book);
      });
    });
    const fork = orm.em.fork();
    const book = await fork.findOneOrFail(Book, 1, { schema: 'acme' });
    expect(fork.getUnitOfWork().getById(Book, 1)).to.equal(undefined);
    expect(fork.getUnitOfWork().getById(Book, 1, 'acme')).to.equal(book);
  });

  it('S16 the identity map is asked for an entity by another unique property', async () => {
    await runInTenant('acme', async em => {
      const author = em.getReference(Author, 'acme author 1' as never, { key: 'name' } as never);

      expect(em.getUnitOfWork().getByKey(Author, 'name', 'acme author 1')).to.equal(author);
      await runInTenant('bob', inner => {
        expect(inner.getUnitOfWork().getByKey(Author, 'name', 'acme author 1')).to.equal(undefined);
      });
    });
  });
});
