import { currentTenant, forEachTenant, runInPublic, runInTenant, tenants } from '@landlord/mikro-orm';
import type { MikroORM } from '@mikro-orm/core';
import { expect } from 'chai';
import { Book, Genre } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { openBeside, openPlainOrm } from '../support/orm/open-orm.ts';

onDatabasesAndPooler('choosing an ORM', database => {
  let open: MikroORM[] = [];

  const opened = <Orm extends MikroORM<any, any>>(orm: Orm): Orm => {
    open.push(orm as never);

    return orm;
  };

  const asked = (options?: { orm: LibraryOrm }): (() => unknown)[] => [
    () => runInTenant('acme', () => undefined, options),
    () => runInPublic(() => undefined, options),
    () => forEachTenant(() => undefined, options),
    () => tenants(options?.orm).list(),
  ];

  afterEach(async () => {
    for (const orm of open) {
      await orm.close();
    }

    open = [];
    await database.query(`drop schema if exists acme, bob cascade`);
    await database.query(`drop schema public cascade`);
    await database.query(`create schema public`);
  });

  it('W2 asks for an ORM where none is live, and where the only one was closed', async () => {
    for (const ask of asked()) {
      await refusal(ask, 'NO_ORM');
    }

    await (await openTwins(database)).close();

    for (const ask of asked()) {
      await refusal(ask, 'NO_ORM');
    }

    expect(currentTenant()).to.equal(undefined);
  });

  it('W2 refuses to choose between two, unless told which or inside a scope', async () => {
    const first = opened(await openTwins(database));
    const second = opened(await openBeside(database, first, { contextName: 'second' }));

    for (const ask of asked()) {
      await refusal(ask, 'SEVERAL_ORMS');
    }

    for (const orm of [first, second]) {
      const title = await runInTenant(
        'bob',
        async () => {
          expect(currentTenant({ orm })?.schemaName).to.equal('bob');
          // inside, the scope's own is meant
          await runInTenant('acme', () => expect(currentTenant({ orm })?.schemaName).to.equal('acme'));

          return (await orm.em.findOneOrFail(Book, 1)).title;
        },
        { orm },
      );
      expect(title).to.equal('bob book 1');
    }

    await first.close();
    expect((await runInTenant('acme', () => second.em.findOneOrFail(Book, 1))).title).to.equal('acme book 1');
  });

  it('W2 takes the one that is live where the scope’s was closed, as where an application is loaded anew in development', async () => {
    const first = await openTwins(database);
    let second: LibraryOrm | undefined;

    try {
      await runInTenant(
        'acme',
        async () => {
          await first.close();

          for (const ask of asked()) {
            await refusal(ask, 'NO_ORM');
          }

          second = opened(await openBeside(database, first, {}));
          expect((await runInTenant('bob', () => second?.em.findOneOrFail(Book, 1)))?.title).to.equal('bob book 1');
          expect(await runInPublic(() => second?.em.count(Genre))).to.equal(1);
          expect((await tenants().list()).map(({ schemaName }) => schemaName)).to.deep.equal(['acme', 'bob']);
          expect((await forEachTenant(() => currentTenant()?.schemaName)).map(({ schemaName }) => schemaName)).to.deep.equal([
            'acme',
            'bob',
          ]);
        },
        { orm: first },
      );
    } finally {
      await first.close();
    }
  });

  it('W2 refuses an ORM that `withTenants` has not wrapped', async () => {
    const plain = opened(await openPlainOrm(database, { entities: [Genre] })) as unknown as LibraryOrm;

    for (const ask of asked({ orm: plain })) {
      await refusal(ask, 'ORM_WITHOUT_TENANTS');
    }

    await refusal(() => runInPublic(() => undefined), 'NO_ORM');
  });
});
