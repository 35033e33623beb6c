import { Collection, defineEntity, p, type EntitySchema } from '@mikro-orm/core';
import { TenantMixin } from '@landlord/mikro-orm';

export const KINDS = ['Doc', 'Note', 'Pair', 'Item', 'Label', 'Person'] as const;

/** Doc and Person have natural keys, a Note a uuid, a Pair a composite key with a relation in it, and an Item the database's own. A Label is shared. */
export type Kind = (typeof KINDS)[number];

export type Entities = Readonly<Record<Kind, EntitySchema<any>>>;

/** The collections of a Doc: what is taken out of `notes` and `pairs` is deleted, what is taken out of `items` and `labels` is not. */
export const COLLECTIONS = { notes: 'Note', pairs: 'Pair', items: 'Item', labels: 'Label' } as const satisfies Record<string, Kind>;

export class Client extends TenantMixin {}

defineEntity({ class: Client, extends: TenantMixin, properties: {} });

/** The same entities with tenants and without. */
export function entitiesIn(tenants: { readonly schema?: '*' }): Entities {
  const define = (name: Kind, properties: object, options: object = tenants): EntitySchema<any> =>
    defineEntity({ name, tableName: name.toLowerCase(), ...options, properties } as never);
  const name = p.string().nullable();

  const Doc: EntitySchema<any> = define('Doc', {
    id: p.string().primary(),
    name,
    owner: () => p.manyToOne(Person).ref().nullable(),
    notes: () => p.oneToMany(Note).mappedBy('doc').orphanRemoval(),
    pairs: () => p.oneToMany(Pair).mappedBy('doc').orphanRemoval(),
    items: () => p.oneToMany(Item).mappedBy('doc'),
    labels: () => p.manyToMany(Label),
  });
  const Person = define('Person', { id: p.string().primary(), name });
  const Note = define('Note', { id: p.uuid().primary(), name, doc: () => p.manyToOne(Doc).nullable() });
  const Pair = define('Pair', { doc: () => p.manyToOne(Doc).primary(), slot: p.integer().primary(), name });
  const Item = define('Item', { id: p.integer().primary(), name, doc: () => p.manyToOne(Doc).nullable() });
  const Label = define('Label', { id: p.string().primary(), name }, {});

  return { Doc, Note, Pair, Item, Label, Person };
}

/** An entity made with `new`, which MikroORM knows nothing of. */
export function newEntity(entities: Entities, kind: Kind, data: object): any {
  const Class = entities[kind].meta.class as new () => Record<string, unknown>;
  const entity = Object.assign(new Class(), data);

  for (const collection of kind === 'Doc' ? Object.keys(COLLECTIONS) : []) {
    entity[collection] = new Collection(entity);
  }

  return entity;
}

/** The tables of a tenant, as the tenant set would have them. */
export function tablesIn(schema: string, shared: string): string {
  return `
    create table ${schema}.person (id varchar(255) primary key, name varchar(255));
    create table ${schema}.doc (id varchar(255) primary key, name varchar(255), owner_id varchar(255) references ${schema}.person on update cascade on delete set null);
    create table ${schema}.note (id uuid primary key, name varchar(255), doc_id varchar(255) references ${schema}.doc on update cascade on delete set null);
    create table ${schema}.pair (doc_id varchar(255) references ${schema}.doc on update cascade, slot int, name varchar(255), primary key (doc_id, slot));
    create table ${schema}.item (id serial primary key, name varchar(255), doc_id varchar(255) references ${schema}.doc on update cascade on delete set null);
    create table ${schema}.doc_labels (doc_id varchar(255) references ${schema}.doc on update cascade on delete cascade, label_id varchar(255) references ${shared}.label on update cascade on delete cascade, primary key (doc_id, label_id));`;
}

export const TENANT_TABLES = ['doc_labels', 'item', 'pair', 'note', 'doc', 'person'] as const;
