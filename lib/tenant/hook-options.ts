import type { BasePostgreSqlEntityManager } from '@mikro-orm/postgresql';
import { show } from '../errors/tenant-error.js';
import type { TenantMixin } from './tenant-mixin.js';

/**
 * Functions of yours that the library calls when it creates, migrates, renames or drops tenants. Each one is awaited, has a limit of time, and is
 * in the scope that it is about: the global `em` is `em` of the event. What a hook has persisted with that `em` is flushed when it ends.
 */
export interface TenantHooks<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  /**
   * In the transaction that creates the tenant, in the public scope. The row is stored, and the schema is not there yet. If it throws, nothing is
   * created. Not called for a schema that is adopted, or created later: then `tenants().provision()` calls it.
   */
  beforeCreate?(event: TenantHookEvent<Tenant>): unknown;

  /**
   * In the same transaction, in the tenant's scope. The tables are there: this is the place for the rows that each tenant begins with. If it
   * throws, nothing is created.
   */
  afterCreate?(event: TenantHookEvent<Tenant>): unknown;

  /**
   * After the transaction that created, renamed or deleted a tenant is committed, in no scope and no transaction. It is awaited before the caller
   * goes on. It cannot undo anything: what it throws goes to `onError`. A process that ends before it has run does not run it later, so
   * what must happen belongs into a job that `afterCreate` queues in the transaction.
   */
  afterCommit?(change: CommittedChange<Tenant>): unknown;

  /**
   * Before a run migrates or reverts a tenant, in the tenant's scope, and outside of the transaction that migrates it. If it throws, this tenant is
   * not migrated, and is reported as failed. Another run may migrate the tenant before this one does. Not called when a tenant is created.
   */
  beforeMigrate?(event: MigrateHookEvent<Tenant>): unknown;

  /**
   * After a run has migrated or reverted a tenant, in the tenant's scope and after the commit. What it throws goes to `onError`: the tenant stays
   * migrated. If the server crashes during a run and loses the migration, it is migrated again, and this is called again.
   */
  afterMigrate?(event: MigrateHookEvent<Tenant>): unknown;

  /**
   * In the transaction that drops a schema, before it is dropped, in the tenant's scope: its rows can still be read. If it throws, nothing is
   * dropped. `tenant` is undefined where only the schema is known.
   */
  beforeDrop?(event: DropHookEvent<Tenant>): unknown;

  /** In the transaction that renames a tenant's schema, after it is renamed, in the tenant's scope. If it throws, nothing is renamed. */
  afterRename?(event: RenameHookEvent<Tenant>): unknown;

  /**
   * When creating, migrating, renaming or dropping has failed, or a hook that can undo nothing. Its transaction is rolled back, unless the
   * caller had begun it. In no scope. What it throws itself is written to the logger of MikroORM, and changes nothing.
   */
  onError?(failure: TenantFailure): unknown;

  /**
   * How long a hook may take, in milliseconds. Then it counts as failed (`HOOK_TIMEOUT`), and its transaction is rolled back when the statement
   * that it has under way ends. Its later statements in that transaction fail.
   *
   * @default 10_000
   */
  readonly timeoutMs?: number;
}

/** The EntityManager of a hook. */
export type HookEntityManager = BasePostgreSqlEntityManager;

export interface TenantHookEvent<Tenant = TenantMixin<unknown>> {
  readonly schemaName: string;
  readonly tenant: Tenant;
  readonly em: HookEntityManager;
}

export interface MigrateHookEvent<Tenant = TenantMixin<unknown>> extends TenantHookEvent<Tenant> {
  readonly direction: 'up' | 'down';
  /** The names of the migrations: before, those that are planned, and after, those that ran. */
  readonly migrations: readonly string[];
}

export interface RenameHookEvent<Tenant = TenantMixin<unknown>> extends DropHookEvent<Tenant> {
  /** The former name. `schemaName` is the new one. */
  readonly from: string;
}

export interface DropHookEvent<Tenant = TenantMixin<unknown>> {
  readonly schemaName: string;
  readonly tenant: Tenant | undefined;
  readonly em: HookEntityManager;
}

/** A change of a tenant that is committed. */
export interface CommittedChange<Tenant = TenantMixin<unknown>> {
  readonly kind: 'created' | 'renamed' | 'deleted';
  readonly schemaName: string;
  /** The former name of one that was renamed. */
  readonly from?: string;
  readonly tenant: Tenant;
}

/** What has failed. */
export interface TenantFailure {
  readonly operation: TenantOperation | 'afterCommit' | 'afterMigrate';
  readonly schemaName: string;
  readonly error: unknown;
}

/** What the library does with a tenant as a whole. */
export type TenantOperation = 'create' | 'migrate' | 'rename' | 'drop';

export const DEFAULT_HOOK_TIMEOUT_MS = 10_000;

/** Returns every problem of the `hooks` option. A name that is written wrong would never be called. */
export function hookProblems(hooks: unknown): string[] {
  if (hooks === undefined) {
    return [];
  }

  if (typeof hooks !== 'object' || hooks === null) {
    return [`\`hooks\` is ${show(hooks)}, but must be an object such as \`{ afterCreate: async ({ em }) => … }\`.`];
  }

  return namesIn(hooks).flatMap(name => {
    const value: unknown = (hooks as Record<string, unknown>)[name];

    if (name === 'timeoutMs') {
      return value === undefined || (Number.isInteger(value) && Number(value) > 0)
        ? []
        : [`\`hooks.timeoutMs\` is ${show(value)}, but must be a whole number above zero.`];
    }

    if (!HOOKS.includes(name)) {
      return [`\`hooks.${name}\` is no hook. There are ${HOOKS.map(each => `\`${each}\``).join(', ')}.`];
    }

    return value === undefined || typeof value === 'function' ? [] : [`\`hooks.${name}\` is ${show(value)}, but must be a function.`];
  });
}

/** Hooks may be an object of a class too. */
function namesIn(hooks: object): string[] {
  return Object.keys(hooks);
}

const HOOKS: readonly string[] = [
  'beforeCreate',
  'afterCreate',
  'afterCommit',
  'beforeMigrate',
  'afterMigrate',
  'beforeDrop',
  'afterRename',
  'onError',
] satisfies (keyof TenantHooks)[];
