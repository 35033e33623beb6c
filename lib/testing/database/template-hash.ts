import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Utils, type MigrationsOptions } from '@mikro-orm/core';
import { fs } from '@mikro-orm/core/fs-utils';
import { tenantMigrationsOptions } from '../../migrations/set/migration-set.js';
import type { TenantDatabase } from '../../database/tenant-database.js';

/** The key of a template: another one for other migrations of either set, other entities, or anything else that is given. */
export function templateHash(database: TenantDatabase, more: readonly unknown[]): string {
  const hash = createHash('sha256');
  const { config } = database.orm;
  const add = (value: unknown): void => void hash.update(JSON.stringify(value) ?? 'undefined').update('\0');

  add(version());
  add(more);

  for (const options of [config.get('migrations'), tenantMigrationsOptions(database)]) {
    sourcesOf(options, config.get('baseDir'), config.get('preferTs', Utils.detectTypeScriptSupport())).forEach(add);
  }

  const entities = [...database.orm.getMetadata().getAll().values()].map(meta => [
    meta.className,
    meta.schema,
    meta.tableName,
    meta.props.map(({ name, fieldNames, columnTypes, nullable, kind, targetMeta }) => [
      name,
      fieldNames,
      columnTypes,
      nullable,
      kind,
      targetMeta?.className,
    ]),
  ]);
  add(entities.map(entity => JSON.stringify(entity)).toSorted());

  return hash.digest('hex').slice(0, 16);
}

/** A short name for what one project has on a server that others use too. */
export function projectHash(): string {
  return createHash('sha256').update(process.cwd()).digest('hex').slice(0, 8);
}

function sourcesOf(options: Partial<MigrationsOptions>, baseDir: string, preferTs: boolean): unknown[] {
  if (options.migrationsList !== undefined) {
    return options.migrationsList.map(entry => ('class' in entry ? [entry.name, String(entry.class)] : [entry.name, String(entry)]));
  }

  const path = preferTs ? (options.pathTs ?? options.path) : options.path;
  const folder = fs.absolutePath(path ?? './migrations', baseDir);

  if (!existsSync(folder)) {
    return [];
  }

  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.[cm]?[jt]s$/.test(name))
    .toSorted()
    .map(name => [name, readFileSync(join(folder, name), 'utf8')]);
}

// a newer version may make other tables
function version(): string {
  return (createRequire(import.meta.url)('@landlord/mikro-orm/package.json') as { readonly version: string }).version;
}
