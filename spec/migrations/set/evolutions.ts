import { defineEntity, p, raw } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { EntityFactory } from '../../support/orm/evolving-orm.ts';

/** How the entities of a tenant change, version by version. */
export interface Evolution {
  readonly title: string;
  readonly steps: readonly EntityFactory[];
  /** The tables among them that are shared. */
  readonly shared?: readonly string[];
  readonly publicSchema?: string;
  /** The number of first versions that cannot be reverted. */
  readonly keeps?: number;
  /** The objects that MikroORM's own down migration leaves behind. */
  readonly leaves?: string;
  /** Whether MikroORM reports a change where there is none, because its snapshot does not store how a table is partitioned. */
  readonly neverSettles?: boolean;
  /** Whether it is also generated without a snapshot. */
  readonly introspects?: boolean;
}

const id = p.integer().primary();

export const EVOLUTIONS: readonly Evolution[] = [
  {
    title: 'joins tables of a class hierarchy within the tenant',
    steps: [
      own => {
        const Animal = defineEntity({ ...own, name: 'Animal', inheritance: 'tpt', properties: { id, name: p.string() } });
        const Dog = defineEntity({ name: 'Dog', extends: Animal, properties: { barks: p.boolean() } });

        return [Animal, Dog];
      },
      own => {
        const Animal = defineEntity({ ...own, name: 'Animal', inheritance: 'tpt', properties: { id, name: p.string() } });
        const Dog = defineEntity({ name: 'Dog', extends: Animal, properties: { barks: p.boolean() } });
        const Cat = defineEntity({ name: 'Cat', extends: Animal, properties: { lives: p.integer().default(9) } });

        return [Animal, Dog, Cat];
      },
    ],
  },
  {
    title: 'keeps a class hierarchy in one table of the tenant',
    steps: [1, 2].map(version => own => {
      const Person = defineEntity({
        ...own,
        name: 'Person',
        discriminatorColumn: 'kind',
        discriminatorValue: 'person',
        properties: { id, kind: p.enum(['person', 'writer', 'reader']), name: p.string() },
      });
      const Writer = defineEntity({ name: 'Writer', extends: Person, discriminatorValue: 'writer', properties: { penName: p.string() } });
      const Reader = defineEntity({ name: 'Reader', extends: Person, discriminatorValue: 'reader', properties: { card: p.uuid() } });

      return version === 1 ? [Person, Writer] : [Person, Writer, Reader];
    }),
  },
  {
    title: 'adds an enum, and drops it on the way down',
    steps: [
      own => [defineEntity({ ...own, name: 'Lamp', properties: { id } })],
      own => [
        defineEntity({ ...own, name: 'Lamp', properties: { id, state: p.enum(['on', 'off']).nativeEnumName('lamp_state').default('on') } }),
      ],
    ],
  },
  {
    introspects: true,
    title: 'shares an enum between two tables, adds values and drops it',
    // PostgreSQL cannot remove a value from an enum
    keeps: 2,
    steps: [['low', 'high'], ['low', 'middle', 'high'], undefined].map(items => own => {
      const level =
        items === undefined
          ? {}
          : {
              level: p.enum(items).nativeEnumName('level').default('low'),
              levels: p.enum(items).nativeEnumName('level').array().default([]),
            };

      return [
        defineEntity({ ...own, name: 'Alarm', properties: { id, ...level } }),
        defineEntity({ ...own, name: 'Notice', properties: { id, text: p.string(), ...level } }),
      ];
    }),
  },
  {
    title: 'turns a text into an enum and an enum into a text',
    steps: [1, 2, 3].map(version => own => [
      defineEntity({
        ...own,
        name: 'Ticket',
        properties: {
          id,
          state: version === 2 ? p.enum(['new', 'done']).nativeEnumName('ticket_state').nullable() : p.string().nullable(),
          size: version === 2 ? p.string().nullable() : p.enum(['s', 'l']).nativeEnumName('ticket_size').nullable(),
        },
      }),
    ]),
  },
  {
    title: 'refers to shared tables in the public schema',
    shared: ['genre', 'shelf'],
    steps: [1, 2, 3].map(version => references(version)),
  },
  {
    introspects: true,
    title: 'refers to shared tables in a public schema of another name',
    shared: ['genre', 'shelf'],
    publicSchema: 'commons',
    steps: [1, 2, 3].map(version => references(version)),
  },
  {
    title: 'relates its own tables in every way',
    steps: [1, 2].map(version => own => {
      const Tag = defineEntity({ ...own, name: 'Tag', properties: { id, name: p.string().unique() } });
      const Note = defineEntity({
        ...own,
        name: 'Note',
        properties: {
          id,
          parent: () => p.manyToOne(Note).nullable(),
          tags: () => p.manyToMany(Tag),
          related: () => p.manyToMany(Note).pivotTable('note_related'),
          ...(version === 2 ? { mainTag: () => p.manyToOne(Tag).nullable().deferMode('deferred').deleteRule('cascade') } : {}),
        },
      });
      const Order = defineEntity({ ...own, name: 'Order', properties: { region: p.string().primary(), number: p.bigint().primary() } });
      const Item = defineEntity({
        ...own,
        name: 'Item',
        properties: { id, lines: () => p.manyToMany(Order).pivotEntity(() => OrderLine) },
      });
      const OrderLine = defineEntity({
        ...own,
        name: 'OrderLine',
        properties: { item: () => p.manyToOne(Item).primary(), order: () => p.manyToOne(Order).primary(), count: p.integer().default(1) },
      });
      const Invoice = defineEntity({
        ...own,
        name: 'Invoice',
        properties: { id, order: () => p.oneToOne(Order), ...(version === 1 ? { copyOf: () => p.manyToOne(Invoice).nullable() } : {}) },
      });

      return [Tag, Note, Order, Item, OrderLine, Invoice];
    }),
  },
  {
    introspects: true,
    title: 'keeps columns of every type',
    steps: [1, 2].map(version => own => {
      const Address = defineEntity({
        name: 'Address',
        embeddable: true,
        properties: {
          street: p.string(),
          city: p.string().nullable(),
          ...(version === 2 ? { zip: p.string().length(10).nullable() } : {}),
        },
      });

      return [
        defineEntity({
          ...own,
          name: 'Everything',
          comment: version === 1 ? 'all there is' : "all there 'was'",
          properties: {
            id: p.uuid().primary().defaultRaw('gen_random_uuid()'),
            version: p.integer().version(),
            big: p.bigint().default(0),
            json: p.json().nullable().defaultRaw(`'{"a": 1}'`),
            list: p.array().default([]),
            day: p.date().defaultRaw('current_date'),
            at: p
              .datetime()
              .defaultRaw('now()')
              .comment(version === 1 ? 'when' : 'since when'),
            price: version === 1 ? p.decimal().precision(8).scale(2).nullable() : p.decimal().precision(12).scale(4).nullable(),
            text: version === 1 ? p.string().nullable() : p.text(),
            blob: p.blob().nullable(),
            ratio: p.double().default(0.5),
            size: p.enum(['s', 'm', 'l']).default('m'),
            ...(version === 1 ? { oldName: p.string().nullable() } : { newName: p.string().nullable(), added: p.smallint().default(1) }),
            doubled: p
              .bigint()
              .generated(version === 1 ? '(big * 2) stored' : '(big * 4) stored')
              .nullable(),
            home: () => p.embedded(Address).nullable(),
            work: () => p.embedded(Address).object().nullable(),
          },
        }),
      ];
    }),
  },
  {
    introspects: true,
    title: 'indexes and checks its tables',
    steps: [1, 2].map(version => own => [
      defineEntity({
        ...own,
        name: 'Article',
        properties: {
          id,
          title: p.string(),
          slug: p.string().unique(version === 1 ? 'article_slug_one' : 'article_slug_two'),
          body: p.text().nullable(),
          words: p.integer().default(0).check('words >= 0'),
          live: p.boolean().default(false),
          meta: p.json().nullable(),
        },
        checks: [{ name: 'article_title_check', expression: columns => `length(${columns.title}) > ${version}` }],
        indexes: [
          { name: version === 1 ? 'article_title_old' : 'article_title_new', properties: ['title'] },
          { name: 'article_live_words', properties: ['words'], where: { live: true } },
          { name: 'article_long', properties: ['title', 'words'], where: version === 1 ? 'words > 100' : 'words > 200' },
          { name: 'article_meta', properties: ['meta'], type: 'gin' },
          {
            name: 'article_body_fulltext',
            expression: (columns, table, name) => `create index "${name}" on ${table} using gin (to_tsvector('simple', ${columns.body}))`,
          },
          {
            name: 'article_lower',
            expression: (columns, table, name) =>
              `create ${version === 1 ? '' : 'unique '}index "${name}" on "${table.schema}"."${table.name}" (lower(${columns.slug}))`,
          },
        ],
        uniques: [
          { name: 'article_title_words', properties: ['title', 'words'], deferMode: 'deferred' },
          { name: 'article_live_title', properties: ['title'], where: { live: true, words: { $gt: version } } },
        ],
      }),
    ]),
  },
  {
    title: 'drops a table, and all that refers to it',
    steps: [1, 2].map(version => own => {
      const Room = defineEntity({ ...own, name: 'Room', properties: { id, name: p.string() } });
      const Chair = defineEntity({
        ...own,
        name: 'Chair',
        properties: { id, ...(version === 1 ? { room: () => p.manyToOne(Room) } : {}) },
      });

      return version === 1 ? [Room, Chair] : [Chair];
    }),
  },
  {
    introspects: true,
    title: 'shows its tables in views',
    steps: [1, 2].map(version => own => {
      const Sale = defineEntity({ ...own, name: 'Sale', properties: { id, shop: p.string(), amount: p.integer() } });
      const Total = defineEntity({
        ...own,
        name: 'Total',
        tableName: 'total',
        view: true,
        expression: `select shop, sum(amount) as amount from sale ${version === 1 ? '' : 'where amount > 0 '}group by shop`,
        properties: { shop: p.string().primary(), amount: p.bigint() },
      });
      const Best = defineEntity({
        ...own,
        name: 'Best',
        tableName: 'best',
        view: true,
        expression: (em: SqlEntityManager) =>
          em
            .createQueryBuilder(Sale, 's')
            .select(['s.shop', raw(version === 1 ? 'max(s.amount) as top' : 'max(s.amount + 1) as top')])
            .groupBy('s.shop'),
        properties: { shop: p.string().primary(), top: p.integer() },
      });
      const Report = defineEntity({
        ...own,
        name: 'Report',
        tableName: 'report',
        view: { materialized: true },
        expression: (em: SqlEntityManager) => em.createQueryBuilder(Sale, 's').select(['s.id', 's.shop']),
        indexes: [{ name: version === 1 ? 'report_shop' : 'report_by_shop', properties: ['shop'] }],
        properties: { id, shop: p.string() },
      });
      const Late = defineEntity({
        ...own,
        name: 'Late',
        tableName: 'late',
        view: true,
        expression: 'select shop from sale',
        properties: { shop: p.string().primary() },
      });

      return version === 1 ? [Sale, Total, Best, Report] : [Sale, Total, Best, Report, Late];
    }),
  },
  {
    introspects: true,
    title: 'fires triggers of its own',
    steps: [1, 2, 3].map(version => own => [
      defineEntity({
        ...own,
        name: 'Counter',
        properties: { id, hits: p.integer().default(0), label: p.string().nullable() },
        ...(version === 3
          ? {}
          : {
              triggers: [
                {
                  name: 'count_hits',
                  timing: 'before' as const,
                  events: ['insert' as const, 'update' as const],
                  body: `NEW.hits := NEW.hits + ${version}; RETURN NEW;`,
                  when: 'NEW.label is not null',
                },
              ],
            }),
      }),
    ]),
  },
  {
    title: 'guards rows by policies',
    steps: [1, 2].map(version => own => [
      defineEntity({
        ...own,
        name: 'Secret',
        properties: { id, owner: p.string() },
        policies: [{ name: 'own_secrets', using: version === 1 ? 'owner = current_user' : 'owner = session_user' }],
      }),
    ]),
  },
  {
    title: 'partitions a table from the start',
    neverSettles: true,
    steps: [
      own => [
        defineEntity({
          ...own,
          name: 'Event',
          properties: { id: p.bigint().primary(), name: p.string() },
          partitionBy: { type: 'hash', expression: 'id', partitions: 2 },
        }),
      ],
    ],
  },
  {
    title: 'begins to partition a table',
    keeps: 2,
    neverSettles: true,
    steps: [1, 2].map(version => own => [
      defineEntity({
        ...own,
        name: 'Measure',
        properties: { id: p.bigint().primary(), name: p.string() },
        ...(version === 1 ? {} : { partitionBy: { type: 'hash' as const, expression: 'id' as const, partitions: 2 } }),
      }),
    ]),
  },
  {
    title: 'changes how a key is counted',
    leaves: 'relation sequence_id_seq',
    steps: [1, 2].map(version => own => [
      defineEntity({
        ...own,
        name: 'Sequence',
        properties: {
          id: version === 1 ? p.integer().primary().autoincrement(false) : p.integer().primary().autoincrement(),
          name: p.string(),
        },
      }),
    ]),
  },
];

function references(version: number): EntityFactory {
  return own => {
    const Genre = defineEntity({ name: 'Genre', properties: { id, name: p.string() } });
    const Shelf = defineEntity({ name: 'Shelf', properties: { room: p.string().primary(), number: p.integer().primary() } });
    const Book = defineEntity({
      ...own,
      name: 'Book',
      properties: {
        id,
        genre: () => p.manyToOne(Genre),
        ...(version === 2
          ? { second: () => p.manyToOne(Genre).nullable().deleteRule('cascade'), shelf: () => p.manyToOne(Shelf).nullable() }
          : {}),
        genres: () => p.manyToMany(Genre),
        ...(version === 3 ? { only: () => p.oneToOne(Genre).nullable() } : {}),
      },
    });
    const ByGenre = defineEntity({
      ...own,
      name: 'ByGenre',
      tableName: 'by_genre',
      view: true,
      expression: (em: SqlEntityManager) =>
        em
          .createQueryBuilder(Book, 'b')
          .select(['b.id', raw('g.name')])
          .join('b.genre', 'g'),
      properties: { id, name: p.string() },
    });

    return [Genre, Shelf, Book, ByGenre];
  };
}
