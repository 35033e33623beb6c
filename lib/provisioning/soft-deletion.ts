import { randomBytes } from 'node:crypto';
import type { Transaction } from '@mikro-orm/core';
import {
  commentOn,
  domainsOf,
  findDeletedOne,
  lockRow,
  markDeleted,
  renameRow,
  takenBy,
  type MarkedTenant,
} from '../database/deleted-tenants.js';
import { moveFunctionPaths, namedIn, naming } from '../database/named-schemas.js';
import { isOwned, SCHEMA_COMMENT } from '../database/owned-schemas.js';
import { tellChanges } from '../database/tell-changes.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { lockTenant } from '../database/tenant-lock.js';
import { explainFlushError } from '../entities/flush-errors.js';
import { DeletedTenantError, SchemaMissingError, TenantExistsError } from '../errors/index.js';
import { DELETED_PREFIX, quoteIdentifier, roleOfTenant } from '../postgres/schema-name.js';
import { callInTransaction, callOnCommit } from '../orm/tenant-hooks.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { checkHost } from './check-host.js';
import { notingFailure } from './noting-failure.js';
import { renameRole } from './roles.js';
import { refuseInUse, renameSchema } from './schemas.js';

/**
 * Deletes a tenant so that it can be restored: row, schema, role and further hosts get names that no tenant can have. So nothing finds the tenant any
 * more, and another can have its names. The row has to be locked.
 *
 * @throws SchemaMissingError `SCHEMA_MISSING` if the tenant has no schema, as there is nothing to be restored.
 * @throws SchemaInUseError `SCHEMA_IN_USE` where functions or settings have the name in their text, unless `force` says that they may keep it.
 */
export async function deleteSoftly(
  database: TenantDatabase,
  tenant: TenantMixin<unknown>,
  options: { readonly ctx: Transaction; readonly force: boolean },
): Promise<string> {
  const { schemaName } = tenant;

  return notingFailure(database, { operation: 'drop', schemaName, ctx: options.ctx }, () => moveAside(database, tenant, options));
}

async function moveAside(
  database: TenantDatabase,
  tenant: TenantMixin<unknown>,
  { ctx, force }: { readonly ctx: Transaction; readonly force: boolean },
): Promise<string> {
  const { schemaName, domainUrl } = tenant;
  const id = newId(database);
  await lockTenant(database, schemaName, ctx);

  if (!(await isOwned(database, schemaName, 'delete', ctx))) {
    throw SchemaMissingError.ofTenant(schemaName);
  }

  if (!force) {
    refuseInUse(schemaName, 'delete', await namedIn(database, schemaName, ctx));
  }

  await callInTransaction(database, 'beforeDrop', { ctx, schemaName, tenant, soft: true });
  await database.execute(`alter schema ${quoteIdentifier(schemaName)} rename to ${quoteIdentifier(id)}`, [], ctx);
  await moveFunctionPaths(database, { from: schemaName, to: id, ctx });
  await renameRole(database, schemaName, id, ctx);
  const domains = (await domainsOf(database, schemaName, ctx)).map((domain, index) => [domain, `d${index}.${id}.invalid`] as const);
  // no host has a colon in it, so none leads here
  await renameRow(database, { from: schemaName, schemaName: id, domainUrl: `deleted:${id}`, domains }, ctx);
  await markDeleted(database, id, { schemaName, domainUrl, domains }, ctx);
  await tellChanges(database, [schemaName, id], ctx);
  callOnCommit(database, ctx, { kind: 'deletedSoftly', schemaName, tenant });

  return id;
}

/** How a deleted tenant is restored. */
export interface RestoreOptions {
  /** The schema name that the tenant gets. @default the one that it had */
  readonly schemaName?: string;

  /** The host that the tenant gets. @default the one that it had */
  readonly domainUrl?: string;

  /**
   * Restores the tenant under another name even if functions of its own have the former name in their text. They fail afterwards, or reach the tenant
   * that has the name.
   *
   * @default false: they are listed in an error, and nothing is restored
   */
  readonly force?: boolean;
}

/**
 * Gives a deleted tenant its names again, or others. Returns its schema name.
 *
 * @throws DeletedTenantError `DELETED_TENANT_UNKNOWN`, `DELETED_TENANT_AMBIGUOUS`
 * @throws TenantExistsError `TENANT_ALREADY_EXISTS`, HostTakenError `HOST_TAKEN`, SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 */
export async function restoreDeleted(database: TenantDatabase, name: string, options: RestoreOptions, ctx: Transaction): Promise<string> {
  const deleted = await findAndLock(database, name, ctx);
  const { id, schemaName: former = '', domains } = deleted;
  const { force = false } = options;
  const schemaName = database.rules.checkSchemaName(options.schemaName ?? former);
  const domainUrl = checkHost(options.domainUrl ?? deleted.domainUrl, database.rules, {});
  const taken = await takenBy(database, { schemaName, domainUrl }, ctx);

  if (taken !== undefined) {
    throw new TenantExistsError(taken);
  }

  if (schemaName !== former && !force) {
    refuseInUse(former, 'rename', await naming(database, { name: former, schemaName: id, ctx }));
  }

  await commentOn(database, id, SCHEMA_COMMENT, ctx);
  await renameSchema(database, { from: id, to: schemaName, ctx, force, former });

  try {
    await renameRow(database, { from: id, schemaName, domainUrl, domains: domains.map(([domain, aside]) => [aside, domain]) }, ctx);
  } catch (error) {
    throw explainFlushError(error, database.rules);
  }

  await tellChanges(database, [schemaName, id], ctx);

  return schemaName;
}

async function findAndLock(database: TenantDatabase, name: string, ctx: Transaction): Promise<MarkedTenant> {
  const { id } = await findDeletedOne(database, name, ctx);

  // another session may have restored or purged it meanwhile
  if (!(await lockRow(database, id, ctx))) {
    throw DeletedTenantError.unknown(name);
  }

  return findDeletedOne(database, id, ctx);
}

/** @throws InvalidSchemaNameError `SCHEMA_NAME_INVALID` if the prefix of the roles leaves no room for it. */
function newId({ options: { roles } }: TenantDatabase): string {
  const id = `${DELETED_PREFIX}${randomBytes(6).toString('hex')}`;

  if (roles !== undefined) {
    roleOfTenant(roles, id);
  }

  return id;
}
