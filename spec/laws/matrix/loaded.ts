import type { TenantEntityManager } from '@landlord/mikro-orm';
import { BaseEntity, ref, wrap, type Collection, type EntityName, type Ref, type ScalarReference } from '@mikro-orm/core';
import { Author, Book, Tag } from '../../../fixtures/entities/index.ts';
import type { Expected, Row, SchemaOption, Table } from './cell.ts';
import { FLUSHED, UNLOADED } from './entity-manager.ts';
import { Memo } from './entities.ts';

/** Loading from a loaded entity reads the entity's own tenant. It is refused if MikroORM does not pass the schema. */
const OF_ITS_TENANT: Expected = { 'in no scope, by a fork of a tenant with { schema } of another': 'CROSS_TENANT' };

/** The ways in which a collection reaches the database. */
export const COLLECTION: Table = {
  init: items((tags, _, more) => tags.init(more), { expect: OF_ITS_TENANT }),
  'init, one to many': ofAuthor((books, more) => books.init(more), { expect: OF_ITS_TENANT }),
  'init, with a condition': items((tags, _, more) => tags.init({ ...more, where: { name: { $ne: '' } } }), { expect: OF_ITS_TENANT }),
  load: items((tags, _, more) => tags.load(more), { expect: OF_ITS_TENANT }),
  'load, with what it refers to': ofAuthor((books, more) => books.load({ ...more, populate: ['tags', 'sequelOf'] }), {
    expect: OF_ITS_TENANT,
  }),
  loadItems: items((tags, _, more) => tags.loadItems(more), { expect: OF_ITS_TENANT }),
  loadCount: items((tags, _, more) => tags.loadCount({ ...more, refresh: true }), { expect: UNLOADED }),
  'loadCount, one to many': ofAuthor((books, more) => books.loadCount({ ...more, refresh: true }), { expect: UNLOADED }),
  matching: items((tags, _, more) => tags.matching({ ...more, where: { name: { $ne: '' } } }), { expect: UNLOADED }),
  'matching, one to many': ofAuthor((books, more) => books.matching({ ...more, where: { title: { $ne: '' } } }), { expect: UNLOADED }),
  'matching, stored': items((tags, _, more) => tags.matching({ ...more, store: true }), {
    expect: UNLOADED,
    // the nested transaction has made this book read-only
    except: ['after a nested transaction was rolled back, with another scope in it'],
  }),
  add: changed((tags, em, o) => tags.add(em.getReference(Tag, 2, o as object)), 1),
  remove: changed((tags, em, o) => tags.remove(em.getReference(Tag, 1, o as object)), 2),
  set: changed((tags, em, o) => tags.set([em.getReference(Tag, 2, o as object)]), 1),
  removeAll: changed(tags => tags.removeAll(), 2),
};

/** The ways in which a reference, to an entity or to a lazy scalar, reaches the database. */
export const REFERENCE: Table = {
  load: author((reference, more) => reference.load(more)),
  'load, with what it refers to': author((reference, more) => reference.load({ ...more, populate: ['books.tags'] as never })),
  'load, again': author((reference, more) => reference.load({ ...more, refresh: true })),
  loadOrFail: author((reference, more) => reference.loadOrFail(more)),
  loadProperty: author((reference, more) => reference.loadProperty('name', more)),
};

export const SCALAR_REFERENCE: Table = {
  load: text((reference, more) => reference.load(more)),
  loadOrFail: text((reference, more) => reference.loadOrFail(more)),
};

/** The ways in which `wrap(entity)` reaches the database. */
export const WRAPPED_ENTITY: Table = {
  init: book(entity => wrap(entity).init()),
  'init, with what it refers to': book(entity => wrap(entity).init({ populate: ['tags', 'author'] })),
  'init, a reference': { make: (em, o) => em.getReference(Book, 1, o as object), use: (entity: Book) => wrap(entity).init() },
  populate: book(entity => wrap(entity).populate(['author', 'tags']), { expect: OF_ITS_TENANT }),
  assign: {
    make: async (em, o) => ({ em, entity: await em.findOneOrFail(Book, 1, o) }),
    use: async ({ em, entity }: { em: TenantEntityManager; entity: Book }) => {
      wrap(entity).assign({ title: 'assigned', author: 2 });
      await em.flush();
    },
    writes: true,
    expect: FLUSHED,
  },
};

