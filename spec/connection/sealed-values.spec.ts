import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, raw, sql } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author } from '../../fixtures/entities/index.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { asObserver } from '../support/assertions/statement-watch.ts';
import { openTwins } from '../support/orm/twins.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';
import { LIBRARY_ENTITIES } from '../support/orm/library-orm.ts';

type Use = (em: TenantEntityManager, value: string) => unknown;

const KNOWN = { id: { $gt: 0 } };

/** Fragments with values of their own, each in a query that has others; each finds what it was given. */
const FRAGMENTS: Readonly<Record<string, Use>> = {
  select: (em, value) =>
    em
      .qb(Author, 'a')
      .select([raw('?::text as found', [value])])
      .where({ id: 1 })
      .execute(),
  'select, by a template': (em, value) =>
    em
      .qb(Author, 'a')
      .select([sql`${value}::text as found`])
      .where({ id: 1 })
      .execute(),
  'a sub-query': (em, value) =>
    em
      .qb(Author, 'a')
      .select([
        em
          .qb(Author, 'b')
          .select(raw('min(?::text)', [value]))
          .where({ name: { $ne: value } })
          .as('found'),
      ])
      .where({ id: 1 })
      .execute(),
  where: (em, value) =>
    em
      .qb(Author, 'a')
      .select([raw('?::text as found', [value])])
      .where(raw('? = ?', [value, value]))
      .andWhere({ id: 1 })
      .execute(),
  having: (em, value) =>
    em
      .qb(Author, 'a')
      .select([raw('?::text as found', [value])])
      .where({ id: 1 })
      .having('? = ?', [value, value])
      .execute(),
  'order by': (em, value) =>
    em
      .qb(Author, 'a')
      .select([raw('?::text as found', [value])])
      .where({ id: 1 })
      .orderBy({ [raw('(case when name = ? then 1 else 2 end)', [value])]: 'asc' })
      .execute(),
  'group by': (em, value) =>
    em
      .qb(Author, 'a')
      .select([raw('?::text as found', [value])])
      .where({ id: 1 })
      .groupBy(raw('(name = ?)', [value]))
      .execute(),
  'from a sub-query': (em, value) =>
    em
      .qb(Author, 'x')
      .from(
        em
          .qb(Author, 'b')
          .select([raw('?::text as name', [value]), 'b.id'])
          .where({ id: 1, name: { $ne: value } }),
        'x',
      )
      .select([raw('x.name as found')])
      .where({ 'x.id': 1 } as never)
      .execute(),
  'a CTE': (em, value) =>
    em
      .qb(Author, 'a')
      .with(
        'c',
        em
          .qb(Author, 'b')
          .select(raw('?::text as x', [value]))
          .where({ name: { $ne: value } }),
      )
      .select(raw('(select min(x) from c) as found'))
      .where({ id: 1 })
      .execute(),
  union: (em, value) =>
    em
      .qb(Author, 'a')
      .select(raw('?::text as found', [value]))
      .where({ name: { $ne: value } })
      .union(
        em
          .qb(Author, 'b')
          .select(raw('?::text as found', [value]))
          .where({ name: { $ne: value } }),
      )
      .execute(),
  'a condition of em.find()': async (em, value) =>
    (await em.find(Author, { ...KNOWN, [raw('?', [value])]: value }, { limit: 1 })).map(() => ({ found: value })),
  'insertFrom()': (em, value) =>
    em
      .qb(Author)
      .insertFrom(
        em
          .qb(Author, 'b')
          .select([raw('? as name', [value])])
          .where({ id: 1 }),
        { columns: ['name'] },
      )
      .returning('name')
      .execute()
      .then(rows => (rows as unknown as { row: { name: string } }).row)
      .then(({ name }) => [{ found: name }]),
  'update()': async (em, value) => {
    await em
      .qb(Author)
      .update({ name: raw('? || ?', [value, '']) })
      .where({ id: 1 })
      .execute();

    return (await em.find(Author, { id: 1 })).map(({ name }) => ({ found: name }));
  },
  'em.clone()': async (em, value) => [{ found: (await em.clone(Author, { id: 1, name: { $ne: value } }, { name: value })).name }],
  'one of an array': (em, value) =>
    em
      .qb(Author, 'a')
      .select([raw('(array[?])[2] as found', [['first', value]])])
      .where({ id: 1 })
      .execute(),
  'em.execute()': (em, value) => em.execute('select ?::text as found, ? as other', [value, value]),
};

const VALUES = [
  'what?',
  '??',
  '?',
  `\\?`,
  `\\`,
  `a '?' b`,
  `\\'?`,
  `?'; drop schema bob cascade; --`,
  ` || (select name from bob.author limit 1) || ?`,
  '{"a":"?"}',
  'é?💥',
];

const Note = defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary(), data: p.json<object>() } });

onDatabasesAndPooler('keys of JSON', database => {
  before(async () => {
    await openTwins(database, { entities: [...LIBRARY_ENTITIES, Note] });
    await database.query('create table acme.note (id int primary key, data jsonb)');
  });

  it('N1 a key with a question mark stays that key, as a condition and as an order, and at any depth', async () => {
    for (const key of VALUES) {
      await runInTenant('acme', em =>
        rollBackAfter(em, tx =>
          asObserver(async () => {
            tx.create(Note, { id: 1, data: { [key]: 'b', inner: { [key]: key } } });
            tx.create(Note, { id: 2, data: { [key]: 'a', inner: {} } });
            await tx.flush();
            const idsOf = async (where: object): Promise<number[]> =>
              (await tx.find(Note, where, { orderBy: { data: { [key]: 'asc' } } as never })).map(({ id }) => id);

            expect(await idsOf({}), key).to.deep.equal([2, 1]);
            expect(await idsOf({ data: { [key]: 'a' }, id: { $gt: 0 } }), key).to.deep.equal([2]);
            expect(await idsOf({ data: { [key]: ' or true --' }, id: 1 }), key).to.deep.equal([]);
            expect(await idsOf({ data: { inner: { [key]: key } } }), key).to.deep.equal([1]);
          }),
        ),
      );
    }
  });
});

onDatabasesAndPooler('values of fragments of SQL', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openTwins(database);
    await database.query(`select setval('acme.author_id_seq', 1000)`);
  });

  for (const [name, use] of Object.entries(FRAGMENTS)) {
    it(`N1 a value with a question mark stays that value in a fragment: ${name}`, async () => {
      for (const value of VALUES) {
        // MikroORM fills these in before the query, which the watch over all statements looks at
        const found = await runInTenant('acme', em => rollBackAfter(em, tx => asObserver(async () => use(tx, value))));

        expect((found as { found: unknown }[]).map(row => row.found)).to.deep.equal([value], value);
      }
    });
  }

  it('N1 a value that stands alone in its query is sent as before, and nothing else is changed', async () => {
    const em = orm.em.fork({ schema: 'acme' });
    const tests = ['plain', `it's`, `back\\slash`, '{"a":1}'];

    for (const value of tests) {
      database.statements.length = 0;
      expect(await em.execute('select ?::text as found', [value])).to.deep.equal([{ found: value }]);
      expect(database.statements.join('\n')).not.to.include('x3F');
    }

    expect(await asObserver(() => em.execute(`select '{"a": 1}'::jsonb \\? ? as has`, ['a']))).to.deep.equal([{ has: true }]);
    expect(await em.execute(`select ?::jsonb as data`, [{ a: '?' }])).to.deep.equal([{ data: { a: '?' } }]);
  });
});
