import type { Configuration, Platform } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/postgresql';
import { KYSELY_INSTANCE } from '../../tenant/config-check.js';
import { isPglite } from '../../tenant/is-pglite.js';
import { CrossTenantError, PoolerModeError, TenantConfigError, TenantRoleError } from '../../errors/index.js';
import { roleOfTenant, searchPathOf } from '../../postgres/schema-name.js';
import { carriedBy, mayCarryAny, refuseTenants } from '../../scope/carried-tenants.js';
import { readInThisContext } from '../../scope/read-in-scope.js';
import { hasSqlState, refusesTransactions } from '../../postgres/sql-state.js';
import { TenantRules } from '../../scope/tenant-rules.js';
import type { SqlGuard } from './guarded-transaction.js';
import { AS_IT_IS, KEEP, type RequiredSettings } from '../statements/required-settings.js';
import { dumpInTransaction, type Pglite } from './pglite-dump.js';
import { KEPT_PATH, queryOf, SETS, SETS_SESSION } from '../statements/settings-sql.js';
import { checkDialect } from '../check/checked-dialect.js';
import { isDialect, isKysely } from './given-dialects.js';
import { guardDialect } from './guarded-dialect.js';
import type { Dialect, Query } from '../statements/kysely-types.js';
import { gateOf } from '../pool/start-gate.js';
import { withoutGuard, sqlTarget, type SqlTarget } from '../statements/sql-target.js';
import { tagsOf } from '../statements/sql-tags.js';
import { TenantCheck } from '../check/tenant-check.js';
import { TenantLimiter } from '../pool/tenant-limiter.js';
import { builtQuery, carriedByText, isOfNoCompiler } from '../statements/built-queries.js';
import { hasUnqualifiedNames } from '../../postgres/unqualified-names.js';

/**
 * Puts a connection of MikroORM's under guard: every statement with a name that has no schema runs with the path of the scope it is sent
 * in, and, where `roles` says so, every statement as the scope's role.
 *
 * Relies on MikroORM 7 making its Kysely client in `createKysely`, of what `createKyselyDialect` returns or of a dialect in `driverOptions`;
 * and on `applySessionContext` and `executeDump`.
 */
export function guardConnection(
  connection: AbstractSqlConnection,
  config: Configuration,
  { platform, refuseForeign }: { readonly platform: Platform; readonly refuseForeign: RefuseForeign },
): void {
  const open = connection as unknown as OpenConnection;
  const guard = new TenantSqlGuard(config, { log: sql => open.logQuery(sql), refuseForeign });
  const check = new TenantCheck({
    connection: open.type,
    rules: () => TenantRules.of(config),
    targetFor: query => guard.targetFor(query),
  });
  const guarded = (dialect: Dialect, { takesScripts, isShared }: DialectKind): Dialect =>
    guardDialect(
      checkDialect(dialect, check, { takesScripts, log: guard.log, tagOf: () => tagsOf(config, query => guard.targetOf(query)) }),
      guard,
      {
        isShared,
        // `reset all` has taken it away
        isForgotten: config.get('sessionContext') === 'connection',
      },
    );
  const createKysely = open.createKysely.bind(open);
  const createKyselyDialect = open.createKyselyDialect.bind(open);
  const execute = open.execute.bind(open);
  const stream = open.stream.bind(open);
  const applySessionContext = open.applySessionContext.bind(open);
  const executeDump = open.executeDump.bind(open);

  open.createKyselyDialect = overrides => {
    const dialect = createKyselyDialect(overrides);

    const kind: DialectKind = { takesScripts: !isPglite(platform), isShared: !isPglite(platform) };

    return dialect instanceof Promise ? dialect.then(each => guarded(each, kind)) : guarded(dialect, kind);
  };

  open.createKysely = () => {
    const given = open.options.driverOptions ?? (config.get('driverOptions') as unknown);
    const own: unknown = typeof given === 'function' ? given() : given;

    if (isKysely(own)) {
      throw new TenantConfigError([KYSELY_INSTANCE]);
    }

    open.options = { ...open.options, driverOptions: isDialect(own) ? guarded(own, { takesScripts: false, isShared: true }) : own };

    return createKysely();
  };

  // a native query or a fragment has no scope of its own that it would be run in
  open.execute = (query, params, method, ctx, loggerContext, ...rest) => {
    try {
      guard.refuseCarried(query, params);
    } catch (error) {
      return Promise.reject(error);
    }

    return execute(query, params, method, ctx, loggerContext, ...rest);
  };

  // a generator starts at its first read, which may be in another scope or in none
  open.stream = (...args) => {
    guard.refuseCarried(args[0], args[1]);

    return readInThisContext(stream(...args));
  };

  // what the user sets for a transaction is set for all of it
  open.applySessionContext = (...args) => withoutGuard(config, () => applySessionContext(...args));

  // PGlite takes a dump past Kysely
  if (isPglite(platform)) {
    open.executeDump = async dump => {
      await guard.gate();
      // its path is set when a statement is sent
      await (guard.searchPath().length === 0 ? undefined : execute('select 1'));
      const query = queryOf(dump, []);

      await (guard.settingsFor(query, guard.targetFor(query), false) === undefined
        ? executeDump(dump)
        : dumpInTransaction(await open.getNativeClient(), query, guard));
    };
  }
}

