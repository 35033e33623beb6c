import { helper } from '@mikro-orm/core';
import { forPublic } from '../connection/statements/sql-target.js';
import { isDeletedName } from '../postgres/schema-name.js';
import { TenantChangedError } from '../errors/index.js';
import type { IdentifiedTenant } from '../scope/make-scope.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedEntityManager, WrappedOrm } from '../scope/wrapped-orm.js';
import type { TenantFilter } from '../tenant/options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { TenantIdentifier } from './identify-tenants.js';
import { filtersOfServed } from './served-tenants.js';

/** Reads the rows of the tenants' entity, in every scope. A tenant that was deleted and can be restored is none, whoever asks. */
export class TenantsTable {
  readonly #orm: WrappedOrm;
  readonly #rules: TenantRules;
  readonly #identifier: TenantIdentifier;

  constructor(orm: WrappedOrm, rules: TenantRules) {
    this.#orm = orm;
    this.#rules = rules;
    this.#identifier = new TenantIdentifier(orm, rules, where => this.#findOne(where, false));
  }

  /**
   * The schema names of the matching tenants in ascending order, without the public one. Entities are not created, because there may be many
   * rows. No filter of MikroORM's applies: a tenant that one hides has its schema all the same.
   */
  async findSchemaNames(where: TenantFilter = {}): Promise<string[]> {
    const query = this.#fork()
      .createQueryBuilder(this.#rules.options.tenant, undefined, FROM_PRIMARY.connectionType)
      .select('schemaName')
      .where(where)
      .orderBy({ schemaName: 'asc' })
      .cache(NOT_CACHED.cache);

    // `execute` maps columns to property names, and creates no entities
    const rows = await forPublic(this.#orm.config, () => query.execute<{ schemaName: string }[]>('all'));

    return rows
      .map(({ schemaName }) => schemaName)
      .filter(schemaName => schemaName !== this.#rules.publicSchema && !isDeletedName(schemaName));
  }

  /** All matching tenants, those that a filter hides too. */
  async findAll(where: TenantFilter): Promise<readonly TenantMixin<unknown>[]> {
    return this.#find(where, false);
  }

  /** The matching tenants that are served: those that no filter of MikroORM's hides. */
  async findServed(where: TenantFilter = {}): Promise<readonly TenantMixin<unknown>[]> {
    return this.#find(where, filtersOfServed(this.#fork(), this.#rules));
  }

  /** The tenant, if it is served. */
  async findOneServed(where: TenantFilter): Promise<TenantMixin<unknown> | undefined> {
    return this.#findOne(where, filtersOfServed(this.#fork(), this.#rules));
  }

  /** Which tenants the rows are now, whatever they were loaded as; undefined for one that is none any more. */
  async identify<Row extends TenantMixin<unknown>>(rows: readonly Row[]): Promise<(IdentifiedTenant<Row> | undefined)[]> {
    return this.#identifier.identify(rows);
  }

  /**
   * The tenant with this key, if it is served: a value for each column, as the database takes it.
   *
   * @throws TenantChangedError `TENANT_CHANGED` if its name changes each time that it is looked up.
   */
  async findServedByKey(keyValues: readonly unknown[]): Promise<IdentifiedTenant | undefined> {
    let name: string | undefined;

    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      name = await this.#identifier.nameOf(keyValues);
      const row = name === undefined ? undefined : await this.findOneServed({ schemaName: name });
      const [found] = row === undefined ? [] : await this.identify([row]);

      if (found !== undefined && hasKey(found.row, keyValues)) {
        return found;
      }

      // a filter hides it, or it was renamed between the two
      if (row === undefined && name === (await this.#identifier.nameOf(keyValues))) {
        return undefined;
      }
    }

    throw new TenantChangedError(name ?? '');
  }

  /** The present name of the tenant with this key, also of one that is not served. Undefined if there is none. */
  async nameOf(keyValues: readonly unknown[]): Promise<string | undefined> {
    return this.#identifier.nameOf(keyValues);
  }

  /** Whether the tenant is the one of its name still. */
  async isCurrent(identity: TenantIdentity): Promise<boolean> {
    return this.#identifier.isCurrent(identity);
  }

  async #find(where: TenantFilter, filters: Filters): Promise<readonly TenantMixin<unknown>[]> {
    const rows = await forPublic(this.#orm.config, () =>
      this.#fork().find(this.#rules.options.tenant, where, { orderBy: { schemaName: 'asc' }, filters, ...FROM_PRIMARY }),
    );

    return rows.filter(({ schemaName }) => !isDeletedName(schemaName));
  }

  async #findOne(where: TenantFilter, filters: Filters): Promise<TenantMixin<unknown> | undefined> {
    const row = await forPublic(this.#orm.config, () =>
      this.#fork().findOne(this.#rules.options.tenant, where, { filters, ...FROM_PRIMARY }),
    );

    return row === null || isDeletedName(row.schemaName) ? undefined : row;
  }

  // a tenant's row for a scope must not be in the identity map of a request
  #fork(): WrappedEntityManager {
    return this.#orm.em.fork({ keepTransactionContext: true });
  }
}

/** Tenants are never read from the result cache, even if the user caches every query. */
export const NOT_CACHED = { cache: false } as const;

function hasKey(row: TenantMixin<unknown>, keyValues: readonly unknown[]): boolean {
  const own = helper(row).getPrimaryKeys(true) as unknown[];

  return own.length === keyValues.length && own.every((value, index) => String(value) === String(keyValues[index]));
}

/** How often one is looked up that is renamed again and again. */
const ATTEMPTS = 10;

type Filters = false | Record<string, false>;

/** A replica may not have been told yet. */
const FROM_PRIMARY = { ...NOT_CACHED, connectionType: 'write' } as const;
