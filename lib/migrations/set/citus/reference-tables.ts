import { readFileSync } from 'node:fs';
import { ReferenceKind, Utils, type EntityMetadata, type MetadataStorage } from '@mikro-orm/core';
import { fs } from '@mikro-orm/core/fs-utils';
import type { TenantDatabase } from '../../../database/tenant-database.js';
import { MigrationSetError } from '../../../errors/index.js';
import { quoteTable } from '../../../postgres/schema-name.js';
import { isTenantEntity } from '../../../tenant/entity-kinds.js';

/**
 * The shared tables that have to be on every node, with schema and name in quotes: those that tenant entities refer to, and those that they refer to
 * in turn. Each comes after those that it refers to.
 *
 * @throws MigrationSetError `MIGRATION_NOT_FOR_CITUS` if one of them has a trigger.
 */
export function referenceTables({ orm, publicSchema }: TenantDatabase): string[] {
  const metadata = orm.getMetadata();
  const found = new Map<string, EntityMetadata>();
  const visit = (meta: EntityMetadata): void => {
    const name = quoteTable(meta.schema ?? publicSchema, meta.tableName);

    if (!found.has(name)) {
      // keeps a circle from going on
      found.set(name, meta);
      sharedTargets(meta, metadata).forEach(visit);
      // after those that it refers to
      found.delete(name);
      found.set(name, meta);
    }
  };

  [...metadata.getAll().values()].filter(meta => isTenantEntity(meta.root)).forEach(meta => sharedTargets(meta, metadata).forEach(visit));
  const withTrigger = [...found].find(([, meta]) => (meta.triggers?.length ?? 0) > 0);

  if (withTrigger !== undefined) {
    throw MigrationSetError.triggerOnReferenceTable(withTrigger[0]);
  }

  return [...found.keys()];
}

/** Those of the tables that no migration of the public set makes reference tables. */
export function missingIn(database: TenantDatabase, tables: readonly string[]): string[] {
  const texts = sourcesOfPublicSet(database);

  return tables.filter(table => !texts.some(text => text.includes(`${CALL}'${literal(table)}'`)));
}

/** Those of the tables that are there and are no reference tables. All of them where the database is not Citus. */
export async function unreferenced(database: TenantDatabase, tables: readonly string[]): Promise<string[]> {
  if (tables.length === 0 || (await database.engine.citus(undefined)) === undefined) {
    return [...tables];
  }

  const rows = await database.execute<{ name: string }>(UNREFERENCED, [JSON.stringify(tables)], undefined);
  const names = new Set(rows.map(({ name }) => name));

  return tables.filter(table => names.has(table));
}

/**
 * Makes the table a reference table where Citus is installed, and only once. It does nothing on a PostgreSQL without Citus, so that the same set can
 * run on both.
 */
export function makeReference(table: string): string {
  const name = literal(table);

  return (
    `do $citus$ begin if exists (select from pg_extension where extname = 'citus') then ` +
    `if not exists (select from pg_dist_partition where logicalrelid = '${name}'::regclass and partmethod = 'n' and repmodel = 't') then ` +
    `perform ${CALL}'${name}'); end if; end if; end $citus$`
  );
}

function literal(table: string): string {
  return table.replaceAll("'", "''");
}

function sharedTargets(meta: EntityMetadata, metadata: MetadataStorage): EntityMetadata[] {
  return meta.props.flatMap(prop => {
    const isOwner = prop.kind === ReferenceKind.MANY_TO_ONE || (prop.kind === ReferenceKind.ONE_TO_ONE && prop.owner === true);
    const target = isOwner && prop.persist !== false && prop.createForeignKeyConstraint !== false ? prop.targetMeta : undefined;

    return target === undefined || isTenantEntity(target.root) || target.view === true || target.virtual === true
      ? []
      : [metadata.find(target.class)?.inheritanceType === 'sti' ? target.root : target];
  });
}

// their text, because a migration need not be run to see what it names
function sourcesOfPublicSet({ orm: { config } }: TenantDatabase): string[] {
  const { path, pathTs, migrationsList = [] } = config.get('migrations');
  const folder = config.get('preferTs', Utils.detectTypeScriptSupport()) && pathTs !== undefined ? pathTs : path;
  const files =
    folder === undefined || migrationsList.length > 0
      ? []
      : fs.glob(fs.normalizePath(fs.absolutePath(folder, config.get('baseDir')), '*.{js,ts,cjs,mjs}'));

  return [...migrationsList.map(entry => String('class' in entry ? entry.class : entry)), ...files.map(file => readFileSync(file, 'utf8'))];
}

const UNREFERENCED = `select name from jsonb_array_elements_text(?::jsonb) as given (name)
  where not exists (select from pg_dist_partition p where p.logicalrelid = to_regclass(name) and p.partmethod = 'n' and p.repmodel = 't')`;

const CALL = 'create_reference_table(';