class TenantSqlGuard implements SqlGuard {
  notesSessions = false;
  readonly #config: Configuration;
  readonly log: (sql: string) => void;
  readonly #refuseForeign: RefuseForeign;
  #knownRules: TenantRules | undefined;
  #isLimited: boolean | undefined;

  constructor(
    config: Configuration,
    { log, refuseForeign }: { readonly log: (sql: string) => void; readonly refuseForeign: RefuseForeign },
  ) {
    this.#config = config;
    this.log = log;
    this.#refuseForeign = refuseForeign;
  }

  gate(): Promise<void> | undefined {
    return gateOf(this.#config);
  }

  get limiter(): TenantLimiter | undefined {
    const rules = this.#rules;

    return rules !== undefined && (this.#isLimited ??= TenantLimiter.isNeeded(rules)) ? TenantLimiter.of(this.#config) : undefined;
  }

  targetFor(query: Query): SqlTarget {
    const target = this.#targetOf(query.queryId);

    if (isOfNoCompiler(query) && target.kind === 'tenant') {
      refuseTenants(carriedByText(query), target.schemaName);
    }

    return target;
  }

  settingsFor({ sql }: Query, target: SqlTarget, isInTransaction: boolean): RequiredSettings | undefined {
    const { kind } = target;

    if (kind === 'tenant' || kind === 'public') {
      const role = this.#roleOf(target);
      const isRaw = hasUnqualifiedNames(sql);

      if (isRaw && kind === 'tenant' && target.sentBy !== undefined) {
        throw CrossTenantError.keptManager([target.schemaName, target.sentBy]);
      }

      if (!isRaw && role === undefined) {
        return isInTransaction ? AS_IT_IS : undefined;
      }

      return { path: isRaw ? this.#pathOf(target) : undefined, role, kind: isRaw ? 'raw' : 'quiet' };
    }

    if (kind === 'library') {
      const role = this.#roleOf(target);

      return role !== undefined || isInTransaction
        ? { path: undefined, role, kind: isInTransaction && sql.includes(KEPT_PATH) ? 'keeping' : 'quiet' }
        : undefined;
    }

    if (!isInTransaction) {
      this.notesSessions ||= SETS_SESSION.test(sql);

      return undefined;
    }

    // what a scope's SQL in the same transaction puts back has to be found before anything else is set
    return kind === 'none'
      ? { path: undefined, role: undefined, kind: hasUnqualifiedNames(sql) ? 'raw' : 'quiet' }
      : { path: undefined, role: KEEP, kind: SETS.test(sql) ? 'setting' : 'quiet' };
  }

  roleNow(): string | undefined {
    return this.#roleOf(this.#target());
  }

  searchPath(): readonly string[] {
    return this.#rules?.options.searchPath ?? [];
  }

  isSearching(query?: Query): boolean {
    return (query === undefined ? this.#target() : this.#targetOf(query.queryId)).kind !== 'library';
  }

  explain(error: unknown, role: string | undefined): unknown {
    return refusesTransactions(error)
      ? new PoolerModeError(error)
      : role !== undefined && hasSqlState(error, ROLE_NOT_SET)
        ? TenantRoleError.refused(role, error)
        : error;
  }

  /** @throws CrossTenantError for a query, or a value of one, that was built for another tenant than its SQL is for, or holds an entity of one */
  refuseCarried(query: unknown, params: unknown): void {
    // most are of a text, and of values that carry nothing
    if (typeof query === 'string' && (params === undefined || (Array.isArray(params) && !mayCarryAny(params)))) {
      return;
    }

    const carried = carriedBy([query, params]);
    const target = this.#target();

    if (target.kind === 'tenant') {
      refuseTenants(carried, target.schemaName);
      this.#refuseForeign([query, params], target.schemaName);
    }
  }

  /** Whom a statement that was let through is for. */
  targetOf({ queryId }: Pick<Query, 'queryId'>): SqlTarget {
    return builtQuery(queryId)?.target ?? this.#target();
  }

  /** @throws CrossTenantError for a query of Kysely's that was built for another tenant than that of the scope it is sent in */
  #targetOf(queryId: object): SqlTarget {
    const now = this.#target();
    const built = builtQuery(queryId);

    if (built !== undefined && now.kind === 'tenant') {
      refuseTenants(built.tenants, now.schemaName);
    }

    return built?.target ?? now;
  }

  #target(): SqlTarget {
    return this.#rules === undefined ? UNGUARDED : sqlTarget(this.#config);
  }

  // each statement asks several times
  get #rules(): TenantRules | undefined {
    return (this.#knownRules ??= TenantRules.find(this.#config));
  }

  #pathOf(target: SqlTarget): string {
    const { publicSchema, options } = TenantRules.of(this.#config);

    // a temporary table that somebody left on the connection would else be found before all others
    return searchPathOf(...(target.kind === 'tenant' ? [target.schemaName] : []), publicSchema, ...options.searchPath, 'pg_temp');
  }

  #roleOf(target: SqlTarget): string | undefined {
    if (target.kind !== 'tenant' && target.kind !== 'library') {
      return undefined;
    }

    const roles = this.#rules?.options.roles;

    return roles === undefined ? undefined : target.kind === 'tenant' ? roleOfTenant(roles, target.schemaName) : roles.ddl;
  }
}

/** Refuses what holds entities of another tenant than this one. */
type RefuseForeign = (given: readonly unknown[], schemaName: string) => void;

const UNGUARDED: SqlTarget = { kind: 'unguarded' };

/** SQLSTATEs of a role that the login role is no member of, and of one that is not there. */
const ROLE_NOT_SET = ['42501', '22023', '42704'] as const;

interface DialectKind {
  readonly takesScripts: boolean;
  readonly isShared: boolean;
}

/** The parts of MikroORM's connection that are wrapped here, private ones among them. */
interface OpenConnection {
  readonly type: 'read' | 'write';
  options: { readonly driverOptions?: unknown };
  applySessionContext(...args: unknown[]): Promise<void>;
  createKysely(): void | Promise<void>;
  createKyselyDialect(overrides: unknown): Dialect | Promise<Dialect>;
  execute(...args: unknown[]): Promise<unknown>;
  executeDump(dump: string): Promise<void>;
  getNativeClient(): Promise<Pglite>;
  logQuery(sql: string): void;
  stream(...args: unknown[]): AsyncGenerator<unknown>;
}
