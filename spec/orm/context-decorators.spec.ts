import { currentTenant, runInPublic, runInTenant } from '@landlord/mikro-orm';
import { MikroORM, RequestContext } from '@mikro-orm/core';
import * as es from '@mikro-orm/decorators/es';
import * as legacy from '@mikro-orm/decorators/legacy';
import { expect } from 'chai';
import { Book, Genre, type Library } from '../../fixtures/entities/index.ts';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

type Work = () => Promise<unknown>;

/** Runs the work in a method that is decorated, with an ORM that the decorator finds. */
const DECORATED: Readonly<Record<string, (orm: MikroORM<any, any>, work: Work) => Promise<unknown>>> = {
  '@CreateRequestContext (ES)': (orm, work) =>
    es
      .CreateRequestContext(() => orm as never)(async () => work(), {} as never)
      .call({}),
  '@EnsureRequestContext (ES)': (orm, work) =>
    es
      .EnsureRequestContext(() => orm as never)(async () => work(), {} as never)
      .call({}),
  '@CreateRequestContext (legacy)': (orm, work) =>
    byLegacy(
      legacy.CreateRequestContext(() => orm as never),
      work,
    ),
  '@EnsureRequestContext (legacy)': (orm, work) =>
    byLegacy(
      legacy.EnsureRequestContext(() => orm as never),
      work,
    ),
};

/** Whether the ORMs have names of their own, and whether the second one has tenants. */
const PAIRS = {
  'two ORMs with names': { contextName: 'second', isNamed: true },
  'two ORMs without names': { contextName: 'default', isNamed: false },
} as const;

for (const [pair, { contextName, isNamed }] of Object.entries(PAIRS)) {
  onDatabases(
    `the decorators of contexts, on ${pair}`,
    database => {
      let first: LibraryOrm;
      let second: LibraryOrm;

      const titleOf = async (orm: LibraryOrm): Promise<string> => (await orm.em.findOneOrFail(Book, 1)).title;
      const bothAre = async (orm: LibraryOrm, schemaName: string): Promise<void> => {
        expect(await titleOf(orm)).to.equal(`${schemaName} book 1`);
        expect(orm.em.schema).to.equal(schemaName);
        expect(currentTenant<Library>({ orm })?.schemaName).to.equal(schemaName);
      };

      before(async () => {
        first = await openTwins(database);
        second = await MikroORM.init({ ...first.config.getAll(), contextName });
        database.atEnd(() => second.close());
      });

      for (const [name, decorated] of Object.entries(DECORATED)) {
        // MikroORM takes the first one's context for the second one's
        const makesContext = isNamed || name.startsWith('@Create');

        for (const order of ['the first in the second', 'the second in the first'] as const) {
          it(`S1 law 2: ${name} of one leaves the other in its scope: ${order}`, async () => {
            const [outer, inner] = order === 'the first in the second' ? [second, first] : [first, second];

            await runInTenant(
              'acme',
              async em => {
                await decorated(inner, async () => {
                  await bothAre(outer, 'acme');
                  expect(outer.em.id).to.equal(em.id);

                  // it is in no tenant by that
                  if (makesContext) {
                    await refusal(() => inner.em.find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
                    expect((await inner.em.findOneOrFail(Genre, 1)).name).to.equal('crime');
                  }
                });
                await bothAre(outer, 'acme');
              },
              { orm: outer },
            );
          });

          it(`S1 law 2: ${name} of one leaves both in their scopes: ${order}`, async () => {
            const [outer, inner] = order === 'the first in the second' ? [second, first] : [first, second];

            await runInTenant(
              'acme',
              () =>
                runInTenant(
                  'bob',
                  async () => {
                    for (const each of [outer, inner]) {
                      await decorated(each, async () => {
                        await bothAre(outer, 'acme');
                        await bothAre(inner, 'bob');
                      });
                    }
                  },
                  { orm: inner },
                ),
              { orm: outer },
            );
          });

          it(`S1 law 1: ${name} of one leaves the other in the public scope: ${order}`, async () => {
            const [outer, inner] = order === 'the first in the second' ? [second, first] : [first, second];

            await runInPublic(
              () =>
                decorated(inner, async () => {
                  await refusal(() => outer.em.find(Book, {}), 'TENANT_CONTEXT_REQUIRED');
                  expect((await outer.em.findOneOrFail(Genre, 1)).name).to.equal('crime');
                }),
              { orm: outer },
            );
          });

          it(`S1 law 2: ${name} of one, in a transaction of the other, leaves it in its tenant: ${order}`, async () => {
            const [outer, inner] = order === 'the first in the second' ? [second, first] : [first, second];

            await runInTenant('acme', em => em.transactional(() => decorated(inner, () => bothAre(outer, 'acme'))), { orm: outer });
          });
        }
      }

      it('S1 after a scope, and in a request context that is made outside, nothing of it is found', async () => {
        await runInTenant('acme', () => titleOf(first), { orm: first });
        await RequestContext.create(second.em, async () => {
          expect(await titleOf(first).catch((error: Error) => error.name)).to.equal('ValidationError');
        });
      });
    },
    ['postgresql'],
  );
}

async function byLegacy(decorator: ReturnType<typeof legacy.CreateRequestContext>, work: Work): Promise<unknown> {
  const method = decorator({}, 'work', { value: async () => work() }) as { readonly value: Work };

  return method.value();
}
