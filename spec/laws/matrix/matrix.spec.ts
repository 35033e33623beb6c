import { runInTenant } from '@landlord/mikro-orm';
import { BaseEntity, Collection, EntityLoader, helper, Reference, ref, ScalarReference } from '@mikro-orm/core';
import { Factory, SeedManager, Seeder } from '@mikro-orm/seeder';
import { expect } from 'chai';
import { Author, Book, Library } from '../../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../../support/databases/database.ts';
import { turnsOf } from '../../support/generators/effort.ts';
import type { LibraryOrm } from '../../support/orm/library-orm.ts';
import { openTwins } from '../../support/orm/twins.ts';
import { refusal } from '../../support/assertions/refusal.ts';
import { TenantRules } from '../../../dist/scope/tenant-rules.js';
import { checkCell, situationsOf, type Row, type World } from './cell.ts';
import { EXEMPT_METHODS, NOT_IN_ALL_VERSIONS } from './exempt-methods.ts';
import { addMatrixTables, contentsQuery, ENTITIES, SharedRoutine, TenantRoutine } from './entities.ts';
import { SEEDERS } from './seeder.ts';
import { TABLES } from './tables.ts';

onDatabasesAndPooler('the matrix of methods and scopes', database => {
  let orm: LibraryOrm;
  let world: World;

  before(async () => {
    orm = await openTwins(database, {
      entities: ENTITIES,
      routines: [SharedRoutine, TenantRoutine],
      extensions: [SeedManager],
      seeder: { seedersList: [...SEEDERS] },
    });
    await addMatrixTables(database);
    // as where it listens: what is told is known, and nothing else is asked
    TenantRules.of(orm.config).identities.wouldHaveHeard = () => true;
    const [acme, bob] = await orm.em.fork().find(Library, {}, { orderBy: { schemaName: 'asc' } });
    const [untouched] = await database.query(contentsQuery());
    world = { database, orm, acme: acme!, bob: bob!, untouched: untouched! };
  });

  for (const [className, table] of Object.entries(TABLES)) {
    for (const [turn, [name, row]] of Object.entries(table).entries()) {
      if (row.notOnPglite === true && database.kind === 'pglite') {
        continue;
      }

      it(`law 1, law 2, law 3, S9, S11, N2: ${className}.${name} in every situation`, () => {
        const situations = situationsOf(row);

        // which schema a method may use is decided before anything is sent: where others are complete, half of them by turns
        return checkRow(
          world,
          row,
          database.kind === 'postgresql' ? situations : turnsOf(situations, turn, Math.ceil(situations.length / 2)),
        );
      });
    }

    it(`law 2: every method of ${className} that MikroORM has is in the table, or in the list of those that need none`, () => {
      const [subject] = Object.entries(samples(orm)).flatMap(([sample, prototype]) => (sample === className ? [prototype] : []));
      const listed = [...Object.keys(table).map(name => name.replace(/,.*/, '')), ...Object.values(EXEMPT_METHODS[className] ?? {}).flat()];

      const names = namesOf(subject!);
      const expected = listed.filter(name => names.includes(name) || !NOT_IN_ALL_VERSIONS.has(name));

      expect([...new Set(expected)].sort()).to.deep.equal(names.sort());
    });
  }

  it('law 2, N2: what the matrix has run has changed no row of any schema', async () => {
    expect(await database.query(contentsQuery())).to.deep.equal([world.untouched]);
  });

  it('S1 `orm.seeder` is the one of the scope it is asked for in', async () => {
    const seen: string[] = [];
    class Look extends Seeder {
      async run(em: any): Promise<void> {
        seen.push((await em.findOneOrFail(Book, 1)).title);
      }
    }

    await runInTenant('acme', () => orm.seeder.seed(Look));
    await runInTenant('bob', () => orm.seeder.seed(Look));
    await refusal(() => orm.seeder.seed(Look), 'TENANT_CONTEXT_REQUIRED');
    expect(seen).to.deep.equal(['acme book 1', 'bob book 1']);
  });

  it('S8 dataloaders of two tenants in one tick, and of one EntityManager with both, give each entity its own', async () => {
    const both = orm.em.fork();
    const books = await Promise.all([
      runInTenant('acme', em => em.findOneOrFail(Book, 2)),
      runInTenant('bob', em => em.findOneOrFail(Book, 2)),
      both.findOneOrFail(Book, 2, { schema: 'acme' }),
      both.findOneOrFail(Book, 2, { schema: 'bob' }),
    ]);
    const names = await Promise.all(
      books.map(async book => {
        const [author, tags] = await Promise.all([
          ref(book.author).loadOrFail({ dataloader: true }),
          book.tags.loadItems({ dataloader: true }),
        ]);

        return [author.name, ...tags.map(tag => tag.name)];
      }),
    );
    const [acme, bob] = ['acme', 'bob'].map(name => [`${name} author 1`, `${name} tag 1`, `${name} tag 2`]);

    expect(names).to.deep.equal([acme, bob, acme, bob]);
  });

  it('S8 what entities of two tenants refer to is not loaded in one go, which would be by their keys alone', async () => {
    const em = orm.em.fork();
    const books = [await em.findOneOrFail(Book, 1, { schema: 'acme' }), await em.findOneOrFail(Book, 1, { schema: 'bob' })];
    database.statements.length = 0;

    await refusal(() => em.populate(books, ['author']), 'CROSS_TENANT');
    await refusal(() => em.getEntityLoader().populate(Book, books, [{ field: 'author' }] as never, {}), 'CROSS_TENANT', 'the loader');
    expect(database.statements).to.deep.equal([]);
  });

  it('S9 a dataloader that waits in its own scope takes no load of another', async () => {
    const [author, book] = await runInTenant(
      'acme',
      async em => [ref(em.getReference(Author, 1)), await em.findOneOrFail(Book, 1)] as const,
    );
    const waiting = runInTenant(world.acme, () => author.load({ dataloader: true }));

    await runInTenant(world.bob, () => refusal(() => book.tags.load({ dataloader: true }), 'CROSS_TENANT'));
    expect((await waiting)?.name).to.equal('acme author 1');
  });
});

