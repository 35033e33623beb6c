import type { Transaction } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/postgresql';

/**
 * Calls `fn` when the transaction commits. For a savepoint, that is the outermost transaction. `fn` is not called if the transaction is
 * rolled back, or if it is committed by other code than MikroORM's. What is left to be done after a promise is waited for: the connection is free
 * by then.
 */
export function onCommit(ctx: Transaction, fn: () => unknown): void {
  add(waitingFor, ctx, fn);
}

/** Calls `fn` when the transaction is about to commit, and what it returns when it has, or has not. */
export function aroundCommit(ctx: Transaction, fn: () => () => void): void {
  add(around, ctx, fn);
}

/** Calls `fn` with the error where the commit of the transaction fails. It is not called where the transaction is rolled back. */
export function onFailedCommit(ctx: Transaction, fn: (error: unknown) => void): void {
  add(failing, ctx, fn);
}

function add<Fn>(functions: WeakMap<object, readonly Fn[]>, ctx: Transaction, fn: Fn): void {
  const outermost = outermostOf(ctx);
  functions.set(outermost, [...(functions.get(outermost) ?? []), fn]);
}

/**
 * Watches the commits of a connection, for `onCommit`. Relies on MikroORM 7 starting every savepoint with `begin({ ctx })` and ending every
 * transaction with `commit(ctx)`. A subscriber would not be enough: MikroORM calls none for the connection's own `transactional()`.
 */
export function noticeCommits(connection: AbstractSqlConnection): void {
  const begin = connection.begin.bind(connection);
  const commit = connection.commit.bind(connection);

  connection.begin = options => (options?.ctx === undefined ? begin(options) : beginWithin(options.ctx, begin(options)));

  connection.commit = async (ctx, eventBroadcaster, loggerContext, ...rest) => {
    let hasFailed = true;
    const ends = around.get(ctx)?.map(fn => fn());

    try {
      await commit(ctx, eventBroadcaster, loggerContext, ...rest);
      hasFailed = false;
    } catch (error) {
      // a subscriber may have thrown that was told of it
      if ((ctx as { readonly isCommitted?: boolean }).isCommitted !== true) {
        failing.get(ctx)?.forEach(fn => fn(error));
      }

      throw error;
    } finally {
      ends?.forEach(end => end());
      const { isCommitted = !hasFailed } = ctx as { readonly isCommitted?: boolean };
      const waiting = waitingFor.get(ctx);

      // also where a subscriber has thrown that was told of it
      if (isCommitted && waiting !== undefined) {
        const done = waiting.map(fn => fn());
        waitingFor.delete(ctx);

        // most of it is done at once
        if (done.some(each => each instanceof Promise)) {
          await Promise.all(done);
        }
      }
    }
  };
}

async function beginWithin(outer: Transaction, begin: Promise<Transaction>): Promise<Transaction> {
  const ctx = await begin;
  outermost.set(ctx, outermostOf(outer));

  return ctx;
}

/** Whether a transaction, or the one that a savepoint is in, has been committed or rolled back. Relies on Kysely saying so of its transactions. */
export function hasEnded(ctx: Transaction): boolean {
  const { isCommitted, isRolledBack } = outermostOf(ctx as object) as { readonly isCommitted?: boolean; readonly isRolledBack?: boolean };

  return isCommitted === true || isRolledBack === true;
}

function outermostOf(ctx: object): object {
  return outermost.get(ctx) ?? ctx;
}

const outermost = new WeakMap<object, object>();

const around = new WeakMap<object, readonly (() => () => void)[]>();

const failing = new WeakMap<object, readonly ((error: unknown) => void)[]>();

const waitingFor = new WeakMap<object, readonly (() => unknown)[]>();
