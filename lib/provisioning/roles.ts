import type { Transaction } from '@mikro-orm/core';
import { TenantRoleError } from '../errors/index.js';
import { quoteIdentifier, roleOfTenant } from '../postgres/schema-name.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantDatabase } from '../database/tenant-database.js';

/**
 * What creates a tenant's role, where `roles` is set: to be run after its schema was made, and before anything is in it. What its
 * migrations make later is covered by default privileges, which hold for what the role makes that runs this.
 */
export function createRoleSql({ options: { roles } }: TenantDatabase, schemaName: string): string[] {
  if (roles === undefined) {
    return [];
  }

  const role = quoteIdentifier(roleOfTenant(roles, schemaName));
  const schema = quoteIdentifier(schemaName);

  return [
    `create role ${role} nologin`,
    `grant ${role} to session_user`,
    ...(roles.shared === undefined ? [] : [`grant ${quoteIdentifier(roles.shared)} to ${role}`]),
    `grant usage on schema ${schema} to ${role}`,
    `alter default privileges in schema ${schema} grant ${ON_TABLES} on tables to ${role}`,
    `alter default privileges in schema ${schema} grant ${ON_SEQUENCES} on sequences to ${role}`,
  ];
}

/**
 * Creates the role of a tenant whose schema is there already.
 *
 * @throws TenantRoleError `TENANT_ROLE_EXISTS`
 */
export async function createRole(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  const sql = createRoleSql(database, schemaName);
  const { roles } = database.options;

  if (roles !== undefined) {
    const [role, schema] = [quoteIdentifier(roleOfTenant(roles, schemaName)), quoteIdentifier(schemaName)];
    sql.push(
      `grant ${ON_TABLES} on all tables in schema ${schema} to ${role}`,
      `grant ${ON_SEQUENCES} on all sequences in schema ${schema} to ${role}`,
    );
  }

  await explained(database, schemaName, async () => {
    for (const statement of sql) {
      await database.execute(statement, [], ctx);
    }
  });
}

/** Drops the role of a tenant whose schema is gone. One that is not there, as of a tenant older than `roles`, is taken as dropped. */
export async function dropRole(database: TenantDatabase, schemaName: string, ctx: Transaction | undefined): Promise<void> {
  const { roles } = database.options;

  if (roles !== undefined) {
    await database.execute(`drop role if exists ${quoteIdentifier(roleOfTenant(roles, schemaName))}`, [], ctx);
  }
}

/** @throws TenantRoleError `TENANT_ROLE_EXISTS` */
export async function renameRole(database: TenantDatabase, from: string, to: string, ctx: Transaction | undefined): Promise<void> {
  const { roles } = database.options;

  if (roles === undefined) {
    return;
  }

  const [former, role] = [roleOfTenant(roles, from), roleOfTenant(roles, to)];
  const found = await database.execute('select 1 from pg_roles where rolname = ?', [former], ctx);

  if (found.length > 0) {
    await explained(database, to, () =>
      database.execute(`alter role ${quoteIdentifier(former)} rename to ${quoteIdentifier(role)}`, [], ctx),
    );
  }
}

/** The error that tells of a role that is there already, where it is that. */
export function explainRoleError(error: unknown, { options: { roles } }: TenantDatabase, schemaName: string): unknown {
  return roles !== undefined && hasSqlState(error, DUPLICATE_ROLE) ? TenantRoleError.exists(roleOfTenant(roles, schemaName), error) : error;
}

async function explained(database: TenantDatabase, schemaName: string, fn: () => Promise<unknown>): Promise<void> {
  try {
    await fn();
  } catch (error) {
    throw explainRoleError(error, database, schemaName);
  }
}

const ON_TABLES = 'select, insert, update, delete, truncate';

const ON_SEQUENCES = 'usage, select, update';

const DUPLICATE_ROLE = ['42710'] as const;
