import { TenantChangedError } from '../errors/index.js';
import type { Confirmations } from '../scope/tenant-identities.js';
import { isNobody, type TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import { SCHEMA_NOW } from './schema-check-sql.js';
import type { Query } from './kysely-types.js';
import { isOfLibrary, queryOf } from './settings-sql.js';

/**
 * Holds the statements of one of MikroORM's connections to the tenant that they are for, which another one may have taken the name of
 * since. What was told of changes, or was asked a moment ago, is known without the database; else one statement asks it.
 */
export class TenantCheck {
  readonly #options: TenantCheckOptions;
  #confirmations: Confirmations | undefined;

  constructor(options: TenantCheckOptions) {
    this.#options = options;
  }

  /** The tenant that the statement is for, if it is for one that is known. Throws if its name is another one's. */
  tenantOf(query: Query): TenantIdentity | undefined {
    // what comes with one that is checked
    if (isOfLibrary(query)) {
      return undefined;
    }

    const identity = this.#options.tenantOf(query);

    if (identity !== undefined && (isNobody(identity) || this.#rules().identities.hasEnded(identity))) {
      throw new TenantChangedError(identity.schemaName);
    }

    return identity;
  }

  isTrusted(identity: TenantIdentity): boolean {
    return this.#confirmed().isTrusted(identity);
  }

  /**
   * Asks the database whether the tenant's name is still its schema's, by `send`. It is asked of the catalog alone, which nobody locks, and
   * which every role may read.
   */
  async confirm(identity: TenantIdentity, send: Send, { isInTransaction, cause }: Circumstances): Promise<void> {
    const askedAt = this.#confirmed().now();

    if (await hasSchema(identity, send)) {
      this.#confirmed().confirm(identity, askedAt);
      return;
    }

    // a transaction may see what nobody else will
    if (!isInTransaction) {
      this.#rules().identities.end(identity);
    }

    throw new TenantChangedError(identity.schemaName, cause === undefined ? {} : { cause });
  }

  /** The first of the tenants whose name is another schema's. */
  async firstChanged(tenants: Iterable<TenantIdentity>, send: Send): Promise<TenantIdentity | undefined> {
    for (const identity of tenants) {
      if (!(await hasSchema(identity, send))) {
        this.#rules().identities.end(identity);

        return identity;
      }
    }

    return undefined;
  }

  #rules(): TenantRules {
    return this.#options.rules();
  }

  #confirmed(): Confirmations {
    return (this.#confirmations ??= this.#rules().identities.confirmationsOf(this.#options.connection));
  }
}

async function hasSchema({ schemaName, schemaOid }: TenantIdentity, send: Send): Promise<boolean> {
  // what had no schema may have got one
  return schemaOid === undefined || (await send(queryOf(SCHEMA_NOW, [schemaName])))[0]?.['oid'] === schemaOid;
}

interface Circumstances {
  readonly isInTransaction: boolean;
  /** The error that made somebody ask. */
  readonly cause?: unknown;
}

type Send = (query: Query) => Promise<Record<string, unknown>[]>;

export interface TenantCheckOptions {
  readonly connection: 'read' | 'write';
  /** The rules, once the ORM has them. */
  rules(): TenantRules;
  tenantOf(query: Query): TenantIdentity | undefined;
}
