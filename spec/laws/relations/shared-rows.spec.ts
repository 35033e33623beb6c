import { runInPublic, runInTenant, SharedRowInUseError, type TenantEntityManager } from '@landlord/mikro-orm';
import { ForeignKeyConstraintViolationException, UniqueConstraintViolationException } from '@mikro-orm/core';
import { expect } from 'chai';
import { Book, Genre, Tag } from '../../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import type { LibraryOrm } from '../../support/orm/library-orm.ts';
import { everyRowOfTwins, openTwins } from '../../support/orm/twins.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { failureOf } from '../../support/assertions/failure.ts';

type Write = (em: TenantEntityManager) => unknown;

/** The ways to delete a shared row, or to change its key. */
const REMOVALS: Readonly<Record<string, Write>> = {
  'em.remove': async em => em.removeAndFlush(await em.findOneOrFail(Genre, 1)),
  'em.remove of a reference': em => em.removeAndFlush(em.getReference(Genre, 1)),
  'em.nativeDelete': em => em.nativeDelete(Genre, { id: 1 }),
  'em.nativeDelete of all': em => em.nativeDelete(Genre, {}),
  'em.nativeUpdate': em => em.nativeUpdate(Genre, { id: 1 }, { id: 77 }),
  'qb.delete': em => em.qb(Genre).delete({ id: 1 }).execute(),
  'qb.update': em => em.qb(Genre).update({ id: 77 }).where({ id: 1 }).execute(),
  'em.transactional': em => em.transactional(async tx => tx.remove(await tx.findOneOrFail(Genre, 1))),
};

onDatabasesAndPooler('shared rows that tenants refer to', database => {
  let orm: LibraryOrm;
  let untouched: unknown;

  before(async () => {
    orm = await openTwins(database);
    // the foreign key of the fixtures is `on delete set null`
    for (const tenant of ['acme', 'bob']) {
      await database.query(`alter table ${tenant}.book drop constraint book_genre_id_foreign`);
      await database.query(
        `alter table ${tenant}.book add constraint book_genre_id_foreign foreign key (genre_id) references public.genre (id)`,
      );
    }
    await database.query(`insert into public.genre (id, name) values (2, 'unused')`);
    untouched = await everyRowOfTwins(database);
  });

  for (const [name, remove] of Object.entries(REMOVALS)) {
    it(`R4 "${name}" of a shared row in use names the constraint and the tenant's schema, and changes nothing`, async () => {
      for (const run of [
        () => remove(orm.em.fork()),
        () => runInPublic(em => remove(em)),
        () => runInTenant('acme', em => remove(em)),
        () => runInTenant('bob', em => remove(em)),
      ]) {
        const error = await refusal(run, 'SHARED_ROW_IN_USE');

        expect(error).to.be.instanceOf(SharedRowInUseError).and.to.include({ table: 'book', constraint: 'book_genre_id_foreign' });
        expect((error as SharedRowInUseError).schemaName).to.be.oneOf(['acme', 'bob']);
        expect(error.message)
          .to.include('"book_genre_id_foreign"')
          .and.to.include(`"${(error as SharedRowInUseError).schemaName}"`)
          .and.to.include('forEachTenant');
        expect(error.cause).to.be.instanceOf(ForeignKeyConstraintViolationException);
        expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
      }
    });
  }

  it('R4 names the tenant that refers to it, whoever deletes the row', async () => {
    await database.query('update acme.book set genre_id = null');

    for (const run of [(fn: Write) => runInTenant('acme', em => fn(em)), (fn: Write) => runInPublic(em => fn(em))]) {
      const error = await refusal(() => run(em => em.nativeDelete(Genre, { id: 1 })), 'SHARED_ROW_IN_USE');
      expect(error).to.have.property('schemaName', 'bob');
    }

    await database.query('update acme.book set genre_id = 1');
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  it('R4 restricting keys, which PostgreSQL has a code of its own for, are named too', async () => {
    await database.query('alter table bob.book drop constraint book_genre_id_foreign');
    await database.query(
      'alter table bob.book add constraint book_genre_id_foreign foreign key (genre_id) references public.genre (id) on delete restrict',
    );
    await database.query('update acme.book set genre_id = null');
    const error = await refusal(() => runInPublic(em => em.nativeDelete(Genre, { id: 1 })), 'SHARED_ROW_IN_USE');
    expect(error).to.include({ schemaName: 'bob', constraint: 'book_genre_id_foreign' });
    await database.query('update acme.book set genre_id = 1');
  });

  it('R4 a shared row that nobody refers to is deleted', async () => {
    await runInPublic(em => em.transactional(async tx => expect(await tx.nativeDelete(Genre, { id: 2 })).to.equal(1)));
    await database.query(`insert into public.genre (id, name) values (2, 'unused')`);
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  it('R4 a tenant row that refers to a shared row that is not there, or a tenant row in use, stays MikroORM’s own error', async () => {
    const works: readonly Write[] = [
      em => em.insert(Book, { id: 9, title: 'x', author: 1, genre: 99 }),
      em => em.persistAndFlush(em.create(Book, { id: 9, title: 'x', author: 1, genre: 99 } as never)),
      em => em.nativeUpdate(Book, { id: 1 }, { genre: 99 }),
      em => em.nativeDelete(Book, { id: 1 }),
      async em => {
        expect(await failureOf(em.insert(Tag, { id: 1, name: 'again' }))).to.be.instanceOf(UniqueConstraintViolationException);
        await em.nativeDelete(Book, { id: 1 });
      },
    ];

    for (const work of works) {
      expect(await failureOf(runInTenant('acme', async em => work(em)))).to.be.instanceOf(ForeignKeyConstraintViolationException);
    }

    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });

  it('law 2: a shared table that tenants refer to is not truncated, which would empty every tenant’s with it', async () => {
    database.statements.length = 0;

    for (const run of [
      (fn: Write) => fn(orm.em.fork()),
      (fn: Write) => runInPublic(em => fn(em)),
      (fn: Write) => runInTenant('acme', em => fn(em)),
    ]) {
      const error = await refusal(() => run(em => em.qb(Genre).truncate().execute()), 'SHARED_TABLE_IN_USE');
      expect(error.message).to.include('Genre').and.to.include('Book');
    }

    expect(database.statements.filter(sql => sql.includes('truncate'))).to.deep.equal([]);
    expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
  });
});
