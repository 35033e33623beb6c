import { forPublic } from '../connection/sql-target.js';
import type { IdentifiedTenant } from '../scope/make-scope.js';
import type { TenantIdentity } from '../scope/tenant-identity.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedEntityManager, WrappedOrm } from '../scope/wrapped-orm.js';
import type { TenantFilter } from '../tenant/options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { TenantIdentifier } from './identify-tenants.js';

/** Reads which tenants there are: the rows of the tenants' entity, in whichever scope the flow is. */
export class TenantsTable {
  readonly #orm: WrappedOrm;
  readonly #rules: TenantRules;
  readonly #identifier: TenantIdentifier;

  constructor(orm: WrappedOrm, rules: TenantRules) {
    this.#orm = orm;
    this.#rules = rules;
    this.#identifier = new TenantIdentifier(orm, rules, where => this.findOne(where));
  }

  /**
   * The schema names of the tenants that match, in order, without the public one; names alone, as there may be many. The filters of
   * MikroORM leave out the tenants they leave out of `find`, unless the names of all rows are asked for.
   */
  async findSchemaNames(where: TenantFilter = {}, { filters = true }: { readonly filters?: boolean } = {}): Promise<string[]> {
    const query = this.#fork()
      .createQueryBuilder(this.#rules.options.tenant)
      .select('schemaName')
      .where(where)
      .orderBy({ schemaName: 'asc' })
      .cache(NOT_CACHED.cache);

    if (filters) {
      await query.applyFilters();
    }

    // mapped to property names, but not to entities
    const rows = await forPublic(this.#orm.config, () => query.execute<{ schemaName: string }[]>('all'));

    return rows.map(({ schemaName }) => schemaName).filter(schemaName => schemaName !== this.#rules.publicSchema);
  }

  async find(where: TenantFilter = {}): Promise<readonly TenantMixin<unknown>[]> {
    return forPublic(this.#orm.config, () =>
      this.#fork().find(this.#rules.options.tenant, where, { orderBy: { schemaName: 'asc' }, ...FROM_PRIMARY }),
    );
  }

  async findOne(where: TenantFilter): Promise<TenantMixin<unknown> | undefined> {
    return (await forPublic(this.#orm.config, () => this.#fork().findOne(this.#rules.options.tenant, where, FROM_PRIMARY))) ?? undefined;
  }

  /** Which tenants the rows are now, whatever they were loaded as; undefined for one that is none any more. */
  async identify<Row extends TenantMixin<unknown>>(rows: readonly Row[]): Promise<(IdentifiedTenant<Row> | undefined)[]> {
    return this.#identifier.identify(rows);
  }

  /** Whether the tenant is the one of its name still. */
  async isStill(identity: TenantIdentity): Promise<boolean> {
    return this.#identifier.isStill(identity);
  }

  // a fork of its own: what a scope is entered with must not sit in the identity map of somebody's request
  #fork(): WrappedEntityManager {
    return this.#orm.em.fork({ keepTransactionContext: true });
  }
}

/** Which tenants there are is never read from the user's result cache, even where that holds every query's. */
export const NOT_CACHED = { cache: false } as const;

/** A replica may not have been told yet. */
const FROM_PRIMARY = { ...NOT_CACHED, connectionType: 'write' } as const;
