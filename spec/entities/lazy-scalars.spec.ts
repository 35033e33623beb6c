import { runInTenant, TenantMixin, type TenantEntityManager } from '@landlord/mikro-orm';
import { defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import { expect } from 'chai';
import { refusal } from '../support/assertions/refusal.ts';
import { onDatabases } from '../support/databases/database.ts';
import type { LibraryOrm } from '../support/orm/library-orm.ts';
import { Note, openNoteOrm } from '../support/orm/note-orm.ts';

class Client extends TenantMixin {}

const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: {} });
const id = p.integer().primary();
const Person: EntitySchema<any> = defineEntity({ name: 'Person', schema: '*', properties: { id, bio: p.string().lazy() } } as never);
const Memo: EntitySchema<any> = defineEntity({
  name: 'Memo',
  schema: '*',
  properties: { id, text: p.string().lazy(), author: () => p.manyToOne(Person) },
} as never);

const NAMES = ['acme', 'bob'];

/** What is populated, and where it then stands. */
const HINTS: Readonly<Record<string, (memo: any) => unknown>> = {
  text: memo => memo.text,
  'author.bio': memo => memo.author.bio,
};

onDatabases('lazy scalars', database => {
  let orm: LibraryOrm;

  before(async () => {
    orm = await openNoteOrm(database, Client, {}, { entities: [ClientSchema, Note, Person, Memo] as never });
    await orm.em.fork().persistAndFlush(NAMES.map(name => new Client({ schemaName: name, domainUrl: `${name}.example.com` })));

    for (const name of NAMES) {
      await database.query(`create table ${name}.person (id int primary key, bio text)`);
      await database.query(`create table ${name}.memo (id int primary key, text text, author_id int references ${name}.person)`);
      await database.query(`insert into ${name}.person values (1, 'of ${name}')`);
      await database.query(`insert into ${name}.memo values (1, 'of ${name}', 1)`);
    }
  });

  const memoOf = async (em: TenantEntityManager, schema: string): Promise<any> =>
    em.findOneOrFail(Memo, 1, { schema, populate: ['author'] as never });

  for (const [hint, valueOf] of Object.entries(HINTS)) {
    it(`R2 ${hint} is the tenant’s own`, async () => {
      for (const name of NAMES) {
        for (const work of [
          (fn: (em: TenantEntityManager) => Promise<unknown>) => runInTenant(name, fn),
          (fn: (em: TenantEntityManager) => Promise<unknown>) => fn(orm.em.fork({ schema: name })),
        ]) {
          await work(async em => {
            const memo = await memoOf(em, name);
            expect(valueOf(memo)).to.equal(undefined);
            await em.populate([memo], [hint] as never);
            expect(valueOf(memo)).to.equal(`of ${name}`);
          });
        }
      }
    });

    it(`law 2: ${hint} of another tenant’s entity is not read in the EntityManager’s own tenant`, async () => {
      for (const options of [{ schema: 'bob' }, {}]) {
        const em = orm.em.fork({ schema: 'acme' });
        const memo = await memoOf(em, 'bob');
        await refusal(() => em.populate([memo], [hint] as never, options), 'CROSS_TENANT');
        expect(valueOf(memo)).to.equal(undefined);
      }
    });
  }
});
