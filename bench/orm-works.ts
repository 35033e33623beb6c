import { defineEntity, p, type Loaded } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';

const AuthorSchema = defineEntity({
  name: 'Author',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    email: p.string().unique(),
    books: () => p.oneToMany(Book).mappedBy('author'),
  },
});
export class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const TagSchema = defineEntity({ name: 'Tag', schema: '*', properties: { id: p.integer().primary(), label: p.string() } });
export class Tag extends TagSchema.class {}
TagSchema.setClass(Tag);

const BookSchema = defineEntity({
  name: 'Book',
  schema: '*',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    pages: p.integer(),
    madeAt: p.datetime().onCreate(() => new Date()),
    author: () => p.manyToOne(Author).ref(),
    tags: () => p.manyToMany(Tag),
  },
});
export class Book extends BookSchema.class {}
BookSchema.setClass(Book);

export const ENTITIES = [AuthorSchema, TagSchema, BookSchema];

/** The tables, with 100 authors of ten books each, and three tags on each book. */
export const TABLES: readonly string[] = [
  'create table "author" ("id" serial primary key, "name" varchar(255) not null, "email" varchar(255) not null unique)',
  'create table "tag" ("id" serial primary key, "label" varchar(255) not null)',
  'create table "book" ("id" serial primary key, "title" varchar(255) not null, "pages" int not null, "made_at" timestamptz not null, "author_id" int not null references "author" ("id"))',
  'create index "book_author_id_index" on "book" ("author_id")',
  'create table "book_tags" ("book_id" int not null references "book" ("id"), "tag_id" int not null references "tag" ("id"), primary key ("book_id", "tag_id"))',
  `insert into "author" ("name", "email") select 'Author ' || n, n || '@example.com' from generate_series(1, 101) n`,
  `insert into "tag" ("label") select 'tag ' || n from generate_series(1, 30) n`,
  `insert into "book" ("title", "pages", "made_at", "author_id") select 'Book ' || n, 100 + n % 300, now(), 1 + (n - 1) / 10 from generate_series(1, 1000) n`,
  `insert into "book_tags" select n, 1 + (n + k * 7) % 30 from generate_series(1, 1000) n, generate_series(0, 2) k`,
];

/** A piece of work with a fork of the EntityManager of its own. */
export type Work = (em: SqlEntityManager, n: number, schemaName: string) => Promise<unknown>;

