import type { NodeOverloadedError, PlacementError, TablesStayedLocalError, TenantNodeUnavailableError } from './citus-errors.js';

/** The codes of Citus, as in error-codes.ts. */
export interface CitusErrorCodes {
  /**
   * A node of Citus cannot be reached. A request gets it if its tenant is on that node, and a run or a creation in any case, because every node has to know of changed tables. `status` is 503, with `Retry-After`.
   * @remedy Bring the node back, or fail over to its standby. Tenants of other nodes are served meanwhile.
   */
  TENANT_NODE_UNAVAILABLE: TenantNodeUnavailableError;
  /**
   * The tenants of one node have as much work under way and waiting as `citus.nodeLimits` allows. `status` is 503, with `Retry-After`.
   * @remedy Look what the node waits for. A `statement_timeout` ends what it does not answer.
   */
  NODE_OVERLOADED: NodeOverloadedError;
  /**
   * A migration has made tables of a sharded tenant that would stay on the coordinator, which Citus does without an error inside `do` and functions. All of it was rolled back.
   * @remedy Write each `create table` as a statement of its own.
   */
  TENANT_TABLES_LOCAL: TablesStayedLocalError;
  /**
   * Tenants were to be moved or placed, and the database is not the coordinator of a Citus cluster.
   * @remedy Connect to the coordinator, and install the extension `citus` in the database.
   */
  CITUS_MISSING: PlacementError;
  /**
   * A tenant was to be moved to a node that the cluster does not have, or that takes no tenants.
   * @remedy Name one of the nodes that the message lists.
   */
  NODE_UNKNOWN: PlacementError;
  /**
   * A tenant that is not sharded was to be moved.
   * @remedy `tenant:distribute` makes its schema a sharded one first.
   */
  TENANT_NOT_DISTRIBUTED: PlacementError;
  /**
   * Citus has refused to move or to distribute a tenant. `cause` says why. The tenant is where it was.
   * @remedy Fix the cause, such as `wal_level`, a table without a key, or a foreign key to a table that is not a reference table.
   */
  PLACEMENT_REFUSED: PlacementError;
}
