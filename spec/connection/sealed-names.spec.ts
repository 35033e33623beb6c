import { runInTenant, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, raw, sql } from '@mikro-orm/core';
import { expect } from 'chai';
import { Author, Tag } from '../../fixtures/entities/index.ts';
import { asObserver } from '../support/assertions/statement-watch.ts';
import { failureOf } from '../support/assertions/failure.ts';
import { onDatabasesAndPooler } from '../support/databases/database.ts';
import { LIBRARY_ENTITIES } from '../support/orm/library-orm.ts';
import { rollBackAfter } from '../support/orm/roll-back-after.ts';
import { everyRowOfTwins, openTwins } from '../support/orm/twins.ts';

type Use = (em: TenantEntityManager, name: string, value: string) => unknown;

/** The ways by which a name that comes from outside, such as the key of a body, gets into a statement with values. */
const USES: Readonly<Record<string, Use>> = {
  'em.insert()': (em, name, value) => em.insert(Author, { [name]: value, name: value }),
  'em.insertMany()': (em, name, value) =>
    em.insertMany(
      Tag,
      [1, 2].map(n => ({ id: 50 + n, [name]: value, name: `${n}` })),
    ),
  'em.nativeUpdate()': (em, name, value) => em.nativeUpdate(Author, { id: 1 }, { [name]: value }),
  'em.upsert()': (em, name, value) => em.upsert(Author, { id: 1, name: value, [name]: value }),
  'fields of a conflict': (em, name, value) => em.upsert(Author, { id: 1, name: value }, { onConflictFields: [name as never] }),
  'em.countBy()': (em, name, value) => em.countBy(Author, name as never, { where: { name: value } }),
  'qb insert': (em, name, value) =>
    em
      .qb(Author)
      .insert({ [name]: value } as never)
      .execute(),
  'qb update': (em, name, value) =>
    em
      .qb(Author)
      .update({ [name]: value })
      .where({ id: 1 })
      .execute(),
  'qb select': (em, name, value) =>
    em
      .qb(Author, 'a')
      .select(name as never)
      .where({ name: value })
      .execute(),
  'qb where': (em, name, value) =>
    em
      .qb(Author, 'a')
      .where({ [`a.${name}`]: value, name: value } as never)
      .execute(),
  'qb groupBy': (em, name, value) =>
    em
      .qb(Author, 'a')
      .select('a.id')
      .groupBy(name as never)
      .having({ name: value })
      .execute(),
  'qb distinctOn': (em, name, value) =>
    em
      .qb(Author, 'a')
      .select('a.id')
      .distinctOn(name as never)
      .where({ name: value })
      .execute(),
  'qb returning': (em, name, value) =>
    em
      .qb(Author)
      .update({ name: value })
      .where({ id: 1 })
      .returning(name as never)
      .execute(),
  'sql.ref()': (em, name, value) =>
    em
      .qb(Author, 'a')
      .select(sql.ref(name) as never)
      .where({ name: value })
      .execute(),
  'em.execute()': (em, name, value) => em.execute('select ??, ? as x from author', [name, value]),
  'raw()': (em, name, value) =>
    em
      .qb(Author, 'a')
      .select(raw('??', [name]))
      .where({ name: value })
      .execute(),
};

const NAMES = ['x?', '?', '??', `\\?`, 'a"?'];

/** Each would be SQL in a name with quotes. */
const VALUES = ['" from bob.author --', '" = 1; drop schema bob cascade --', '") values (1) --', '?', '"'];

const Form = defineEntity({
  name: 'Form',
  schema: '*',
  properties: { id: p.integer().primary(), isDone: p.string().name('is "it" done?'), path: p.string().name('c:\\?') },
});

onDatabasesAndPooler('names with a question mark', database => {
  let untouched: unknown;

  before(async () => {
    await openTwins(database, { entities: [...LIBRARY_ENTITIES, Form] });
    await database.query('create table acme.form (id int primary key, "is ""it"" done?" text, "c:\\?" text)');
    untouched = await everyRowOfTwins(database);
  });

  for (const [use, run] of Object.entries(USES)) {
    it(`N1 a value is never written into one: ${use}`, async () => {
      for (const name of NAMES) {
        for (const value of VALUES) {
          const error = await asObserver(() => failureOf(runInTenant('acme', async em => run(em, name, value))));
          // no such column, or no such constraint
          expect(error, `${name} ${value}`).to.have.property('code').that.is.oneOf(['42703', '42P10']);
          expect((error as Error).message, `${name} ${value}`).to.not.contain(
            value === '?' || value === '"' ? 'undefined' : value.slice(1),
          );
        }
      }

      expect(await everyRowOfTwins(database)).to.deep.equal(untouched);
    });
  }

  it('N1 a column of such a name is read, written, and searched, and an alias may have one', async () => {
    await runInTenant('acme', em =>
      rollBackAfter(em, tx =>
        asObserver(async () => {
          tx.create(Form, { id: 1, isDone: 'no?', path: '"' });
          await tx.flush();
          await tx.insertMany(Form, [
            { id: 2, isDone: 'yes', path: 'x' },
            { id: 3, isDone: 'yes', path: 'y' },
          ]);
          tx.clear();
          const [form] = await tx.find(Form, { isDone: 'no?', path: '"' }, { orderBy: { isDone: 'asc' } });
          form!.isDone = 'done?';
          await tx.flush();
          await tx.upsert(Form, { id: 3, isDone: 'upserted', path: '?' });
          await tx.nativeUpdate(Form, { path: 'x' }, { isDone: 'updated' });
          expect(await tx.execute('select ?? as ?? from ?? where id < ? order by 1', ['c:\\?', 'a?', 'form', 3])).to.deep.equal([
            { 'a?': '"' },
            { 'a?': 'x' },
          ]);
          expect(await tx.qb(Form, 'f').select('f.isDone').where({ id: 1 }).execute()).to.deep.equal([{ isDone: 'done?' }]);
          tx.clear();
          expect((await tx.find(Form, {}, { orderBy: { id: 'asc' } })).map(({ isDone, path }) => [isDone, path])).to.deep.equal([
            ['done?', '"'],
            ['updated', 'x'],
            ['upserted', '?'],
          ]);
        }),
      ),
    );
  });

  it('N1 a comment of a query is a comment, whatever it says, and takes no value', async () => {
    for (const comment of ['/books?page=1', '*/ or true; --', '/*', '/*/ ? /*/', '??', `'`, 'a\n--?']) {
      await runInTenant('acme', em =>
        asObserver(async () => {
          const finds = { 'em.find()': () => em.find(Author, { name: '*/ or true --' }, { comments: [comment], hintComments: comment }) };
          const qb = (): Promise<unknown> => em.qb(Author, 'a').comment(comment).where({ name: '*/ or true --' }).execute();

          for (const [name, find] of Object.entries({ ...finds, 'a query builder': qb })) {
            expect(await find(), `${name} ${comment}`).to.deep.equal([]);
          }

          expect(await em.count(Author, { name: 'acme author 1' }, { comments: comment }), comment).to.equal(1);
        }),
      );
    }
  });
});
