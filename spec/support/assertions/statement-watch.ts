import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { PGlite } from '@electric-sql/pglite';
import type pg from 'pg';
import { AbstractSqlConnection } from '@mikro-orm/sql';
import { isFilledIn, valuesIn } from './statement-rule.ts';

/**
 * One for the process, whose hooks mocha knows: a spec that is loaded as an ECMAScript module has another copy of this file, and of MikroORM, than one
 * that is loaded as CommonJS.
 */
const shared = ((globalThis as Record<symbol, unknown>)[Symbol.for('landlord/statement-watch')] ??= {
  offences: [],
  spec: '',
  judged: new Map(),
  filled: new Map(),
  observing: new AsyncLocalStorage(),
  watched: new WeakSet(),
}) as Shared;

/** The statements in which a value stood, of every ORM of this process. Empty at the end, or the run fails. */
export const { offences } = shared;

const { judged, filled, observing } = shared;

/** Runs what a spec does past every ORM, whose SQL is its own. */
export function asObserver<Result>(fn: () => Result): Result {
  return observing.run(true, fn);
}

/** Looks at a statement, and remembers it if a value stands in it. */
function watch(statement: unknown): void {
  if (typeof statement !== 'string' || observing.getStore() === true) {
    return;
  }

  let values = judged.get(statement);

  if (values === undefined) {
    values = valuesIn(statement);
    judged.set(statement, values);
  }

  if (values.length > 0) {
    offences.push({ spec: shared.spec, statement, values });
  }
}

export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    shared.spec = this.currentTest?.fullTitle() ?? '';
  },

  afterAll(): void {
    // a process of a parallel run goes on with another file
    const all = offences.splice(0);
    judged.clear();
    filled.clear();
    const told = all
      .slice(0, 20)
      .map(offence => `${offence.values.join(', ')} in ${offence.statement.slice(0, 500)}\n    (${offence.spec})`);

    if (told.length > 0) {
      throw new Error(
        `N1: ${all.length} statements of this run hold a value, where a parameter belongs. SQL that a spec writes itself is told by standing in the spec as it is sent; ` +
          `other than by a spec's ORM it is sent by \`database.query()\`.\n  ${told.join('\n  ')}`,
      );
    }
  },
};

interface Shared {
  readonly offences: { readonly spec: string; readonly statement: string; readonly values: readonly string[] }[];
  spec: string;
  readonly judged: Map<string, readonly string[]>;
  /** What MikroORM has filled in and is about to send. */
  readonly filled: Map<string, number>;
  readonly observing: AsyncLocalStorage<boolean>;
  /** The prototypes of which the methods are watched already. */
  readonly watched: WeakSet<object>;
}

type Queryable = { query: (this: any, ...args: unknown[]) => unknown };

interface Prepared {
  readonly query: string;
  readonly params: readonly unknown[];
  readonly formatted: string;
}

/** Changes the methods of what no other copy of this file has changed. */
function once<Methods extends object>(methods: Methods, change: (methods: Methods) => void): void {
  if (!shared.watched.has(methods)) {
    shared.watched.add(methods);
    change(methods);
  }
}

// MikroORM 7 puts the values into the text itself, so what has to hold none is what it puts them into
once(AbstractSqlConnection.prototype as unknown as { prepareQuery: (this: any, ...args: unknown[]) => Prepared }, connection => {
  const { prepareQuery } = connection;
  connection.prepareQuery = function (...args) {
    const prepared = prepareQuery.apply(this, args);
    watch(prepared.query);
    filled.set(prepared.formatted, (filled.get(prepared.formatted) ?? 0) + 1);

    if (observing.getStore() !== true && !isFilledIn(prepared.query, prepared.params, prepared.formatted)) {
      offences.push({ spec: shared.spec, statement: prepared.formatted, values: [`more than was to be filled into ${prepared.query}`] });
    }

    return prepared;
  };
});

/** What the library appends to a lone write, to be sent in one message with it. */
const CHECK = /\n; select where pg_catalog\.int4eq\(.*\)(?: \/\* first [\w-]+ \*\/)?$/;

/** What the kit for tests appends to a statement outside of a transaction. */
const SAVEPOINT = /\n;release savepoint (?:landlord_test;savepoint landlord_test|landlord_test_\d+)$/;

/** What the kit for tests begins a test's transaction with, in one message with the first statement. */
const OPENING = /^begin;select pg_catalog\.current_setting\('search_path', true\) as s0, [^;]*;savepoint landlord_test;/;

/** The comment of the option `sqlTags`. */
const TAG = /[ \n]\/\*[\w.~%-]+='[\w.~%-]*'(?:,[\w.~%-]+='[\w.~%-]*')*\*\/(?=$|\n; | *\n? \/\* (?:first|second|third) )/;

/** What raw SQL is sent with in one message, before and after it. */
const BEFORE_RAW =
  /^(?:select pg_catalog\.current_setting\('search_path'\) as path, [^;]*; )?select where pg_catalog\.concat\(pg_catalog\.set_config\('landlord\.path_before', [^;]*?, true\)\) is null; /;

const AFTER_RAW =
  /\n; (?:with now as materialized [^;]*? )?select (?:from now )?where pg_catalog\.concat\(case when [^;]* \/\* (?:second|third) [\w-]+ \*\/$/;

/** The role that a statement is sent with in one message, and the mark of such a message. */
const ROLE = /^set local role "(?:[^"]|"")+"; /;

const MARK = /\n \/\* first [\w-]+ \*\/$/;

function watchSent(sent: unknown): void {
  const statement =
    typeof sent === 'string'
      ? [OPENING, SAVEPOINT, TAG, AFTER_RAW, CHECK, BEFORE_RAW, ROLE, MARK].reduce((sql, own) => sql.replace(own, ''), sent)
      : sent;
  const waiting = filled.get(statement as string) ?? 0;

  if (waiting === 0) {
    watch(statement);
  } else if (waiting === 1) {
    filled.delete(statement as string);
  } else {
    filled.set(statement as string, waiting - 1);
  }
}

// MikroORM brings a `pg` of its own; the specs are loaded as CommonJS, which has no `import.meta.resolve`
const { Client } = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/postgresql'))('pg') as typeof pg;

// whatever else is sent: Kysely's, dumps, transactions. Only what a pool has lent: a client that a spec has made speaks for the spec
once(Client.prototype as unknown as Queryable, client => {
  const { query } = client;
  client.query = function (this: { release?: unknown }, ...args) {
    if (this.release !== undefined) {
      const [given] = args as [string | { text?: string; cursor?: { text?: string } }];
      watchSent(typeof given === 'string' ? given : (given?.text ?? given?.cursor?.text));
    }

    return query.apply(this as never, args);
  };
});

once(PGlite.prototype as unknown as Lite, lite => {
  const { query, exec, transaction } = lite;
  lite.query = function (...args) {
    watchSent(args[0]);

    return query.apply(this, args);
  };
  lite.exec = function (...args) {
    watchSent(args[0]);

    return exec.apply(this, args);
  };
  lite.transaction = function (fn) {
    return transaction.call(this, tx => {
      const own = tx.query;
      tx.query = function (...args) {
        watchSent(args[0]);

        return own.apply(this, args);
      };

      return fn(tx);
    });
  };
});

interface Lite extends Queryable {
  exec: Queryable['query'];
  transaction: (this: any, fn: (tx: Queryable) => unknown) => unknown;
}
