import type { BasePostgreSqlEntityManager } from '@mikro-orm/postgresql';
import { show } from '../errors/tenant-error.js';
import type { TenantMixin } from './tenant-mixin.js';

/**
 * Functions of yours that the library calls when it creates, migrates, renames or drops tenants. Each one is awaited, has a limit of time, and is
 * in the scope that it is about: the global `em` is `em` of the event. What a hook has persisted with that `em` is flushed when it ends.
 */
export interface TenantHooks<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> {
  /**
   * In the transaction that creates the tenant, in the public scope. The row is stored, and the schema is not there yet. `by` says what creates it. If it
   * throws, nothing is created. Not called for a schema that is created later, when `tenants().provision()` calls it, nor with `adoptSchema`.
   */
  beforeCreate?(event: CreateHookEvent<Tenant>): unknown;

  /**
   * In the same transaction, in the tenant's scope. The tables are there: this is the place for the rows that each tenant begins with. A clone, an import and
   * an adopted schema have their rows already, so look at `by`. If it throws, nothing is created.
   */
  afterCreate?(event: CreateHookEvent<Tenant>): unknown;

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
   * dropped. `tenant` is undefined where only the schema is known. Called for a soft deletion too, with `soft`, and then not for its purge.
   */
  beforeDrop?(event: DropHookEvent<Tenant>): unknown;

  /** In the transaction that renames a tenant's schema, after it is renamed, in the tenant's scope. If it throws, nothing is renamed. */
  afterRename?(event: RenameHookEvent<Tenant>): unknown;

  /**
   * Before a report across tenants reads its first row, in the public scope. If it throws, the report reads nothing, and fails. Here is the place for a log of
   * who has read what, and why.
   */
  beforeReport?(event: ReportHookEvent): unknown;

  /**
   * When creating, migrating, renaming or dropping has failed, or the commit of it, or a hook that can undo nothing. Its transaction is rolled back,
   * unless the caller had begun it. In no scope. What it throws itself is written to the logger of MikroORM, and changes nothing.
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

/** What creates a tenant: `tenants().create()` and a flush, or another method of that name. `extract` where it makes the schema. */
export type CreatedBy = 'create' | 'clone' | 'import' | 'adopt' | 'extract';

export interface CreateHookEvent<Tenant = TenantMixin<unknown>> extends TenantHookEvent<Tenant> {
  readonly by: CreatedBy;
  /** The schema name of the tenant that a clone is a copy of. */
  readonly from?: string;
}

/** A report across tenants, as `acrossTenants()` was asked for it. */
export interface ReportHookEvent {
  readonly reason: string;
  /** The name of the entity. */
  readonly entity: string;
  /** The tenants whose rows are read. */
  readonly schemaNames: readonly string[];
}

export interface MigrateHookEvent<Tenant = TenantMixin<unknown>> extends TenantHookEvent<Tenant> {
  readonly direction: 'up' | 'down';
  /** The names of the migrations: before, those that are planned, and after, those that ran. */
  readonly migrations: readonly string[];
}

export interface RenameHookEvent<Tenant = TenantMixin<unknown>> extends Omit<DropHookEvent<Tenant>, 'soft'> {
  /** The former name. `schemaName` is the new one. */
  readonly from: string;
}

export interface DropHookEvent<Tenant = TenantMixin<unknown>> {
  readonly schemaName: string;
  readonly tenant: Tenant | undefined;
  readonly em: HookEntityManager;
  /** Whether it is a soft deletion, which `tenants().restore()` undoes. */
  readonly soft?: boolean;
}

/** A change of a tenant that is committed. */
export interface CommittedChange<Tenant = TenantMixin<unknown>> {
  /** `deletedSoftly` and `restored` are of tenants whose data is there. One that is purged later is `deleted` then, under its id. */
  readonly kind: 'created' | 'renamed' | 'deleted' | 'deletedSoftly' | 'restored';
  readonly schemaName: string;
  /** The former name of one that was renamed. */
  readonly from?: string;
  /** What created it, of one that was created. */
  readonly by?: CreatedBy;
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
  'beforeReport',
  'onError',
] satisfies (keyof TenantHooks)[];
