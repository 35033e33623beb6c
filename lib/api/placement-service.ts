import {
  distributeTenant,
  moveTenant,
  placementsOf,
  rebalanceTenants,
  type MovedTenant,
  type RebalanceOptions,
  type RebalanceResult,
  type TenantPlacement,
} from '../provisioning/placement.js';
import { selectSchemaNames, type TenantSelection } from '../migrations/run/selection.js';
import type { TenantMixin } from '../tenant/tenant-mixin.js';
import { DataService } from './data-service.js';

/** On which node of Citus each tenant is. */
export abstract class PlacementService<Tenant extends TenantMixin<unknown> = TenantMixin<unknown>> extends DataService<Tenant> {
  /**
   * The node of each selected tenant.
   *
   * @throws PlacementError `CITUS_MISSING`
   */
  async placement(selection: TenantSelection<Tenant> = {}): Promise<TenantPlacement[]> {
    return this.inPublic('placed', async () => placementsOf(this.database, await selectSchemaNames(this.database, selection)));
  }

  /**
   * Moves a tenant to the node `host:port`, while it is read and written. Resolves when it is there.
   *
   * @throws PlacementError `CITUS_MISSING`, `NODE_UNKNOWN`, `TENANT_NOT_DISTRIBUTED` or `PLACEMENT_REFUSED`
   */
  async move(tenant: Tenant | string, node: string): Promise<MovedTenant> {
    return this.inPublic('moved', async () => moveTenant(this.database, await this.#nameOf(tenant), node));
  }

  /**
   * Moves tenants, one after the other, until the nodes have as much as each other.
   *
   * @throws PlacementError `CITUS_MISSING`
   */
  async rebalance(options: RebalanceOptions = {}): Promise<RebalanceResult> {
    return this.inPublic('rebalanced', () => rebalanceTenants(this.database, options));
  }

  /**
   * Makes the schema of a tenant that is on the coordinator a sharded one, with its rows. The tenant waits meanwhile.
   *
   * @throws PlacementError `CITUS_MISSING` or `PLACEMENT_REFUSED`
   */
  async distribute(tenant: Tenant | string): Promise<void> {
    await this.inPublic('distributed', async () => distributeTenant(this.database, await this.#nameOf(tenant)));
  }

  /** Its name as it is stored, because the entity may be outdated. */
  async #nameOf(tenant: Tenant | string): Promise<string> {
    return this.inPublic('moved', em => em.transactional(async tx => (await this.loadLocked(tx, tenant)).schemaName));
  }
}
