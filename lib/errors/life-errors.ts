import { StatusError } from './status-error.js';
import { TenantError, show } from './tenant-error.js';

/** No deleted tenant, or more than one, has the name or the id. Nothing was changed. */
export class DeletedTenantError extends StatusError {
  /** The ids of the deleted tenants that have the name. */
  readonly ids: readonly string[];

  readonly status = 404;
  readonly expose = false;

  static unknown(name: string): DeletedTenantError {
    return new DeletedTenantError(
      'DELETED_TENANT_UNKNOWN',
      `No deleted tenant has the name or the id ${show(name)}. Nothing was changed. See which can be restored with \`tenants().listDeleted()\` or \`mikro-orm tenant:list --deleted\`.`,
      [],
    );
  }

  static ambiguous(name: string, ids: readonly string[]): DeletedTenantError {
    return new DeletedTenantError(
      'DELETED_TENANT_AMBIGUOUS',
      `${ids.length} deleted tenants had the name ${show(name)}: ${ids.join(', ')}. Nothing was changed. Name the one that you mean by its id; \`tenants().listDeleted()\` says when each was deleted.`,
      ids,
    );
  }

  private constructor(code: 'DELETED_TENANT_UNKNOWN' | 'DELETED_TENANT_AMBIGUOUS', message: string, ids: readonly string[]) {
    super(code, message);
    this.ids = ids;
  }
}

/** The server has no room for the locks that dropping a schema takes. Nothing was changed. */
export class LockTableError extends TenantError {
  readonly schemaName: string;
  /** How many locks the drop takes, by the catalog. */
  readonly needed: number;
  /** How many locks the server has room for. */
  readonly room: number;

  constructor(
    schemaName: string,
    {
      needed,
      room,
      setting,
      advised,
    }: { readonly needed: number; readonly room: number; readonly setting: number; readonly advised: number },
    options?: ErrorOptions,
  ) {
    super(
      'LOCK_TABLE_TOO_SMALL',
      `Schema ${show(schemaName)} cannot be dropped: PostgreSQL locks all that is in it, which takes about ${needed} locks, and the server has room for ${room}, which all sessions share. ` +
        `Nothing was changed. Set \`max_locks_per_transaction\` to ${Math.max(advised, setting * 2)} (it is ${setting}), and restart the server.`,
      options,
    );
    this.schemaName = schemaName;
    this.needed = needed;
    this.room = room;
  }
}
