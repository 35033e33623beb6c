import { forPublic } from '../connection/sql-target.js';
import type { TenantRules } from '../scope/tenant-rules.js';
import type { WrappedEntityManager, WrappedOrm } from '../scope/wrapped-orm.js';
import type { TenantFilter } from '../tenant/options.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';

/** Reads the rows of the tenants' entity, in every scope. */
export class TenantsTable {
  readonly #orm: WrappedOrm;
  readonly #rules: TenantRules;

  constructor(orm: WrappedOrm, rules: TenantRules) {
    this.#orm = orm;
    this.#rules = rules;
  }

  /**
   * The schema names of the matching tenants in ascending order, without the public one. Entities are not created, because there may be many
   * rows. MikroORM's filters apply as in `find`, unless `filters` is false.
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

    // `execute` maps columns to property names, and creates no entities
    const rows = await forPublic(this.#orm.config, () => query.execute<{ schemaName: string }[]>('all'));

    return rows.map(({ schemaName }) => schemaName).filter(schemaName => schemaName !== this.#rules.publicSchema);
  }

  async find(where: TenantFilter = {}): Promise<readonly TenantMixin<unknown>[]> {
    return forPublic(this.#orm.config, () =>
      this.#fork().find(this.#rules.options.tenant, where, { orderBy: { schemaName: 'asc' }, ...NOT_CACHED }),
    );
  }

  async findOne(where: TenantFilter): Promise<TenantMixin<unknown> | undefined> {
    return (await forPublic(this.#orm.config, () => this.#fork().findOne(this.#rules.options.tenant, where, NOT_CACHED))) ?? undefined;
  }

  // a tenant's row for a scope must not be in the identity map of a request
  #fork(): WrappedEntityManager {
    return this.#orm.em.fork({ keepTransactionContext: true });
  }
}

/** Tenants are never read from the result cache, even if the user caches every query. */
export const NOT_CACHED = { cache: false } as const;
