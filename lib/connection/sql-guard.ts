import type { Configuration } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/sql';
import { KYSELY_INSTANCE } from '../tenant/config-check.js';
import { TenantConfigError, TenantRoleError } from '../errors/index.js';
import { roleOfTenant, searchPathOf } from '../postgres/schema-name.js';
import { readThere } from '../scope/read-in-scope.js';
import { hasSqlState } from '../postgres/sql-state.js';
import { TenantRules } from '../scope/tenant-rules.js';
import type { SqlGuard, Wanted } from './guarded-connection.js';
import { checkDialect } from './checked-dialect.js';
import { guardDialect } from './guarded-dialect.js';
import type { Dialect, Query } from './kysely-types.js';
import { withoutGuard, sqlTarget, type SqlTarget } from './sql-target.js';
import { TenantCheck } from './tenant-check.js';
import type { TenantIdentity, TenantRef } from '../scope/tenant-identity.js';
import { hasUnqualifiedNames } from '../postgres/unqualified-names.js';

/**
 * Puts a connection of MikroORM's under guard: every statement with a name that has no schema runs with the path of the scope it is sent
 * in, and, where `roles` says so, every statement as the scope's role.
 *
 * Relies on MikroORM 7 making its Kysely client in `createKysely`, of what `createKyselyDialect` returns or of a dialect in `driverOptions`;
 * and on `applySessionContext` and `executeDump`.
 */
export function guardConnection(connection: AbstractSqlConnection, config: Configuration): void {
  const open = connection as unknown as OpenConnection;
  const guard = new TenantSqlGuard(config, sql => open.logQuery(sql));
  const check = new TenantCheck({
    connection: open.type,
    rules: () => TenantRules.of(config),
    tenantOf: query => guard.identityOf(query),
  });
  const isPglite = config.get('driver')?.name.startsWith('Pglite') === true;
  const guarded = (dialect: Dialect, takesScripts: boolean): Dialect =>
    guardDialect(checkDialect(dialect, check, { takesScripts, log: guard.log }), guard);
  const createKysely = open.createKysely.bind(open);
  const createKyselyDialect = open.createKyselyDialect.bind(open);
  const stream = open.stream.bind(open);
  const applySessionContext = open.applySessionContext.bind(open);
  const executeDump = open.executeDump.bind(open);

  open.createKyselyDialect = overrides => {
    const dialect = createKyselyDialect(overrides);

    return dialect instanceof Promise ? dialect.then(each => guarded(each, !isPglite)) : guarded(dialect, !isPglite);
  };

  open.createKysely = () => {
    const given = open.options.driverOptions ?? (config.get('driverOptions') as unknown);
    const own: unknown = typeof given === 'function' ? given() : given;

    if (isKysely(own)) {
      throw new TenantConfigError([KYSELY_INSTANCE]);
    }

    open.options = { ...open.options, driverOptions: isDialect(own) ? guarded(own, false) : own };

    return createKysely();
  };

  // a generator starts at its first read, which may be in another scope or in none
  open.stream = (...args) => readThere(stream(...args));

  // what the user sets for a transaction is set for all of it
  open.applySessionContext = (...args) => withoutGuard(config, () => applySessionContext(...args));

  // PGlite takes a dump past Kysely
  if (isPglite) {
    open.executeDump = async dump => {
      const settings = guard.settingsFor(dump);

      if (settings === undefined) {
        return executeDump(dump);
      }

      try {
        await executeDump(`begin; ${settings.set}; ${dump}\n; ${settings.reset}; commit`);
      } catch (error) {
        await executeDump('rollback');
        throw error;
      }
    };
  }
}

/** Says for whom a query of Kysely's is, whose builder may have been made in another scope than it is run in. */
export function forTenantsKysely(queryId: object, tenant: TenantRef | undefined): void {
  if (tenant !== undefined) {
    targetOfQuery.set(queryId, { kind: 'tenant', ...tenant });
  }
}

class TenantSqlGuard implements SqlGuard {
  readonly #config: Configuration;
  readonly log: (sql: string) => void;

