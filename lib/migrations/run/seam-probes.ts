import { Migration, Migrator } from '@mikro-orm/migrations';
import { DatabaseSchema } from '@mikro-orm/postgresql';
import { addTrigger } from '../../database/change-trigger.js';
import { TenantDatabase } from '../../database/tenant-database.js';
import { refuses, see, type Probe } from '../../orm/seams/probe.js';
import { OWN, type ProbeEm, type ProbeWorld } from '../../orm/seams/probe-world.js';
import { PLACEHOLDER_SCHEMA } from '../../postgres/schema-name.js';
import { allowDrops } from '../set/moved-tables.js';
import { createPublicSchemaGenerator, isPublicSchemaGenerator } from '../set/public-schema-generator.js';
import { TenantSchemaGenerator } from '../set/tenant-schema-generator.js';
import { migrateSchema, queuedSql } from './migrate-schema.js';

/** The generator of the public set, and a database of which it is said that a tenant's table is in the public schema. */
function publicSet({ orm, em, entities: { Author } }: ProbeWorld): { readonly generator: ProbeEm; readonly fromSchema: DatabaseSchema } {
  const generator: ProbeEm = createPublicSchemaGenerator(TenantDatabase.of(orm.config));
  generator.ensureDatabase = async () => false;
  const meta = Object.create(orm.getMetadata().get(Author.meta.class), { schema: { value: 'public' } });
  const fromSchema = DatabaseSchema.fromMetadata([meta], orm.driver.getPlatform(), orm.config, 'public', em);

  return { generator, fromSchema };
}

function migrationOf(up: (migration: Migration) => unknown): ProbeEm {
  const MigrationClass = class extends Migration {
    override async up(): Promise<void> {
      await up(this);
    }
  };

  return { name: 'Probe', MigrationClass, transactional: true };
}

/** Runs a migration in a transaction of the own tenant. */
function migrate(world: ProbeWorld, up: (migration: Migration) => unknown): Promise<unknown> {
  const database = TenantDatabase.of(world.orm.config);

  return database.inTransaction(ctx =>
    migrateSchema(database, { schemaName: OWN, direction: 'up', planned: [migrationOf(up)], ctx, hasHistory: true }),
  );
}

/** Shows that the two sets are made of what they are to be made of, and that a migration is kept to its tenant. */
export const MIGRATION_PROBES: readonly Probe[] = [
  {
    shows: ['SqlSchemaGenerator.getTargetSchema', 'SqlSchemaGenerator.getOrderedMetadata', 'Configuration.registerExtension'],
    run: async world => {
      const { generator } = publicSet(world);
      const all: string = await generator.getCreateSchemaSQL({ includeWildcardSchema: true });
      const named: string = await generator.getCreateSchemaSQL({ schema: 'public' });
      see(all.includes('"probe_topic"') && !/create table "\w*"?\.?"?probe_author/.test(all), `the public set makes ${all}`);
      see(named.includes('"probe_topic"') && !/create table "probe_author/.test(named), `the public set makes ${named}`);
      see(isPublicSchemaGenerator(world.orm.config.getExtension<object>('@mikro-orm/schema-generator')), 'the schema generator is another');
    },
  },
  {
    shows: ['EntityMetadata.triggers'],
    run: async world => {
      const { generator } = publicSet(world);
      const storage = world.orm.getMetadata();
      addTrigger(storage, storage.get(world.entities.Tenant), 'public');
      const sql: string = await generator.getCreateSchemaSQL({ schema: 'public' });
      see(sql.includes('create trigger'), 'the public set makes no trigger');
    },
  },
  {
    shows: ['SqlSchemaGenerator.getCreateSchemaSQL'],
    run: async world => {
      const { generator } = publicSet(world);
      let sql = '';
      generator.execute = async (given: string) => void (sql = given);
      generator.getCreateSchemaSQL = async () => 'probe';
      await generator.create();
      see(sql === 'probe', `the public schema is created by ${sql}`);
    },
  },
  {
    shows: ['SqlSchemaGenerator.getUpdateSchemaSQL'],
    run: async world => {
      const { generator, fromSchema } = publicSet(world);
      let sql = '';
      generator.execute = async (given: string) => void (sql = given);
      await generator.update({ fromSchema });
      see(sql.includes('drop table') && sql.includes('"probe_author"'), `an update of the public schema is ${sql}`);
    },
  },
  {
    shows: ['SqlSchemaGenerator.getUpdateSchemaMigrationSQL'],
    run: async world => {
      const { generator, fromSchema } = publicSet(world);
      const { up } = await allowDrops(() => generator.getUpdateSchemaMigrationSQL({ fromSchema }));
      see(up.includes('drop table') && up.includes('"probe_author"'), `a migration of the public set is ${up}`);
    },
  },
  {
    shows: ['SqlSchemaGenerator.clear'],
    run: async world => {
      const { generator } = publicSet(world);
      world.record();
      await generator.clear().finally(() => world.stopRecording());
      const sent = world.take().map(({ sql }) => sql);
      see(
        sent.some(sql => sql.includes('to_regclass')) && !sent.some(sql => sql.includes('truncate')),
        `the public schema is emptied by ${sent.join('; ')}`,
      );
    },
  },
  {
    shows: [
      'SqlSchemaGenerator.getTargetSchema',
      'SqlSchemaGenerator.getOrderedMetadata',
      'SqlSchemaGenerator.getUpdateSchemaMigrationSQL',
      'SqlSchemaGenerator.diffToSQL',
      'DatabaseSchema.fromMetadata',
    ],
    run: world =>
      world.as(PLACEHOLDER_SCHEMA, async em => {
        const fromSchema = new DatabaseSchema(world.orm.driver.getPlatform(), PLACEHOLDER_SCHEMA);
        const { up } = await new TenantSchemaGenerator(em, 'public').getUpdateSchemaMigrationSQL({ fromSchema });
        see(up.includes('create table "probe_author"') && up.includes('references "public"."probe_topic"'), `the tenant set makes ${up}`);
        see(!/create (schema|table "probe_topic")/.test(up), `the tenant set makes ${up}`);
      }),
  },
  {
    shows: ['Migrator.init'],
    run: async world => {
      let isAsked = false;
      const OfflineMigrator = class extends Migrator {
        override async init(): Promise<void> {
          isAsked = true;
          throw new Error('probe');
        }

        override async getSchemaFromSnapshot(): Promise<undefined> {
          return undefined;
        }
      };
      await new OfflineMigrator(world.em).checkSchema().catch(() => undefined);
      see(isAsked, 'a migrator is made ready by another way');
    },
  },
  {
    shows: ['Migration.ctx'],
    run: async world => {
      const database = TenantDatabase.of(world.orm.config);

      for (const touch of [(each: Migration) => each.execute('select 1'), (each: Migration) => each.getEntityManager()]) {
        const migration = migrationOf(async each => {
          each.addSql('select 2');
          await touch(each);
        });
        const { sql, isComplete } = await queuedSql(database, migration, 'up', OWN);
        see(
          !isComplete && sql.join() === 'select 2' && world.database.take().length === 0,
          'a migration that is previewed reaches the database',
        );
      }
    },
  },
  {
    shows: ['Migration.execute'],
    run: async world => {
      await refuses('MIGRATION_SESSION_STATE', () => migrate(world, each => each.execute('commit')));
      world.database.take();
    },
  },
  {
    shows: ['Migration.getEntityManager'],
    run: async world => {
      let schema: string | undefined;
      await migrate(world, each => (schema = each.getEntityManager().schema));
      world.database.take();
      see(schema === OWN, 'the EntityManager of a migration is not of its tenant');
    },
  },
];
