import { runInPublic, runInTenant, tenants, TenantMixin } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { refusal } from '../support/assertions/refusal.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Town extends TenantMixin {}
defineEntity({ class: Town, extends: TenantMixin, properties: {} });

onDatabasesAndPooler('tenants that one transaction works for and changes', database => {
  let orm: LibraryOrm;
  let hosts = 0;

  const create = (name: string): Promise<unknown> =>
    tenants(orm).create({ schemaName: name, domainUrl: `${name.replace('_', '-')}-${++hosts}.example.com` });
  const write = (name: string): Promise<unknown> => runInTenant(name, em => em.insert(Note, { text: `of ${name}` }));
  const notesOf = async (name: string): Promise<string[]> =>
    (await database.query<{ text: string }>(`select text from ${name}.note order by text`)).map(({ text }) => text);
  const inTransaction = <Result>(fn: () => Promise<Result>): Promise<Result> => runInPublic(em => em.transactional(fn));

  before(async () => {
    orm = await openNoteOrm(database, Town);
  });

  beforeEach(async () => {
    await create('acme');
    await create('bob');
  });

  afterEach(async () => {
    for (const { schemaName } of await tenants(orm).list()) {
      await tenants(orm).drop(schemaName);
    }
  });

  it('S12, T7 one that is created in it', async () => {
    await inTransaction(async () => {
      await create('carol');
      await write('carol');
    });

    expect(await notesOf('carol')).to.deep.equal(['of carol']);
  });

  it('S12, T8 one that is created in a savepoint and goes with it', async () => {
    await inTransaction(async () => {
      await write('acme');
      await orm.em
        .transactional(async () => {
          await create('carol');
          await write('carol');
          throw new Error('rolled back');
        })
        .catch(() => undefined);
      await write('bob');
    });

    expect([await notesOf('acme'), await notesOf('bob')]).to.deep.equal([['of acme'], ['of bob']]);
  });

  it('S12, T15 one that is dropped in it', async () => {
    await inTransaction(async () => {
      await write('acme');
      await write('bob');
      await tenants(orm).drop('acme');
    });

    expect(await notesOf('bob')).to.deep.equal(['of bob']);
  });

  it('S12, T17 one that is renamed in it, and its name given to another', async () => {
    await inTransaction(async () => {
      await write('acme');
      await tenants(orm).rename('acme', 'acme_2');
      await write('acme_2');
      await create('acme');
      await write('acme');
    });

    expect([await notesOf('acme_2'), await notesOf('acme')]).to.deep.equal([['of acme', 'of acme_2'], ['of acme']]);
  });

  for (const [how, giveUp] of Object.entries({
    dropped: () => tenants(orm).drop('acme'),
    renamed: () => tenants(orm).rename('acme', 'acme_2'),
    'dropped by SQL': () => orm.em.execute('drop schema "acme" cascade'),
  })) {
    it(`S12 whoever has been given its name meanwhile is not ${how} in it`, async () => {
      // there is nobody else beside one connection
      if (database.kind !== 'postgresql') {
        return;
      }

      const refused = inTransaction(async () => {
        await write('acme');
        await database.query('alter schema "acme" rename to "former"');
        await database.query('create schema "acme"; create table "acme"."note" ("text" text)');
        await database.query(`comment on schema "acme" is 'tenant of @landlord/mikro-orm'`);
        await giveUp();
      });

      try {
        await refusal(refused, 'TENANT_CHANGED');
        expect(await database.query('select * from "acme"."note"')).to.deep.equal([]);
      } finally {
        await database.query('drop schema if exists "acme" cascade');
        await database.query('alter schema "former" rename to "acme"');
      }
    });
  }

  for (const commit of ['commit', '/* why */ END;', 'commit and chain', 'select 1; commit']) {
    it(`S12 what it wrote is not stored by SQL, if the tenant has lost its name meanwhile: ${commit}`, async () => {
      // there is nobody else beside one connection
      if (database.kind !== 'postgresql') {
        return;
      }

      const refused = runInTenant('acme', em =>
        em.transactional(async tx => {
          await tx.insert(Note, { text: 'lost' });
          await database.query('alter schema "acme" rename to "former"');
          await database.query('create schema "acme"; create table "acme"."note" ("text" text)');
          await tx.execute(commit);
        }),
      );

      try {
        await refusal(refused, 'TENANT_CHANGED');
        expect(await database.query('select * from "former"."note" union all select 1, "text" from "acme"."note"')).to.deep.equal([]);
      } finally {
        await database.query('drop schema if exists "acme" cascade');
        await database.query('alter schema "former" rename to "acme"');
      }
    });
  }

  it('S12, T17 one that is renamed in a savepoint that is rolled back', async () => {
    await inTransaction(async () => {
      await write('acme');
      await orm.em
        .transactional(async () => {
          await tenants(orm).rename('acme', 'acme_2');
          await write('acme_2');
          throw new Error('rolled back');
        })
        .catch(() => undefined);
      await write('acme');
    });

    expect(await notesOf('acme')).to.deep.equal(['of acme', 'of acme']);
  });

  it('G4 a commit that fails by a constraint fails with that, and one of a transaction that has failed is a rollback', async () => {
    await database.query('alter table acme.note add constraint once unique (text) deferrable initially deferred');
    const twice = runInTenant('acme', em => em.transactional(tx => tx.insertMany(Note, [{ text: 'x' }, { text: 'x' }] as never)));
    expect(await twice.catch((error: { code?: string }) => error.code)).to.equal('23505');

    await runInTenant('acme', em =>
      em.transactional(async tx => {
        await tx.insert(Note, { text: 'x' });
        await tx.execute('select 1 / 0').catch(() => undefined);
      }),
    );
    expect(await notesOf('acme')).to.deep.equal([]);
    await write('acme');
    expect(await notesOf('acme')).to.deep.equal(['of acme']);
  });

  it('G4 a commit that divides by zero in a trigger fails with that', async () => {
    await database.query(`create function acme.fail() returns trigger language plpgsql as 'begin perform 1 / 0; return null; end'`);
    await database.query(
      'create constraint trigger fail after insert on acme.note deferrable initially deferred for each row execute function acme.fail()',
    );
    const failed = await runInTenant('acme', em => em.insert(Note, { text: 'x' })).catch((error: { code?: string }) => error.code);

    expect(failed).to.equal('22012');
    expect(await notesOf('acme')).to.deep.equal([]);
  });
});
