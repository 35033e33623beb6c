import type { Transaction } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/postgresql';

/**
 * Calls `fn` once the transaction is committed, of a savepoint the one around it; never where it is rolled back, nor where somebody else
 * than MikroORM commits it.
 */
export function onCommit(ctx: Transaction, fn: () => void): void {
  const outermost = outermostOf(ctx);
  const waiting = waitingFor.get(outermost) ?? [];
  waitingFor.set(outermost, [...waiting, fn]);
}

/**
 * Has a connection tell of its commits. Relies on MikroORM 7 beginning every savepoint by `begin({ ctx })`, and ending every transaction by
 * `commit(ctx)`: of an EntityManager, and of the connection's own `transactional()`, which no subscriber is told of.
 */
export function noticeCommits(connection: AbstractSqlConnection): void {
  const begin = connection.begin.bind(connection);
  const commit = connection.commit.bind(connection);

  connection.begin = async options => {
    const ctx = await begin(options);

    if (options?.ctx !== undefined) {
      outermost.set(ctx, outermostOf(options.ctx));
    }

    return ctx;
  };

  connection.commit = async (ctx, ...rest) => {
    let hasFailed = true;

    try {
      await commit(ctx, ...rest);
      hasFailed = false;
    } finally {
      const { isCommitted = !hasFailed } = ctx as { readonly isCommitted?: boolean };

      // also where a subscriber has thrown that was told of it
      if (isCommitted) {
        waitingFor.get(ctx)?.forEach(fn => fn());
        waitingFor.delete(ctx);
      }
    }
  };
}

function outermostOf(ctx: object): object {
  return outermost.get(ctx) ?? ctx;
}

const outermost = new WeakMap<object, object>();

const waitingFor = new WeakMap<object, readonly (() => void)[]>();
