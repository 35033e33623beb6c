import { TenantChangedError } from '../../errors/index.js';
import type { Confirmations, Moment } from '../../scope/tenant-identities.js';
import { isNobody, type TenantIdentity } from '../../scope/tenant-identity.js';
import type { TenantRules } from '../../scope/tenant-rules.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import { NOT_THERE, SCHEMA_NOW } from './schema-check-sql.js';
import { schemasGranted } from '../statements/statement-kinds.js';
import type { Driver, Query } from '../statements/kysely-types.js';
import { isOwnQuery, queryOf } from '../statements/settings-sql.js';
import type { SqlTarget } from '../statements/sql-target.js';

/**
 * Holds the statements of one of MikroORM's connections to the tenant that they are for, which another one may have taken the name of
 * since. What was told of changes, or was asked a moment ago, is known without the database; else one statement asks it.
 */
export class TenantCheck {
  readonly #options: TenantCheckOptions;
  #confirmations: Confirmations | undefined;
  #knownRules: TenantRules | undefined;

  constructor(options: TenantCheckOptions) {
    this.#options = options;
  }

  /**
   * The tenant that the statement is for, if it is for one that is known. Throws if its name is another one's. What the statement is for is
   * asked, unless that was done for it just now.
   */
  tenantOf(query: Query, knownTarget?: SqlTarget): TenantIdentity | undefined {
    // what comes with one that is checked
    if (isOwnQuery(query)) {
      return undefined;
    }

    const target = knownTarget ?? this.#options.targetFor(query);
    const identity = target.kind === 'tenant' ? target.identity : undefined;

    if (identity !== undefined && (isNobody(identity) || this.#rules().identities.hasEnded(identity))) {
      throw new TenantChangedError(identity.schemaName);
    }

    return identity;
  }

  isTrusted(identity: TenantIdentity): boolean {
    return this.#confirmed().isTrusted(identity);
  }

  /** When the database has last said that the tenant has its name. */
  latest(identity: TenantIdentity): Moment | undefined {
    return this.#confirmed().latest(identity);
  }

  /** Whether the tenant may have changed since then, as far as this process knows. */
  hasChangedSince(identity: TenantIdentity, moment: Moment | undefined): boolean {
    return this.#confirmed().hasChangedSince(identity, moment);
  }

  /** The mark that the tenant's schema must have at the end of work that began then. None where a change would have been told, and none was. */
  markSince(identity: TenantIdentity, moment: Moment | undefined): string | undefined {
    return this.#confirmed().markSince(identity, moment);
  }

  /** Resolves when this process is not changing the tenant. */
  changed(identity: TenantIdentity): Promise<unknown> {
    return this.#confirmed().changed(identity);
  }

  /**
   * Asks the database whether the tenant's name is still its schema's, by `send`. It is asked of the catalog alone, which nobody locks, and
   * which every role may read.
   */
  async confirm(identity: TenantIdentity, send: Send, { isInTransaction, cause }: Circumstances): Promise<void> {
    const askedAt = this.#confirmed().now();
    const { isIt, mark } = await askFor(identity, send);

    if (isIt) {
      this.#confirmed().confirm(identity, askedAt, mark);
      return;
    }

    // a transaction may see what nobody else will
    if (!isInTransaction) {
      this.#rules().identities.end(identity);
    }

    throw new TenantChangedError(identity.schemaName, cause === undefined ? {} : { cause });
  }

  /** Whether the tenant had lost its name since then, and has it again. Throws if it is another one's now. */
  async hasLostName(identity: TenantIdentity, before: Moment | undefined, cause: unknown, send: Send): Promise<boolean> {
    try {
      await this.confirm(identity, send, { isInTransaction: false, cause });
    } catch (error) {
      if (error instanceof TenantChangedError) {
        throw error;
      }

      return false;
    }

    return before !== undefined && this.latest(identity)?.mark !== before.mark;
  }

  /** What PostgreSQL says of a name that is nobody's, now or for a moment, is told as what has become of the tenant. */
  async explainLost(identity: TenantIdentity, error: unknown, before: Moment | undefined, send: Send): Promise<never> {
    throw hasSqlState(error, NOT_THERE) && (await this.hasLostName(identity, before, error, send))
      ? new TenantChangedError(identity.schemaName, { cause: error })
      : error;
  }

  /** To be called after SQL that has granted a schema: its mark is another one, and its name is its own. */
  outdateGranted(sql: string): void {
    const names = schemasGranted(sql);

    if (names.length > 0) {
      this.#rules().identities.outdate(names);
    }
  }

  /** The first of the tenants whose name is another schema's. */
  async firstChanged(tenants: Iterable<TenantIdentity>, send: Send): Promise<TenantIdentity | undefined> {
    for (const identity of tenants) {
      if (!(await askFor(identity, send)).isIt) {
        this.#rules().identities.end(identity);

        return identity;
      }
    }

    return undefined;
  }

  /**
   * What an error tells that a tenant may be the reason of. The user's own SQL may have failed of the same, unless only the check can have. Then a
   * tenant that has its name now had lost it for a moment.
   */
  async whatChanged(
    tenants: readonly TenantIdentity[],
    cause: unknown,
    send: Send,
    { isOnlyCheck = false }: { readonly isOnlyCheck?: boolean } = {},
  ): Promise<unknown> {
    // each is asked for again by the next work
    this.#rules().identities.outdate(tenants.map(({ schemaName }) => schemaName));
    const changed = (await this.firstChanged(tenants, send)) ?? (isOnlyCheck ? tenants[0] : undefined);

    return changed === undefined ? cause : new TenantChangedError(changed.schemaName, { cause });
  }

  #rules(): TenantRules {
    return (this.#knownRules ??= this.#options.rules());
  }

  #confirmed(): Confirmations {
    return (this.#confirmations ??= this.#rules().identities.confirmationsOf(this.#options.connection));
  }
}

async function askFor({ schemaName, schemaOid }: TenantIdentity, send: Send): Promise<{ readonly isIt: boolean; readonly mark?: string }> {
  // what had no schema may have got one
  if (schemaOid === undefined) {
    return { isIt: true };
  }

  const [{ oid, mark } = {}] = await send(queryOf(SCHEMA_NOW, [schemaName]));

  return { isIt: oid === schemaOid, ...(typeof mark === 'string' ? { mark } : {}) };
}

interface Circumstances {
  readonly isInTransaction: boolean;
  /** The error that made somebody ask. */
  readonly cause?: unknown;
}

type Send = (query: Query) => Promise<Record<string, unknown>[]>;

export interface CommitSettings {
  /** Whether a message may have several statements. */
  readonly takesScripts: boolean;
  log(sql: string): void;
}

/** What a connection of the pool is checked with. */
export interface CheckedConnectionOptions {
  readonly driver: Driver;
  readonly check: TenantCheck;
  readonly settings: CommitSettings;
}

export interface TenantCheckOptions {
  readonly connection: 'read' | 'write';
  /** The rules, once the ORM has them. */
  rules(): TenantRules;
  /** Whom the statement is for. Throws where it must not be. */
  targetFor(query: Query): SqlTarget;
}
