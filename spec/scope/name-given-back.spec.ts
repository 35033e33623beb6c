import { runInTenant, TenantMixin, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { until } from '../support/assertions/until.ts';
import { onDatabases, type SpecDatabase } from '../support/databases/database.ts';
import { countLockWaits, openSession } from '../support/databases/sessions.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import { NOTE_READS } from '../support/orm/note-reads.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Canton extends TenantMixin {}
defineEntity({ class: Canton, extends: TenantMixin, properties: {} });

/** The ways to write. What they write of is `acme`, and each is done while another tenant has its name. */
const WRITES: Readonly<Record<string, (em: TenantEntityManager) => Promise<unknown>>> = {
  'nativeUpdate alone': em => em.nativeUpdate(Note, { id: 1 }, { text: 'crossed' }),
  'raw SQL alone': em => em.execute(`update "acme"."note" set "text" = 'crossed'`),
  'Kysely, with parameters': em => em.getKysely<{ note: Note }>().updateTable('note').set({ text: 'crossed' }).execute(),
  'a transaction': em => em.transactional(tx => tx.nativeUpdate(Note, { id: 1 }, { text: 'crossed' })),
  'a transaction that has read before': em =>
    em.transactional(async tx => {
      await tx.execute('select 1');
      await tx.nativeUpdate(Note, { id: 1 }, { text: 'crossed' });
    }),
  'a transaction that goes on': em =>
    em.transactional(async tx => {
      await tx.nativeUpdate(Note, { id: 1 }, { text: 'crossed' });
      await tx.find(Note, {});
    }),
};

/** Where it is read with a cache. */
const CACHED: Readonly<
  Record<string, (em: TenantEntityManager, find: (em: TenantEntityManager) => Promise<string[]>) => Promise<string[]>>
> = {
  'in a scope': (em, find) => find(em),
  'in a transaction': (em, find) => em.transactional(tx => find(tx)),
};

/** Who swaps the names of the tenants. */
const SWAPS = {
  'this process': {
    listen: true,
    swap: async ({ orm }) => {
      await tenants(orm).rename('acme', 'elsewhere');
      await tenants(orm).rename('bob', 'acme');
      await tenants(orm).rename('elsewhere', 'bob');
    },
  },
  'another, of which nobody hears': {
    listen: false,
    swap: async ({ database }) => {
      for (const [from, to] of [
        ['acme', 'elsewhere'],
        ['bob', 'acme'],
        ['elsewhere', 'bob'],
      ]) {
        await database.query(`alter schema ${from} rename to ${to}`);
        await database.query(`update canton set schema_name = '${to}' where schema_name = '${from}'`);
      }
    },
  },
} satisfies Record<string, { listen: boolean; swap: (on: { orm: SpecOrm; database: SpecDatabase }) => Promise<void> }>;

for (const [who, { listen, swap }] of Object.entries(SWAPS)) {
  onDatabases(
    `a name that ${who} gives another tenant for a moment`,
    database => {
      let orm: SpecOrm;

      before(async () => {
        orm = await openNoteOrm(database, Canton, { directory: { listen } });

        for (const schemaName of ['acme', 'bob']) {
          await orm.em.fork().persistAndFlush(Object.assign(new Canton(), { schemaName, domainUrl: `${schemaName}.example.com` }));
        }

        await database.query(
          `create function public.held() returns boolean language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(1); return true; end $$`,
        );
        await database.query(
          `create function public.hold() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(1); return new; end $$`,
        );
      });

      beforeEach(async () => {
        for (const schemaName of ['acme', 'bob']) {
          await database.query(`truncate ${schemaName}.note`);
          await database.query(`insert into ${schemaName}.note (id, text) values (1, 'of ${schemaName}')`);
        }
      });

      // what reads may be answered until the change is heard
      for (const [name, read] of listen ? Object.entries(NOTE_READS) : []) {
        it(`S12 answers with nothing of that tenant: ${name}`, async () => {
          await database.query('alter table bob.note rename to kept');
          await database.query('create view bob.note as select id, text from bob.kept where public.held()');

          try {
            const { answer } = await whileNameIsOfBob(read);
            // what is read bit by bit is read again, and so is what is sent with a check of its own
            await (/stream|^raw SQL$/.test(name)
              ? answer.then(found => expect(found).to.deep.equal(['of acme']))
              : refusal(answer, 'TENANT_CHANGED'));
          } finally {
            await database.query('drop view bob.note');
            await database.query('alter table bob.kept rename to note');
          }
        });
      }

      for (const [name, within] of Object.entries(CACHED)) {
        it(`S12 S13 keeps nothing of that tenant in the result cache: ${name}`, async () => {
          const find = async (em: TenantEntityManager): Promise<string[]> =>
            (await em.find(Note, {}, { cache: ['kept', 60_000] })).map(({ text }) => text);
          await database.query('alter table bob.note rename to kept');
          await database.query('create view bob.note as select id, text from bob.kept where public.held()');

          try {
            const { answer } = await whileNameIsOfBob(em => within(em, find));
            await answer.catch(() => undefined);
            expect(await runInTenant('acme', find, { orm })).to.deep.equal(['of acme']);
            // it can be cached again
            await runInTenant('acme', em => find(em.fork()), { orm });
            await database.query(`update acme.note set text = 'later'`);
            expect(await runInTenant('acme', find, { orm })).to.deep.equal(['of acme']);
          } finally {
            await orm.config.getResultCacheAdapter().clear();
            await database.query('drop view bob.note');
            await database.query('alter table bob.kept rename to note');
          }
        });
      }

      for (const [name, write] of Object.entries(WRITES)) {
        it(`S12 stores nothing for that tenant: ${name}`, async () => {
          await database.query('create trigger holds before update on bob.note for each row execute function public.hold()');

          try {
            const { answer } = await whileNameIsOfBob(write);
            // what was sent alone is sent again, as nothing of it is stored
            await (/alone/.test(name) ? answer : refusal(answer, 'TENANT_CHANGED'));
            expect(await database.query('select text from bob.note')).to.deep.equal([{ text: 'of bob' }]);
            expect(await database.query('select text from acme.note')).to.deep.equal([
              { text: /alone/.test(name) ? 'crossed' : 'of acme' },
            ]);
          } finally {
            await database.query('drop trigger holds on bob.note');
          }
        });
      }

      /** Begins work that comes to the rows of `bob`, as that one has the name then, and ends when both have their own names again. */
      async function whileNameIsOfBob<Result>(work: (em: TenantEntityManager) => Promise<Result>): Promise<{ answer: Promise<Result> }> {
        const [locking, holding] = [await openSession(database), await openSession(database)];

        try {
          await holding.query('select pg_advisory_lock(1)');
          await locking.query('begin');
          await locking.query('lock table acme.note in access exclusive mode');
          const answer = runInTenant('acme', em => work(em), { orm });
          answer.catch(() => undefined);
          await until('it waits for the table', async () => (await countLockWaits(database, `locktype = 'relation'`)) > 0);
          await swap({ orm, database });
          await locking.query('rollback');
          await until('it waits at the rows', async () => (await countLockWaits(database, `locktype = 'advisory'`)) > 0);
          await swap({ orm, database });

          return { answer };
        } finally {
          await locking.end();
          await holding.end();
        }
      }
    },
    ['postgresql'],
  );
}
