import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { tenants, type TenantService } from '@landlord/mikro-orm';
import type { Constructor } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import type { Library } from '../../../fixtures/entities/index.ts';
import { newLibrary, openLibrary, ROOT, type LibraryOrm } from './library-orm.ts';
import type { OpenedOn, OrmConfig } from './open-orm.ts';

export interface MigrationEntry {
  readonly name: string;
  readonly class: Constructor<Migration>;
}

type Step = (migration: Migration) => void | Promise<void>;

/** A migration of a list: what it does, and how it is reverted. */
export function migrationOf(
  name: string,
  up: Step,
  { down, transactional = true }: { down?: Step; transactional?: boolean } = {},
): MigrationEntry {
  return {
    name,
    class: class extends Migration {
      override up(): void | Promise<void> {
        return up(this);
      }

      override down(): void | Promise<void> {
        return down === undefined ? super.down() : down(this);
      }

      override isTransactional(): boolean {
        return transactional;
      }
    },
  };
}

/** A migration that queues the first statements, and the others to revert it. */
export function sqlMigration(name: string, up: string | readonly string[], down: string | readonly string[] = []): MigrationEntry {
  return migrationOf(name, queue(up), { down: queue(down) });
}

/** Libraries whose tenant set is a list that a spec changes. Initially it has one migration, which creates the table of `Tag`. */
export interface TenantSet {
  readonly orm: LibraryOrm;
  readonly tenants: TenantService<Library>;
  /** Sets the migrations after the first one. */
  use(...migrations: readonly MigrationEntry[]): void;
  /** Creates tenants with all migrations that the set currently has. */
  create(...schemaNames: readonly string[]): Promise<void>;
  /** Drops all tenants, and resets the set to its first migration. */
  clear(): Promise<void>;
}

export async function openTenantSet(database: OpenedOn, config: OrmConfig = {}, migrations: MigrationEntry[] = []): Promise<TenantSet> {
  const list: MigrationEntry[] = [FIRST, ...migrations];
  const orm = await openLibrary(database, { migrations: { migrationsList: list } }, config);
  const service = tenants<Library>(orm);
  const use = (...entries: readonly MigrationEntry[]): void => {
    list.splice(1, list.length, ...entries);
  };

  return {
    orm,
    tenants: service,
    use,
    create: async (...names) => {
      await orm.em.fork().persistAndFlush(names.map(name => newLibrary(name)));
    },
    clear: async () => {
      use();

      for (const { schemaName } of await service.list()) {
        await service.drop(schemaName);
      }
    },
  };
}

/** The tenant set of the lending library as a list that specs can extend. */
export async function loadTenantSet(): Promise<MigrationEntry[]> {
  const folder = join(ROOT, 'migrations/tenant');
  const files = (await readdir(folder)).filter(file => /^Migration.*\.ts$/.test(file)).sort();

  return Promise.all(
    files.map(async file => {
      const module = (await import(join(folder, file))) as Record<string, MigrationEntry['class']>;

      return { name: basename(file, '.ts'), class: Object.values(module)[0]! };
    }),
  );
}

/** Migrations that can follow it. */
export const ADD_SHELF = sqlMigration('Migration20990101000000', 'create table shelf (id serial primary key, label text)');

export const ADD_SHELF_INDEX = migrationOf(
  'Migration20990101000001',
  migration => migration.addSql('create index concurrently shelf_label on shelf (label)'),
  { transactional: false },
);

const FIRST = sqlMigration('M1', 'create table "tag" ("id" serial primary key, "name" varchar(255) not null unique)', 'drop table "tag"');

function queue(statements: string | readonly string[]): Step {
  return migration => [statements].flat().forEach(sql => migration.addSql(sql));
}
