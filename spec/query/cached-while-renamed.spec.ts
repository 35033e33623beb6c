import { runInTenant, TenantMixin, tenants, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity } from '@mikro-orm/core';
import { expect } from 'chai';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabases, SERVER_AND_POOLER } from '../support/databases/database.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';
import type { SpecOrm } from '../support/orm/open-orm.ts';

class Borough extends TenantMixin {}
defineEntity({ class: Borough, extends: TenantMixin, properties: {} });

/** The ways to read with a cache. Each resolves to the texts of all notes. */
const READS: Readonly<Record<string, (em: TenantEntityManager, cache: Cache) => Promise<unknown>>> = {
  find: async (em, cache) => (await em.find(Note, {}, { cache })).map(({ text }) => text),
  findOne: async (em, cache) => [(await em.findOne(Note, { id: 1 }, { cache }))?.text],
  count: async (em, cache) => [await em.count(Note, { text: 'of acme' }, { cache })],
  'qb.getResult()': async (em, cache) => (await em.qb(Note, 'n').cache(cache).getResult()).map(({ text }) => text),
  'qb.execute()': async (em, cache) => (await em.qb(Note, 'n').select('n.text').cache(cache).execute()).map(({ text }) => text),
  'a fork': async (em, cache) => (await em.fork({ keepTransactionContext: true }).find(Note, {}, { cache })).map(({ text }) => text),
};

const KEYS: Readonly<Record<string, Cache>> = { 'by a name': ['kept', 60_000], 'for a time': 60_000 };

/** Where it is read. */
const WHERE: Readonly<Record<string, (em: TenantEntityManager, read: (em: TenantEntityManager) => Promise<unknown>) => Promise<unknown>>> =
  {
    'in a scope': (em, read) => read(em),
    'in a transaction': (em, read) => em.transactional(tx => read(tx)),
  };

onDatabases(
  'a result that is cached while another process swaps the names of tenants',
  database => {
    let orm: SpecOrm;

    before(async () => {
      orm = await openNoteOrm(database, Borough, { directory: { listen: false } });

      for (const schemaName of ['acme', 'bob']) {
        await orm.em.fork().persistAndFlush(Object.assign(new Borough(), { schemaName, domainUrl: `${schemaName}.example.com` }));
        await runInTenant(schemaName, em => em.insert(Note, { id: 1, text: `of ${schemaName}` }), { orm });
      }
    });

    for (const [name, read] of Object.entries(READS)) {
      for (const [kept, cache] of Object.entries(KEYS)) {
        for (const [where, within] of Object.entries(WHERE)) {
          it(`S13 is never that of the tenant which has the name for a moment: ${name} ${kept}, ${where}`, async () => {
            // found anew, as the scope of the last spec may have ended its tenant
            const acme = (await tenants(orm).list()).find(({ schemaName }) => schemaName === 'acme') as object;
            const expected = name === 'count' ? [1] : ['of acme'];

            await runInTenant(
              acme as never,
              async em => {
                await em.fork().find(Note, {});
                await swap();

                try {
                  // a moment in which the process cannot know it; what it has read is refused, or was its own
                  await failureOf(
                    within(em, inner => read(inner, cache)),
                    'the read',
                  );
                } finally {
                  await swap();
                }
              },
              { orm },
            );

            await runInTenant(acme as never, async em => expect(await read(em, cache)).to.deep.equal(expected), { orm });
            await orm.config.getResultCacheAdapter().clear();
          });
        }
      }
    }

    async function swap(): Promise<void> {
      const names = [
        ['acme', 'elsewhere'],
        ['bob', 'acme'],
        ['elsewhere', 'bob'],
      ];
      const statements = names.flatMap(([from, to]) => [
        `alter schema ${from} rename to ${to}`,
        `update borough set schema_name = '${to}' where schema_name = '${from}'`,
      ]);
      await database.query(`begin; ${statements.join('; ')}; commit`);
    }
  },
  SERVER_AND_POOLER,
);

type Cache = number | [name: string, expiration: number];
