import { TenantError, reasonOf, show, type TenantErrorCode } from './tenant-error.js';
import { HttpTenantError } from './web-errors.js';

/** A node of Citus cannot be reached: status 503 with `Retry-After`. The tenants of other nodes are not concerned. */
export class TenantNodeUnavailableError extends HttpTenantError {
  /** Host and port of the node, if Citus names it. */
  readonly node: string | undefined;
  /** The tenant whose work failed. Undefined for work that needs all nodes. */
  readonly schemaName: string | undefined;

  /** For a statement that a node did not answer. */
  static ofStatement(node: string | undefined, schemaName: string | undefined, cause: unknown): TenantNodeUnavailableError {
    return new TenantNodeUnavailableError(`A node of the database is away, and the data of this request is on it. Try again in a moment.`, {
      node,
      schemaName,
      cause,
    });
  }

  /** For a report on tenants. */
  static ofTenant(node: string, schemaName: string): TenantNodeUnavailableError {
    return new TenantNodeUnavailableError(
      `The node ${node} of the schema ${show(schemaName)} cannot be reached. Bring it back, or fail over to its standby.`,
      {
        node,
        schemaName,
        cause: undefined,
      },
    );
  }

  /** For work that changes tables, which every node has to know of. */
  static beforeWork(nodes: readonly string[], cause?: unknown): TenantNodeUnavailableError {
    return new TenantNodeUnavailableError(
      `${nodes.length === 1 ? 'The node' : 'The nodes'} ${nodes.join(', ')} of Citus cannot be reached, and every node has to know of changed tables. ` +
        'Nothing was run. Bring the node back, or take it out of the cluster with `citus_disable_node()`, and run again.',
      { node: nodes[0], schemaName: undefined, cause },
    );
  }

  constructor(
    message: string,
    { node, schemaName, cause }: { readonly node: string | undefined; readonly schemaName: string | undefined; readonly cause: unknown },
  ) {
    super('TENANT_NODE_UNAVAILABLE', 503, message, {
      headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
      ...(cause === undefined ? {} : { cause }),
    });
    this.node = node;
    this.schemaName = schemaName;
  }
}

/** The work of the tenants of one node has as many connections and as much waiting as `citus.nodeLimits` allows: status 503. */
export class NodeOverloadedError extends HttpTenantError {
  readonly node: string;

  constructor(node: string, { concurrency, timeoutMs }: { readonly concurrency: number; readonly timeoutMs: number }, reason: string) {
    super(
      'NODE_OVERLOADED',
      503,
      `The tenants of this node use the ${concurrency} connections that they may use at once (\`citus.nodeLimits.concurrency\`), and ${reason}. ` +
        'Nothing was sent to the database. Try again in a moment.',
      { headers: { 'Retry-After': String(Math.ceil(timeoutMs / 1000)) } },
    );
    this.node = node;
  }
}

/** Tables of a sharded tenant would stay on the coordinator. */
export class TablesStayedLocalError extends TenantError {
  readonly schemaName: string;
  readonly tables: readonly string[];

  constructor(schemaName: string, tables: readonly string[], { isRolledBack = true }: { readonly isRolledBack?: boolean } = {}) {
    super(
      'TENANT_TABLES_LOCAL',
      `The schema ${show(schemaName)} is placed on a node of Citus, but its tables ${tables.join(', ')} would stay on the coordinator. ` +
        'Citus does this without an error for a `create table` inside a `do` block or a function. ' +
        (isRolledBack ? 'Everything was rolled back. ' : 'They were made outside a transaction, and are still there. ') +
        'Write each `create table` as a statement of its own.',
    );
    this.schemaName = schemaName;
    this.tables = tables;
  }
}

/** A tenant cannot be placed, moved or distributed. Nothing was changed. */
export class PlacementError extends TenantError {
  static withoutCitus(action: string): PlacementError {
    return new PlacementError(
      'CITUS_MISSING',
      `Tenants cannot be ${action}: this database is not the coordinator of a Citus cluster. Nothing was changed. ` +
        'Connect to the coordinator, and see that the extension `citus` is installed in this database.',
    );
  }

  static unknownNode(node: string, nodes: readonly string[]): PlacementError {
    return new PlacementError(
      'NODE_UNKNOWN',
      `The cluster has no node ${show(node)} that takes tenants. Nothing was changed. Its nodes are ${nodes.length === 0 ? 'none' : nodes.join(', ')}.`,
    );
  }

  static notSharded(schemaName: string): PlacementError {
    return new PlacementError(
      'TENANT_NOT_DISTRIBUTED',
      `The tenant ${show(schemaName)} is on the coordinator: its schema is not sharded, so it cannot be moved. Nothing was changed. ` +
        `Distribute it first: \`tenant:distribute ${schemaName}\`.`,
    );
  }

  static refused(schemaName: string, action: string, cause: unknown): PlacementError {
    return new PlacementError(
      'PLACEMENT_REFUSED',
      `The tenant ${show(schemaName)} could not be ${action}: ${reasonOf(cause)}. It was left where it was. Fix the cause and try again.`,
      { cause },
    );
  }

  constructor(code: TenantErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

const RETRY_AFTER_SECONDS = 5;
