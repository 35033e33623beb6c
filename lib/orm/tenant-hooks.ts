import { helper, type Transaction } from '@mikro-orm/core';
import { onCommit } from '../database/on-commit.js';
import type { TenantDatabase } from '../database/tenant-database.js';
import { TenantHookError } from '../errors/index.js';
import { publicScope, scopeOf, tenantScope } from '../scope/make-scope.js';
import type { Scope } from '../scope/scope.js';
import {
  DEFAULT_HOOK_TIMEOUT_MS,
  type CommittedChange,
  type ReportHookEvent,
  type TenantFailure,
  type TenantHooks,
} from '../tenant/hook-options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { enterScope, enterScopeIn, leaveScope } from './mikro-context.js';
import type { TenantEntityManager } from './tenant-entity-manager.js';

type AnyTenant = TenantMixin<unknown>;

/**
 * Calls a hook in the transaction `ctx`: in the tenant's scope, whose row or schema is locked by it, or in the public one.
 *
 * @throws TenantHookError `HOOK_FAILED` or `HOOK_TIMEOUT`. The transaction then has to be rolled back.
 */
export async function callInTransaction<Name extends TransactionHook>(
  database: TenantDatabase,
  name: Name,
  { ctx, ...event }: { readonly ctx: Transaction } & WithoutEm<EventOf<Name>>,
): Promise<void> {
  const hook = database.options.hooks?.[name];

  if (hook !== undefined) {
    const { schemaName, tenant } = event as unknown as WithoutEm<EventOf<'beforeDrop'>>;
    const scope = name === 'beforeCreate' ? publicScope(database.rules) : tenantScope(database.rules, schemaName, tenant ?? { schemaName });
    await enterScopeIn(database.orm.em, { scope, ctx }, em => callWith(database, { name, schemaName, em }, event));
  }
}

/**
 * Calls a hook in the tenant's scope, and in no transaction of the caller's. Does nothing for a name that no tenant has.
 *
 * @throws TenantHookError `HOOK_FAILED` or `HOOK_TIMEOUT`
 */
export async function callInScope(
  database: TenantDatabase,
  name: 'beforeMigrate' | 'afterMigrate',
  event: Omit<EventOf<'beforeMigrate'>, 'em' | 'tenant'>,
): Promise<void> {
  const { schemaName } = event;

  if (database.options.hooks?.[name] === undefined) {
    return;
  }

  await leaveScope(async () => {
    const [found] = await database.tenants.identify(await database.tenants.findAll({ schemaName }));

    if (found !== undefined) {
      const scope: Scope = scopeOf(database.rules, found);
      await enterScope(database.orm.em, scope, em => callWith(database, { name, schemaName, em }, { ...event, tenant: found.row }));
    }
  });
}

/**
 * Calls `beforeReport` where the caller is, which is the public scope.
 *
 * @throws TenantHookError `HOOK_FAILED` or `HOOK_TIMEOUT`
 */
export async function callBeforeReport({ options: { hooks }, publicSchema }: TenantDatabase, event: ReportHookEvent): Promise<void> {
  if (hooks?.beforeReport !== undefined) {
    await limited({ name: 'beforeReport', schemaName: publicSchema }, hooks, async () => hooks.beforeReport?.(event));
  }
}

/** Has `afterCommit` called when the transaction commits, if what was done in it is there then: a savepoint may have been rolled back. */
export function callOnCommit(database: TenantDatabase, ctx: Transaction, change: CommittedChange<AnyTenant>): void {
  const { hooks } = database.options;

  if (hooks?.afterCommit === undefined) {
    return;
  }

  // MikroORM takes the key of an entity that it has deleted
  const key = helper(change.tenant).getPrimaryKeys(true) as readonly unknown[];

  onCommit(ctx, () =>
    leaveScope(async () => {
      const { schemaName } = change;

      try {
        if (await isSo(database, change, key)) {
          await limited({ name: 'afterCommit', schemaName }, hooks, async () => hooks.afterCommit?.(change));
        }
      } catch (error) {
        await reportFailure(database, { operation: 'afterCommit', schemaName, error });
      }
    }),
  );
}

/** Has `onError` told of what fails in a transaction, once that is rolled back. */
export function tellFailures(database: TenantDatabase): void {
  if (database.options.hooks?.onError !== undefined) {
    database.rules.failures.tell = failure => reportFailure(database, failure);
  }
}

/** Tells `onError` of a failure. Without it, one that nobody else is told of is written to the logger. */
export async function reportFailure(database: TenantDatabase, failure: TenantFailure): Promise<void> {
  const { hooks } = database.options;
  const { operation, schemaName, error } = failure;
  const isToldElsewhere = operation !== 'afterCommit' && operation !== 'afterMigrate';

  if (hooks?.onError === undefined) {
    return isToldElsewhere ? undefined : logFailure(database, error);
  }

  try {
    await leaveScope(() => limited({ name: 'onError', schemaName }, hooks, async () => hooks.onError?.(failure)));
  } catch (own) {
    logFailure(database, own);
  }
}

/** Writes a failure that nobody else is told of to the logger. */
export function logFailure({ orm }: TenantDatabase, error: unknown): void {
  orm.config.getLogger().error('info', error instanceof Error ? error.message : String(error), { enabled: true });
}

async function callWith(
  database: TenantDatabase,
  { name, schemaName, em }: { readonly name: EventHook; readonly schemaName: string; readonly em: TenantEntityManager },
  event: object,
): Promise<void> {
  const hooks: TenantHooks = database.options.hooks ?? {};

  await limited({ name, schemaName }, hooks, async isOver => {
    await (hooks[name] as ((event: object) => unknown) | undefined)?.call(hooks, { ...event, em });

    // one that has come too late stores nothing
    if (!isOver()) {
      await em.flush();
    }
  });
}

/** Runs `fn` for so long. It cannot be stopped, and goes on in the background with what it has. */
async function limited(
  { name, schemaName }: { readonly name: string; readonly schemaName: string },
  { timeoutMs = DEFAULT_HOOK_TIMEOUT_MS }: TenantHooks,
  fn: (isOver: () => boolean) => Promise<unknown>,
): Promise<void> {
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isOver = true;
      reject(TenantHookError.timedOut(name, schemaName, timeoutMs));
    }, timeoutMs);
  });

  try {
    await Promise.race([fn(() => isOver), limit]);
  } catch (error) {
    throw isOver ? error : TenantHookError.failed(name, schemaName, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the change is what others see now. To them, one that is deleted softly has no name. */
async function isSo(
  { tenants }: TenantDatabase,
  { kind, schemaName }: CommittedChange<AnyTenant>,
  key: readonly unknown[],
): Promise<boolean> {
  return (await tenants.nameOf(key)) === (kind === 'deleted' || kind === 'deletedSoftly' ? undefined : schemaName);
}

type TransactionHook = 'beforeCreate' | 'afterCreate' | 'beforeDrop' | 'afterRename';

type EventHook = TransactionHook | 'beforeMigrate' | 'afterMigrate';

type EventOf<Name extends EventHook> = Parameters<NonNullable<TenantHooks[Name]>>[0];

type WithoutEm<Event> = Omit<Event, 'em'>;