/** The same of an entity that extends MikroORM's BaseEntity; its methods ask the wrapped entity. */
export const BASE_ENTITY: Table = {
  init: book(entity => BaseEntity.prototype.init.call(entity)),
  populate: book(entity => BaseEntity.prototype.populate.call(entity, ['author', 'tags'] as never), { expect: OF_ITS_TENANT }),
  assign: {
    make: async (em, o) => ({ em, entity: await em.findOneOrFail(Book, 1, o) }),
    use: async ({ em, entity }: { em: TenantEntityManager; entity: Book }) => {
      BaseEntity.prototype.assign.call(entity, { title: 'assigned' } as never);
      await em.flush();
    },
    writes: true,
    expect: FLUSHED,
  },
};

/** The EntityLoader is internal to MikroORM, but users can get one. */
export const ENTITY_LOADER: Table = {
  populate: loaded(Book, 'author', OF_ITS_TENANT),
  'populate, many to many': loaded(Book, 'tags', OF_ITS_TENANT),
  'populate, one to many': loaded(Author, 'books', OF_ITS_TENANT),
  'populate, a lazy scalar': loaded(Memo, 'text', UNLOADED),
};

/** The rows of the table that load entities, with the dataloader. */
export function withDataloader(table: Table): Table {
  return Object.fromEntries(
    Object.entries(table)
      .filter(([, row]) => row.writes !== true)
      .map(([name, row]) => [
        `${name}, by the dataloader`,
        {
          ...row,
          use: (subject: unknown, options: SchemaOption) => row.use(subject, { ...options, dataloader: true } as SchemaOption),
          // the schema is passed to the dataloader
          ...(name.startsWith('loadCount') ? { expect: OF_ITS_TENANT } : {}),
        },
      ]),
  );
}

/** The options of a call except the schema, which is passed when the entity is loaded. */
type More = { readonly dataloader?: boolean };

function moreOf(options: SchemaOption): More {
  return 'dataloader' in options ? { dataloader: options.dataloader === true } : {};
}

function items(use: (tags: Collection<Tag>, em: TenantEntityManager, more: More) => unknown, more: Partial<Row> = {}): Row {
  return {
    make: async (em, o) => ({ em, tags: (await em.findOneOrFail(Book, 2, o)).tags }),
    use: ({ em, tags }: { em: TenantEntityManager; tags: Collection<Tag> }, o) => use(tags, em, moreOf(o)),
    ...more,
  };
}

function loaded(entityName: EntityName<any>, field: string, expect: Expected): Row {
  return {
    make: async (em, o) => ({ em, entities: await em.find(entityName, {}, o) }),
    use: async ({ em, entities }: { em: TenantEntityManager; entities: object[] }) => {
      await em.getEntityLoader().populate(entityName, entities, [{ field }] as never, {});

      return entities;
    },
    expect,
  };
}

function ofAuthor(use: (books: Collection<Book>, more: More) => unknown, more: Partial<Row> = {}): Row {
  return {
    make: async (em, o) => (await em.findOneOrFail(Author, 1, o)).books,
    use: (books: Collection<Book>, o) => use(books, moreOf(o)),
    ...more,
  };
}

function changed(use: (tags: Collection<Tag>, em: TenantEntityManager, o: SchemaOption) => unknown, id: number): Row {
  return {
    make: async (em, o) => ({ em, tags: (await em.findOneOrFail(Book, id, { ...o, populate: ['tags'] })).tags }),
    use: async ({ em, tags }: { em: TenantEntityManager; tags: Collection<Tag> }, o) => {
      use(tags, em, o);
      await em.flush();
    },
    writes: true,
    expect: FLUSHED,
  };
}

function author(use: (reference: Ref<Author>, more: More) => unknown): Row<Ref<Author>> {
  return { make: async (em, o) => ref((await em.findOneOrFail(Book, 1, o)).author), use: (reference, o) => use(reference, moreOf(o)) };
}

function text(use: (reference: ScalarReference<string>, more: More) => unknown): Row<ScalarReference<string>> {
  return {
    make: async (em, o) => (await em.findOneOrFail(Memo, 1, o)).text,
    use: (reference, o) => use(reference, moreOf(o)),
    expect: UNLOADED,
  };
}

function book(use: (entity: Book) => unknown, more: Partial<Row> = {}): Row<Book> {
  return { make: (em, o) => em.findOneOrFail(Book, 1, o), use, ...more };
}
