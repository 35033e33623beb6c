import { createRequire } from 'node:module';
import { setImmediate } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { AbstractSqlConnection } from '@mikro-orm/sql';
import type pg from 'pg';
import { until } from './until.ts';

/**
 * Waits until no ORM of this process waits for an answer or for a connection. Failed work may leave a statement running, such as the other half
 * of `findAndCount`, which would appear in the log of the next work.
 */
export async function workDone(): Promise<void> {
  try {
    await until('no statement is under way', isQuiet);
  } catch (cause) {
    throw new Error(`Still under way: ${[...underWay.values()].join('; ')}`, { cause });
  }
}

// no spec may begin while work of the previous one is running
export const mochaHooks = { afterEach: workDone };

// an answer may cause another statement, a few turns of the event loop later
async function isQuiet(): Promise<boolean> {
  for (let turn = 0; turn < 5; turn++) {
    if (underWay.size > 0) {
      return false;
    }

    await setImmediate();
  }

  return true;
}

/** The statement of each call that is not answered yet. */
const underWay = new Map<object, string>();

type Methods = Record<string, (this: any, ...args: unknown[]) => unknown>;

function follow(prototype: object, name: string, isFollowed: (self: any) => boolean = () => true): void {
  const methods = prototype as Methods;
  const method = methods[name]!;
  methods[name] = function (...args) {
    const answer = method.apply(this, args);

    if (isFollowed(this) && answer instanceof Promise) {
      const [sent] = args as [string | { readonly text?: string } | undefined];
      void noteUntilAnswered(typeof sent === 'string' ? sent : (sent?.text ?? name), answer);
    }

    return answer;
  };
}

async function noteUntilAnswered(statement: string, answer: Promise<unknown>): Promise<void> {
  const call = {};
  underWay.set(call, statement);

  try {
    await answer;
  } catch {
    // whoever has made the call is told
  } finally {
    underWay.delete(call);
  }
}

for (const name of ['execute', 'begin', 'commit', 'rollback']) {
  follow(AbstractSqlConnection.prototype, name);
}

// MikroORM brings a `pg` of its own; a client that no pool has lent is a spec's
const { Client } = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/postgresql'))('pg') as typeof pg;
follow(Client.prototype, 'query', ({ release }) => release !== undefined);

for (const name of ['query', 'exec', 'transaction']) {
  follow(PGlite.prototype, name);
}