/** What is measured, and how many of it take about as long as a hundred queries. */
export const WORKS: Readonly<Record<string, { readonly work: Work; readonly share?: number }>> = {
  'findOne by key': { work: (em, n) => em.findOneOrFail(Book, one(n)) },
  'findOne by unique key': { work: (em, n) => em.findOneOrFail(Author, { email: `${1 + (n % 100)}@example.com` }) },
  count: { work: (em, n) => em.count(Book, { author: 1 + (n % 100) }) },
  'query builder': {
    work: (em, n) =>
      em
        .createQueryBuilder(Book, 'b')
        .where({ id: one(n) })
        .getResultList(),
  },
  'query builder, joined': {
    work: (em, n) =>
      em
        .createQueryBuilder(Book, 'b')
        .select('b.*')
        .leftJoinAndSelect('b.author', 'a')
        .where({ 'a.id': 1 + (n % 100) })
        .orderBy({ title: 'asc' })
        .getResultList(),
    share: 0.5,
  },
  nativeUpdate: { work: (em, n) => em.nativeUpdate(Book, one(n), { pages: n }), share: 0.5 },
  'flush of one update': {
    work: async (em, n) => {
      const book = em.merge<Book>(Book, { id: one(n), title: 'Book', pages: 0, madeAt: new Date(), author: 1 } as never);
      book.pages = n + 1;
      await em.flush();
    },
    share: 0.5,
  },
  'persist and flush of 1': { work: (em, n) => em.persist(bookOf(em, n)).flush(), share: 0.5 },
  'flush of 20 inserts': {
    work: async (em, n) => {
      // of whom nothing else reads the books, which get more and more
      const author = em.getReference(Author, 101);

      for (let each = 0; each < 20; each += 1) {
        em.persist(em.create(Book, { title: `New ${n}`, pages: each, author } as never));
      }

      await em.flush();
    },
    share: 0.2,
  },
  'persist and flush of 20 with relations': {
    work: async (em, n) => {
      for (let each = 0; each < 20; each += 1) {
        em.persist(bookOf(em, n * 20 + each));
      }

      await em.flush();
    },
    share: 0.1,
  },
  'persist and flush of 500 with relations': {
    work: async (em, n) => {
      for (let each = 0; each < 500; each += 1) {
        em.persist(bookOf(em, n * 500 + each));
      }

      await em.flush();
    },
    share: 0.01,
  },
  'find of 100': { work: em => em.find(Book, { id: { $lte: 100 } }), share: 0.2 },
  'find of 1,000': { work: em => em.find(Book, { id: { $lte: 1_000 } }), share: 0.03 },
  'find of 100, populated, select-in': { work: em => populated(em, 'select-in'), share: 0.1 },
  'find of 100, populated, joined': { work: em => populated(em, 'joined'), share: 0.1 },
  'find of 100, populated, balanced': { work: em => populated(em, 'balanced'), share: 0.1 },
  'em.populate of 100': {
    work: async em => em.populate(await em.find(Book, { id: { $lte: 100 } }), ['author', 'tags']),
    share: 0.1,
  },
  upsert: {
    work: (em, n) => em.upsert(Author, { name: `Author ${n}`, email: `${1 + (n % 100)}@example.com` }),
    share: 0.5,
  },
  'upsertMany of 20': {
    work: (em, n) =>
      em.upsertMany(
        Author,
        Array.from({ length: 20 }, (_, k) => ({ name: `Author ${n}`, email: `${1 + k}@example.com` })),
      ),
    share: 0.1,
  },
  'stream of 100': {
    work: async em => {
      for await (const book of em.stream(Book, { where: { id: { $lte: 100 } } })) {
        void book.title;
      }
    },
    share: 0.15,
  },
  'raw SQL, qualified': {
    work: (em, n, schema) => em.execute(`select * from "${schema}"."book" where "id" = ?`, [one(n)]),
  },
  // a plain `em` has no path of its own
  'raw SQL without a schema': {
    work: (em, n, schema) => em.execute(`select * from ${'bindToScope' in em ? '' : `"${schema}".`}"book" where "id" = ?`, [one(n)]),
  },
  Kysely: {
    work: (em, n, schema) => kyselyOf(em, schema).selectFrom('book').selectAll().where('id', '=', one(n)).execute(),
  },
  transaction: {
    work: (em, n) =>
      em.transactional(async inner => {
        const book = await inner.findOneOrFail(Book, one(n));
        book.pages = n + 1_000;
      }),
    share: 0.3,
  },
  dataloader: {
    work: async em => {
      const books = await em.find(Book, { id: { $lte: 20 } });
      await Promise.all(books.map(book => book.author.load({ dataloader: true })));
    },
    share: 0.2,
  },
  'dataloader of collections': {
    work: async em => {
      const authors = await em.find(Author, { id: { $lte: 10 } });
      await Promise.all(authors.map(author => author.books.load({ dataloader: true })));
    },
    share: 0.1,
  },
};

function one(n: number): number {
  return 1 + (n % 1_000);
}

function bookOf(em: SqlEntityManager, n: number): Book {
  const author = em.create(Author, { name: 'New', email: `${process.pid}.${n}.${(made += 1)}@example.com` } as never);
  const tags = [em.getReference(Tag, 1 + (n % 30)), em.getReference(Tag, 1 + ((n + 7) % 30))];

  return em.create(Book, { title: `New ${n}`, pages: 1, author, tags } as never);
}

async function populated(em: SqlEntityManager, strategy: 'select-in' | 'joined' | 'balanced'): Promise<Loaded<Book>[]> {
  return em.find(Book, { id: { $lte: 100 } }, { populate: ['author', 'tags'], strategy } as never);
}

/** Kysely of a plain `em` does not know the schema of its fork, and is told. */
function kyselyOf(em: SqlEntityManager, schema: string): any {
  const kysely = em.getKysely() as any;

  return 'bindToScope' in em ? kysely : kysely.withSchema(schema);
}

let made = 0;
