import { EntitySchema, MetadataStorage, RequestContext, TransactionContext } from '@mikro-orm/core';
import { sqlTarget } from '../../../connection/statements/sql-target.js';
import { pinToSchema } from '../../../tenant/entity-kinds.js';
import { see, type Probe } from '../probe.js';
import { OTHER, OWN } from '../probe-world.js';

export const CONTEXT_PROBES: readonly Probe[] = [
  {
    shows: ['RequestContext.currentRequestContext', 'RequestContext.getEntityManager'],
    run: world => {
      const other = { name: 'probe other' } as never;
      const found = RequestContext['storage'].run(new RequestContext(new Map([['probe other', other]])), () =>
        world.as(OWN, () => RequestContext.getEntityManager('probe other')),
      );
      see(found === other, "another ORM's EntityManager is lost in a scope");
    },
  },
  {
    shows: ['TransactionContext.storage', 'TransactionContext.create'],
    run: world => {
      see(
        TransactionContext.create(world.foreignEm, () => world.as(OWN, em => world.orm.em.getContext() === em)),
        'the transaction of an outer scope answers in an inner one',
      );
    },
  },
  {
    shows: ['TransactionContext.getEntityManager'],
    run: world => {
      const other = { name: 'probe other', _id: 0 } as never;
      see(
        TransactionContext.create(other, () => world.as(OWN, () => TransactionContext.getEntityManager('probe other'))) === other,
        "another ORM's transaction is lost in a scope",
      );
    },
  },
  {
    shows: ['Configuration.getExtension', 'Configuration.registerExtension'],
    run: world => {
      const { orm } = world;
      orm.config.registerExtension('@mikro-orm/migrator', () => ({ target: () => sqlTarget(orm.config).kind }));
      see(world.as(OWN, () => (orm.migrator as any).target()) === 'unguarded', 'the migrator of the public set works in a scope');
    },
  },
  {
    shows: ['MikroORM.seeder', 'Platform.getExtension'],
    run: world => {
      class Seeder {
        readonly schema: string | undefined;

        constructor(em: { fork(): { readonly schema: string | undefined } }) {
          this.schema = em.fork().schema;
        }
      }

      const orm = world.orm as any;
      orm.config.registerExtension('@mikro-orm/seeder', () => new Seeder(orm.em));
      see(
        world.as(OTHER, () => orm.seeder.schema) === OTHER && world.as(OWN, () => orm.seeder.schema) === OWN,
        'the seeder is of another scope',
      );
    },
  },
  {
    shows: ['Discovery.onMetadata', 'EntityMetadata.schema', 'EntityMetadata.addProperty'],
    run: world => {
      const { Topic, Tenant, Author } = world.entities;
      const storage = world.orm.getMetadata();
      see(storage.find(Topic)?.schema === 'public', 'a shared entity is in no schema');
      see(storage.find(Tenant)?.primaryKeys.join() === 'id', 'a tenant has no key');
      const pivots = [...storage.getAll().values()].filter(meta => meta.pivotTable === true);
      see(
        pivots.length === 2 && pivots.every(meta => meta.schema === '*') && storage.find(Author)?.schema === '*',
        'a pivot table is in no tenant',
      );
    },
  },
  {
    shows: ['Discovery.afterDiscovered', 'EntityProperty.lazy'],
    run: world => {
      const { properties } = world.orm.getMetadata().get(world.entities.Topic.meta.class) as any;
      see(properties.leader.lazy === true, 'the relations were not prepared');
    },
  },
  {
    shows: ['EntitySchema.REGISTRY'],
    run: () => {
      class Base {}
      class Entity extends Base {}
      const schema = new EntitySchema({ class: Base, schema: 'probe', properties: {} } as never);
      const meta = { name: 'Entity', className: 'Entity', class: Entity } as never;
      pinToSchema(meta, 'public');
      see((meta as { schema?: string }).schema === 'probe' && schema.meta.schema === 'probe', 'a class has not the schema of its parent');
    },
  },
  {
    shows: ['MetadataStorage.META_SYMBOL'],
    run: () => {
      class Base {}
      class Entity extends Base {}
      // as the decorators do. The path is no real one: a bundle in CommonJS has no `import.meta.url`, and without a path, this is the list of all
      MetadataStorage.getMetadata('Base', 'landlord.probe', Base).schema = 'probe';
      const meta = { name: 'Entity', className: 'Entity', class: Entity } as never;
      pinToSchema(meta, 'public');
      see((meta as { schema?: string }).schema === 'probe', 'a decorated class has not the schema of its parent');
    },
  },
];
