import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TenantMixin, type TenantsOptions } from '@landlord/mikro-orm';
import { defineEntity, p, type MikroORM, type Options } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { ROOT } from './library-orm.ts';
import { openOrm, openPlainOrm, type OpenedOn, type OrmConfig, type SpecOrm } from './open-orm.ts';

export type Entities = NonNullable<Options['entities']>;

export class Client extends TenantMixin {
  name = 'a client';
}

export const ClientSchema = defineEntity({ class: Client, extends: TenantMixin, properties: { name: p.string() } });

/** The same entities: for tenants if given `{ schema: '*' }`, or for a plain database with one schema. */
export type EntityFactory = (own: { schema?: '*' }) => Entities;

/** A temporary folder for migrations, with a folder for an empty tenant set. Its files can import this package's dependencies. */
export async function migrationsFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'landlord-migrations-'));
  await mkdir(join(path, 'tenant'));
  await writeFile(join(path, 'package.json'), '{ "type": "module" }');
  await symlink(join(ROOT, 'node_modules'), join(path, 'node_modules'));

  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** An ORM with tenants whose migrations are in `<folder>/public` and `<folder>/tenant`. */
export async function openEvolving(
  database: OpenedOn,
  folder: string,
  entities: Entities,
  { options = {}, config = {} }: { options?: Partial<TenantsOptions<Client>>; config?: OrmConfig } = {},
): Promise<SpecOrm> {
  const { migrations: publicSet, ...rest } = config;
  const { migrations: tenantSet, ...others } = options;

  return openOrm(
    database,
    { tenant: Client, migrations: { path: './tenant', snapshotName: '.snapshot', ...tenantSet }, ...others },
    {
      baseDir: folder,
      entities: [ClientSchema, ...entities],
      migrations: { path: './public', snapshotName: '.snapshot', silent: true, fileName: sequential(), ...publicSet },
      ...rest,
    },
  );
}

/** MikroORM alone on a database of its own, with the same entities in its one schema. */
export async function openPlain(database: OpenedOn, folder: string, entities: Entities): Promise<MikroORM> {
  return openPlainOrm(database, {
    baseDir: folder,
    entities,
    extensions: [Migrator],
    migrations: { path: './plain', snapshotName: '.snapshot', silent: true, fileName: sequential() },
  });
}

/** A client that is not stored yet, on the host `<schemaName>.example.com`. */
export function newClient(schemaName: string): Client {
  return Object.assign(new Client(), { schemaName, domainUrl: `${schemaName}.example.com` });
}

// with only the time stamp, two migrations of the same second would have the same name
function sequential(): (timestamp: string, name?: string) => string {
  return (_timestamp, name) => `Migration${String(++counter).padStart(6, '0')}${name === undefined ? '' : `_${name}`}`;
}

let counter = 0;
