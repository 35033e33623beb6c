import { runInTenant } from '@landlord/mikro-orm';
import { MikroORM, RequestContext, ValidationError } from '@mikro-orm/core';
import { expect } from 'chai';
import { Book, Genre } from '../../fixtures/entities/index.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { openTwins } from '../support/orm/twins.ts';

/** What MikroORM refuses of a global EntityManager. */
const USES: Readonly<Record<string, (em: LibraryOrm['em']) => unknown>> = {
  find: em => em.find(Genre, {}),
  findOne: em => em.findOne(Genre, 1),
  count: em => em.count(Genre),
  create: em => em.create(Genre, { name: 'of nobody' }),
  merge: em => em.merge(Genre, { id: 1, name: 'crime' }),
  persist: em => em.persist(new Genre()),
  flush: em => em.flush(),
  getReference: em => em.getReference(Genre, 1),
  setFilterParams: em => em.setFilterParams('any', {}),
  repository: em => em.getRepository(Genre).findAll(),
};

onDatabases(
  'two ORMs whose contexts have one name',
  database => {
    let first: LibraryOrm;
    let second: LibraryOrm;

    before(async () => {
      first = await openTwins(database);
      second = await MikroORM.init(first.config.getAll());
      expect(first.em.name).to.equal(second.em.name);
    });

    after(async () => {
      await second.close();
      await first.close();
    });

    for (const [name, use] of Object.entries(USES)) {
      it(`S1 the global em of one is refused by MikroORM in a scope of the other, as outside of scopes: ${name}`, async () => {
        for (const within of [outside, inRequest, inScopeOf]) {
          await within(second, async () => {
            const error = await failureOf(() => use(first.em));
            expect(error).to.be.instanceOf(ValidationError);
            expect(String(error)).to.contain(ValidationError.cannotUseGlobalContext().message).and.to.contain('runInTenant(');
            expect(String(error).includes('contextName')).to.equal(within !== outside);
          });
        }

        expect([...first.em.getUnitOfWork(false).getIdentityMap()]).to.deep.equal([]);
      });
    }

    it('S1 a fork of one says that the scope it is used in is the other’s', async () => {
      const outsideAny = await failureOf(() => first.em.fork().find(Book, {}));
      const inOther = await runInTenant('acme', () => failureOf(() => first.em.fork().find(Book, {})), { orm: second });

      expect(String(outsideAny)).to.contain('outside any scope');
      expect(String(inOther)).to.contain('in a scope of another ORM').and.not.to.contain('outside any scope');
      expect([outsideAny, inOther]).to.have.nested.property('[1].code', 'TENANT_CONTEXT_REQUIRED');
    });

    it('S1 each goes on inside scopes of two others', async () => {
      const third = await MikroORM.init(first.config.getAll());

      try {
        await runInTenant(
          'acme',
          async outer => {
            await runInTenant(
              'bob',
              async middle => {
                await runInTenant(
                  'acme',
                  async inner => {
                    expect([first.em.id, second.em.id, third.em.id]).to.deep.equal([outer.id, middle.id, inner.id]);
                  },
                  { orm: third },
                );
              },
              { orm: second },
            );
          },
          { orm: first },
        );
        await RequestContext.create([first.em], async () => {
          const ofFirst = first.em.id;
          await runInTenant(
            'acme',
            async ofSecond => {
              await runInTenant(
                'acme',
                async ofThird => {
                  expect([first.em.id, second.em.id, third.em.id]).to.deep.equal([ofFirst, ofSecond.id, ofThird.id]);
                },
                { orm: third },
              );
            },
            { orm: second },
          );
        });
      } finally {
        await third.close();
      }
    });

    it('S1 each scope goes on inside one of the other, with its own identity map', async () => {
      await runInTenant(
        'acme',
        async outer => {
          const book = await first.em.findOneOrFail(Book, 1);
          await runInTenant(
            'bob',
            async inner => {
              expect(first.em.id).to.equal(outer.id);
              expect(second.em.id).to.equal(inner.id);
              expect(await first.em.findOneOrFail(Book, 1)).to.equal(book);
              expect((await second.em.findOneOrFail(Book, 1)).title).to.equal('bob book 1');
              await runInTenant('bob', async () => expect((await first.em.findOneOrFail(Book, 1)).title).to.equal('bob book 1'), {
                orm: first,
              });
              expect(await first.em.findOneOrFail(Book, 1)).to.equal(book);
            },
            { orm: second },
          );
          expect(first.em.id).to.equal(outer.id);
        },
        { orm: first },
      );
    });

    it('S1 a request context of one goes on inside a scope of the other', async () => {
      await RequestContext.create(first.em, async () => {
        const { id } = first.em;
        await runInTenant('bob', async () => expect(first.em.id).to.equal(id), { orm: second });
      });
    });

    it('S11 a transaction of one goes on inside a scope of the other, and is none of the other’s', async () => {
      await runInTenant(
        'acme',
        em =>
          em.transactional(async tx => {
            await runInTenant(
              'bob',
              async () => {
                expect(first.em.id).to.equal(tx.id);
                expect(first.em.isInTransaction()).to.equal(true);
                expect(second.em.isInTransaction()).to.equal(false);
                expect((await first.em.findOneOrFail(Book, 1)).title).to.equal('acme book 1');
                expect((await second.em.findOneOrFail(Book, 1)).title).to.equal('bob book 1');
              },
              { orm: second },
            );
          }),
        { orm: first },
      );
    });

    async function outside(_orm: LibraryOrm, fn: () => Promise<void>): Promise<void> {
      await fn();
    }

    async function inRequest(orm: LibraryOrm, fn: () => Promise<void>): Promise<void> {
      await RequestContext.create(orm.em, fn);
    }

    async function inScopeOf(orm: LibraryOrm, fn: () => Promise<void>): Promise<void> {
      await runInTenant('acme', fn, { orm });
    }
  },
  ['postgresql'],
);

async function failureOf(fn: () => unknown): Promise<unknown> {
  try {
    await fn();
  } catch (error) {
    return error;
  }

  return undefined;
}