  constructor(config: Configuration, log: (sql: string) => void) {
    this.#config = config;
    this.log = log;
  }

  wanted({ sql, queryId }: Query, roleOfTransaction: string | undefined): Wanted | undefined {
    const target = targetOfQuery.get(queryId) ?? this.#target();

    if (target.kind === 'unguarded') {
      return undefined;
    }

    const role = this.#roleOf(target);
    const path = this.#pathOf(target, sql);

    return path === undefined && role === roleOfTransaction
      ? undefined
      : { path, role: role === roleOfTransaction ? undefined : (role ?? 'none') };
  }

  /** Which tenant the query is for, where that is known. */
  identityOf({ queryId }: Query): TenantIdentity | undefined {
    const target = targetOfQuery.get(queryId) ?? this.#target();

    return target.kind === 'tenant' ? target.identity : undefined;
  }

  roleNow(): string | undefined {
    return this.#roleOf(this.#target());
  }

  explain(error: unknown, role: string | undefined): unknown {
    return role !== undefined && hasSqlState(error, ROLE_NOT_SET) ? TenantRoleError.refused(role, error) : error;
  }

  /** The same as statements, for what cannot be run between two of ours. */
  settingsFor(sql: string): { readonly set: string; readonly reset: string } | undefined {
    const target = this.#target();
    const platform = this.#config.getPlatform();
    const role = this.#roleOf(target);
    const path = target.kind === 'unguarded' ? undefined : this.#pathOf(target, sql);
    const settings = [
      ...(path === undefined ? [] : [['search_path', path] as const]),
      ...(role === undefined ? [] : [['role', role] as const]),
    ];

    return settings.length === 0
      ? undefined
      : {
          set: settings
            .map(
              ([name, value]) =>
                `select set_config('landlord.${name}', current_setting('${name}'), true), set_config('${name}', ${platform.quoteValue(value)}, true)`,
            )
            .join('; '),
          reset: settings
            .map(([name]) => `select pg_catalog.set_config('${name}', pg_catalog.current_setting('landlord.${name}'), false)`)
            .join('; '),
        };
  }

  #target(): SqlTarget {
    return TenantRules.find(this.#config) === undefined ? UNGUARDED : sqlTarget(this.#config);
  }

  #pathOf(target: SqlTarget, sql: string): string | undefined {
    if ((target.kind !== 'tenant' && target.kind !== 'public') || !hasUnqualifiedNames(sql)) {
      return undefined;
    }

    const { publicSchema, options } = TenantRules.of(this.#config);

    // a temporary table that somebody left on the connection would else be found before all others
    return searchPathOf(...(target.kind === 'tenant' ? [target.schemaName] : []), publicSchema, ...options.searchPath, 'pg_temp');
  }

  #roleOf(target: SqlTarget): string | undefined {
    const { roles } = TenantRules.of(this.#config).options;

    return roles === undefined
      ? undefined
      : target.kind === 'tenant'
        ? roleOfTenant(roles, target.schemaName)
        : target.kind === 'library'
          ? roles.ddl
          : undefined;
  }
}

function isDialect(value: unknown): value is Dialect {
  return typeof value === 'object' && value !== null && 'createDriver' in value;
}

function isKysely(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getExecutor' in value;
}

const targetOfQuery = new WeakMap<object, SqlTarget>();

const UNGUARDED: SqlTarget = { kind: 'unguarded' };

/** SQLSTATEs of a role that the login role is no member of, and of one that is not there. */
const ROLE_NOT_SET = ['42501', '22023', '42704'] as const;

/** The parts of MikroORM's connection that are wrapped here, private ones among them. */
interface OpenConnection {
  readonly type: 'read' | 'write';
  options: { readonly driverOptions?: unknown };
  applySessionContext(...args: unknown[]): Promise<void>;
  createKysely(): void | Promise<void>;
  createKyselyDialect(overrides: unknown): Dialect | Promise<Dialect>;
  executeDump(dump: string): Promise<void>;
  logQuery(sql: string): void;
  stream(...args: unknown[]): AsyncGenerator<unknown>;
}
