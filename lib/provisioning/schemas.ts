import type { Transaction } from '@mikro-orm/core';
import { createSchemaStatements } from '../database/citus/create-schema.js';
import { dependentsOf, lockTables } from '../database/dependents.js';
import type { Opening } from '../migrations/run/script.js';
import { hasNoRoomForLocks, readLocksOfDrop } from '../database/lock-room.js';
import { mayBeWaitedForText, moveFunctionPaths, namedIn, waitingFor } from '../database/named-schemas.js';
import { isOwned, SCHEMA_COMMENT } from '../database/owned-schemas.js';
import { InvalidSchemaNameError, LockTableError, SchemaExistsError, SchemaInUseError, SchemaMissingError } from '../errors/index.js';
import { observed } from '../scope/observer.js';
import { callInTransaction } from '../orm/tenant-hooks.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { lockTenant, lockTenantText } from '../database/tenant-lock.js';
import { isDeletedName, quoteIdentifier, roleOfTenant, type SchemaName } from '../postgres/schema-name.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { shardsTenants } from '../tenant/citus-options.js';
import { notingFailure } from './noting-failure.js';
import { dropRole, renameRole } from './roles.js';

/** The statements that create a tenant's schema. Without `if not exists`, so that they fail with `DUPLICATE_SCHEMA` if the schema already exists. */
export async function createSchemaSql(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<string[]> {
  const quoted = quoteIdentifier(database.rules.checkSchemaName(schemaName));
  const create = await createSchemaStatements(database, quoted, { isSharded: shardsTenants(database.options.citus), ctx });

  return [...create, `comment on schema ${quoted} is '${SCHEMA_COMMENT}'`];
}

/**
 * Drops a tenant's schema with all data. A missing schema is not an error.
 *
 * @throws SchemaInUseError `SCHEMA_IN_USE` if something outside of it depends on it, unless `cascade` is set.
 * @throws LockTableError `LOCK_TABLE_TOO_SMALL` if the server cannot lock all that is in it.
 */
export async function dropSchema(database: TenantDatabase, schemaName: string, options: DropSchemaOptions): Promise<void> {
  await notingFailure(database, { operation: 'drop', schemaName, ctx: options.ctx }, () =>
    observed(database.rules, { name: 'drop', schemaName }, () => drop(database, schemaName, options)),
  );
}

export interface DropSchemaOptions {
  readonly ctx: Transaction;
  readonly cascade?: boolean | undefined;
  /** Its tenant, for the hook `beforeDrop`. */
  readonly tenant?: TenantMixin<unknown> | undefined;
}

async function drop(database: TenantDatabase, schemaName: string, { ctx, cascade = false, tenant }: DropSchemaOptions): Promise<void> {
  // waits for a run that is migrating the tenant. A later run sees the result
  await lockTenant(database, schemaName, ctx);

  if (await isOwned(database, schemaName, 'drop', ctx)) {
    const locks = await readLocksOfDrop(database, schemaName, ctx);

    if (locks.needed > locks.room) {
      throw new LockTableError(schemaName, locks);
    }

    // that of a tenant that was deleted softly was asked then: no scope of it can be entered any more
    if (!isDeletedName(schemaName)) {
      await callInTransaction(database, 'beforeDrop', { ctx, schemaName, tenant, soft: false });
    }

    try {
      if (!cascade) {
        await lockTables(database, schemaName, ctx);
        refuseInUse(schemaName, 'drop', await dependentsOf(database, schemaName, ctx));
      }

      await database.execute(`drop schema ${quoteIdentifier(schemaName)} cascade`, [], ctx);
    } catch (error) {
      throw hasNoRoomForLocks(error) ? new LockTableError(schemaName, locks, { cause: error }) : error;
    }

    await dropRole(database, schemaName, ctx);
  }
}

/**
 * Renames a tenant's schema. A missing schema, as with `autoCreateSchema: false`, is not an error. In that case no schema may have the new
 * name either, because the tenant would get it.
 *
 * @throws SchemaInUseError `SCHEMA_IN_USE` where others have the name in their text, unless `force` says that they may keep it.
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 * @throws InvalidSchemaNameError `SCHEMA_NAME_RESERVED` if the new name is that of the database role or is on its `search_path`.
 */
export async function renameSchema(database: TenantDatabase, options: RenameSchemaOptions): Promise<void> {
  await notingFailure(database, { operation: 'rename', schemaName: options.from, ctx: options.ctx }, () =>
    observed(database.rules, { name: 'rename', schemaName: options.to }, () => rename(database, options)),
  );
}

export interface RenameSchemaOptions {
  readonly from: string;
  readonly to: string;
  readonly ctx: Transaction;
  readonly force?: boolean | undefined;
  /** Its tenant, for the hook `afterRename`. */
  readonly tenant?: TenantMixin<unknown> | undefined;
  /** The former name for the hook, which is not called if that is the new one. @default `from` */
  readonly former?: string | undefined;
}

async function rename(
  database: TenantDatabase,
  { from, to, ctx, force = false, tenant, former = from }: RenameSchemaOptions,
): Promise<void> {
  await lockTenant(database, from, ctx);

  if (!(await isOwned(database, from, 'rename', ctx))) {
    return refuseExisting(database, to, ctx);
  }

  if (!force) {
    refuseInUse(from, 'rename', await namedIn(database, from, ctx));
    await refuseWaiting(database, to, ctx);
  }

  const quoted = quoteIdentifier(await checkNewName(database, to, ctx));

  try {
    await database.execute(`alter schema ${quoteIdentifier(from)} rename to ${quoted}`, [], ctx);
  } catch (error) {
    throw hasSqlState(error, DUPLICATE_SCHEMA) ? new SchemaExistsError(to, { cause: error }) : error;
  }

  await moveFunctionPaths(database, { from, to, ctx });
  await renameRole(database, from, to, ctx);

  if (former !== to) {
    await callInTransaction(database, 'afterRename', { ctx, schemaName: to, from: former, tenant });
  }
}

/**
 * Refuses a tenant whose schema is not created now if that schema exists, because it may hold other data.
 *
 * @throws SchemaExistsError `SCHEMA_ALREADY_EXISTS`
 */
export async function refuseExisting(database: TenantDatabase, schemaName: string, ctx: Transaction | undefined): Promise<void> {
  const found = await database.execute('select 1 from pg_namespace where nspname = ?', [schemaName], ctx);

  if (found.length > 0) {
    throw new SchemaExistsError(schemaName);
  }
}

/**
 * Checks that a tenant may have the schema that exists, which its caller has asked for.
 *
 * @throws SchemaMissingError `SCHEMA_MISSING`
 * @throws SchemaProtectedError `SCHEMA_PROTECTED` if the library did not create it.
 */
export async function adoptSchema(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  await lockTenant(database, schemaName, ctx);

  if (!(await isOwned(database, schemaName, 'adopt', ctx))) {
    throw SchemaMissingError.ofTenant(schemaName);
  }
}

/**
 * Checks the name of a schema before it is created or renamed. Also refuses names on the `search_path` of the connections. Otherwise
 * unqualified SQL outside of tenants would find the tables of this tenant. The name of the database role is one of them, because the default
 * path begins with "$user".
 *
 * @throws InvalidSchemaNameError
 */
export async function checkNewName(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<SchemaName> {
  const checked = database.rules.checkSchemaName(schemaName);

  const { role, path } = await database.engine.session(ctx);

  if (role === schemaName) {
    throw new InvalidSchemaNameError(schemaName, 'it is the name of the database role', 'SCHEMA_NAME_RESERVED');
  }

  if (path.includes(schemaName)) {
    throw new InvalidSchemaNameError(schemaName, 'it is on the `search_path` of the database role', 'SCHEMA_NAME_RESERVED');
  }

  if (database.options.roles !== undefined) {
    roleOfTenant(database.options.roles, schemaName);
  }

  return checked;
}

/**
 * Refuses a name that functions or settings look for before there is such a schema. Another schema may have had it, whose functions would then
 * read and write in this one.
 *
 * @throws SchemaInUseError `SCHEMA_IN_USE`
 */
export async function refuseWaiting(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  refuseInUse(schemaName, 'create', await waitingFor(database, schemaName, ctx));
}

/** Takes the lock of a tenant that is about to get its schema, and refuses its name like `refuseWaiting`, before anything else is done for it. */
export function lockingNewName(database: TenantDatabase, schemaName: string, ctx: Transaction): Opening {
  return {
    first: lockTenantText(database, schemaName),
    doubt: mayBeWaitedForText(database, schemaName),
    check: () => refuseWaiting(database, schemaName, ctx),
  };
}

/** @throws SchemaInUseError `SCHEMA_IN_USE` if there is one. */
export function refuseInUse(schemaName: string, action: 'create' | 'delete' | 'drop' | 'rename', dependents: readonly string[]): void {
  if (dependents.length > 0) {
    throw new SchemaInUseError(schemaName, action, dependents);
  }
}

/** SQLSTATEs of a schema that already exists. PostgreSQL raises the second one if two transactions create the same name concurrently. */
export const DUPLICATE_SCHEMA = ['42P06', '23505'] as const;
