import type { Transaction } from '@mikro-orm/core';
import { TenantRoleError } from '../errors/index.js';
import { quoteIdentifier, roleOfTenant } from '../postgres/schema-name.js';
import { hasSqlState } from '../postgres/sql-state.js';
import type { TenantDatabase } from '../database/tenant-database.js';

/**
 * The statements that create a tenant's role, if `roles` is set. Run them after the schema is created and before it has tables. Tables of
 * later migrations get their privileges by default privileges. These apply only to objects created by the role that runs these statements.
 */
export async function createRoleSql(database: TenantDatabase, schemaName: string, ctx: Transaction | undefined): Promise<string[]> {
  const { roles } = database.options;

  if (roles === undefined) {
    return [];
  }

  const role = quoteIdentifier(roleOfTenant(roles, schemaName));
  const schema = quoteIdentifier(schemaName);

  return [
    // Citus sends the statements of a role to the nodes as that role
    `create role ${role} ${(await database.engine.citus(ctx)) === undefined ? 'nologin' : 'login'}`,
    `grant ${role} to session_user`,
    ...(roles.shared === undefined ? [] : [`grant ${quoteIdentifier(roles.shared)} to ${role}`]),
    `grant usage on schema ${schema} to ${role}`,
    ...defaultPrivilegesSql({ role, schema }),
  ];
}

/** The statements by which a tenant's role gets its privileges on what is added to its schema later. Both names are quoted. */
function defaultPrivilegesSql({ role, schema }: { readonly role: string; readonly schema: string }): string[] {
  return [
    `alter default privileges in schema ${schema} grant ${TABLE_PRIVILEGES} on tables to ${role}`,
    `alter default privileges in schema ${schema} grant ${SEQUENCE_PRIVILEGES} on sequences to ${role}`,
  ];
}

/**
 * Creates the role of a tenant whose schema already exists.
 *
 * @throws TenantRoleError `TENANT_ROLE_EXISTS`
 */
export async function createRole(database: TenantDatabase, schemaName: string, ctx: Transaction): Promise<void> {
  const sql = [...(await createRoleSql(database, schemaName, ctx)), ...grantSql(database, schemaName)];

  await withRoleErrors(database, schemaName, async () => {
    for (const statement of sql) {
      await database.execute(statement, [], ctx);
    }
  });
}

/** The statements that give a tenant's role its privileges in a schema that has its tables already. */
export function grantSql({ options: { roles } }: TenantDatabase, schemaName: string): string[] {
  if (roles === undefined) {
    return [];
  }

  const [role, schema] = [quoteIdentifier(roleOfTenant(roles, schemaName)), quoteIdentifier(schemaName)];

  return [
    `grant usage on schema ${schema} to ${role}`,
    `grant ${TABLE_PRIVILEGES} on all tables in schema ${schema} to ${role}`,
    `grant ${SEQUENCE_PRIVILEGES} on all sequences in schema ${schema} to ${role}`,
  ];
}

/** The same, and those by which it gets its privileges on what is added later. */
export function allGrantsSql(database: TenantDatabase, schemaName: string): string[] {
  const { roles } = database.options;

  return roles === undefined
    ? []
    : [
        ...grantSql(database, schemaName),
        ...defaultPrivilegesSql({ role: quoteIdentifier(roleOfTenant(roles, schemaName)), schema: quoteIdentifier(schemaName) }),
      ];
}

/** Drops the role of a tenant after its schema. The role may be missing, because the tenant may be older than the option `roles`. */
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
    await withRoleErrors(database, to, () =>
      database.execute(`alter role ${quoteIdentifier(former)} rename to ${quoteIdentifier(role)}`, [], ctx),
    );
  }
}

/** Returns a `TenantRoleError` if the error is about a role that already exists, and the error itself otherwise. */
export function explainRoleError(error: unknown, { options: { roles } }: TenantDatabase, schemaName: string): unknown {
  return roles !== undefined && hasSqlState(error, DUPLICATE_ROLE) ? TenantRoleError.exists(roleOfTenant(roles, schemaName), error) : error;
}

/** Runs `fn` and translates an error about an existing role. */
async function withRoleErrors(database: TenantDatabase, schemaName: string, fn: () => Promise<unknown>): Promise<void> {
  try {
    await fn();
  } catch (error) {
    throw explainRoleError(error, database, schemaName);
  }
}

const TABLE_PRIVILEGES = 'select, insert, update, delete, truncate';

const SEQUENCE_PRIVILEGES = 'usage, select, update';

const DUPLICATE_ROLE = ['42710'] as const;