// checks every cell, so that one failure does not hide the others
async function checkRow(world: World, row: Row, situations: Readonly<ReturnType<typeof situationsOf>>): Promise<void> {
  const failures: string[] = [];
  const answers = new Map<string, string>();

  for (const situation of situations) {
    try {
      const { expected, text } = await checkCell(world, row, situation);
      const before = answers.get(expected) ?? text;
      answers.set(expected, before);
      expect(row.varies === true ? before : text, `${situation}: not the answer of elsewhere`).to.equal(before);
    } catch (error) {
      failures.push(`${situation}: ${String(error)}`);
    }
  }

  expect(failures.join('\n\n')).to.equal('');
}

/** An instance of each class, created as in an application. */
function samples(orm: LibraryOrm): Readonly<Record<string, object>> {
  const em = orm.em.fork({ schema: 'acme' });
  const book = em.create(Book, { id: 1, title: 'x', author: 1 }, { persist: false });

  return {
    EntityManager: em,
    EntityRepository: em.getRepository(Book),
    QueryBuilder: em.qb(Book),
    Collection: Collection.prototype,
    Reference: Reference.prototype,
    ScalarReference: ScalarReference.prototype,
    WrappedEntity: helper(book),
    BaseEntity: BaseEntity.prototype,
    EntityLoader: EntityLoader.prototype,
    SeedManager: SeedManager.prototype,
    Seeder: Seeder.prototype,
    Factory: Factory.prototype,
  };
}

/** The names of all members on the prototypes of the object. */
function namesOf(object: object): string[] {
  const names = new Set<string>();
  let prototype: object | null =
    typeof object === 'object' && object.constructor.prototype === object ? object : Object.getPrototypeOf(object);

  for (; prototype !== null && prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype)) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (name !== 'constructor') {
        names.add(name);
      }
    }
  }

  return [...names];
}
