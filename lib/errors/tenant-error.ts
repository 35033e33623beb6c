/** The values of `code` of a `TenantError`. */
export type TenantErrorCode =
  | 'TENANT_CONFIG'
  | 'ORM_WITHOUT_TENANTS'
  | 'NO_ORM'
  | 'SEVERAL_ORMS'
  | 'SCHEMA_NAME_INVALID'
  | 'SCHEMA_NAME_RESERVED'
  | 'DOMAIN_INVALID'
  | 'DOMAIN_RESERVED'
  | 'HOST_TAKEN'
  | 'HOST_ISOLATION'
  | 'HOST_CONFLICT'
  | 'SCHEMA_ALREADY_EXISTS'
  | 'SCHEMA_MISSING'
  | 'SCHEMA_PROTECTED'
  | 'SCHEMA_IN_USE'
  | 'TENANT_ALREADY_EXISTS'
  | 'TENANT_UNKNOWN'
  | 'DELETED_TENANT_UNKNOWN'
  | 'DELETED_TENANT_AMBIGUOUS'
  | 'LOCK_TABLE_TOO_SMALL'
  | 'TENANT_VISITS_FAILED'
  | 'TENANT_NOT_PROVISIONED'
  | 'POOLER_WITHOUT_TRANSACTIONS'
  | 'TENANT_ROLE_REFUSED'
  | 'TENANT_ROLE_EXISTS'
  | 'TENANT_CONTEXT_REQUIRED'
  | 'PUBLIC_CONTEXT_REQUIRED'
  | 'CROSS_TENANT'
  | 'TENANT_CHANGED'
  | 'TENANT_CONFLICT'
  | 'TENANT_OVERLOADED'
  | 'ONLY_CONNECTION_TAKEN'
  | 'TENANT_WRITE_REFUSED'
  | 'TENANT_SETTING_REFUSED'
  | 'VALUE_UNSUPPORTED'
  | 'SHARED_ROW_IN_USE'
  | 'SHARED_TABLE_IN_USE'
  | 'SHARED_SCHEMA'
  | 'HOST_INVALID'
  | 'HOST_UNKNOWN'
  | 'HOST_NOT_PRIMARY'
  | 'TENANT_NOT_SERVED'
  | 'TENANT_FORBIDDEN'
  | 'TENANT_SUSPENDED'
  | 'TENANT_IN_MAINTENANCE'
  | 'TENANT_MISMATCH'
  | 'TENANT_URL'
  | 'RESOLVER_INVALID'
  | 'RESOLVER_FAILED'
  | 'DIRECTORY_UNAVAILABLE'
  | 'NOT_A_ROUTER'
  | 'NO_TENANT_CONTEXT'
  | 'MIGRATION_FAILED'
  | 'MIGRATION_UNKNOWN'
  | 'MIGRATION_DUPLICATE'
  | 'MIGRATION_NOT_LOADABLE'
  | 'MIGRATION_HISTORY_UNREADABLE'
  | 'MIGRATION_FOLDER_MISSING'
  | 'TENANT_BUSY'
  | 'RUN_USAGE'
  | 'RUN_IN_TRANSACTION'
  | 'MIGRATION_NOT_RELATIVE'
  | 'MIGRATION_NOT_INITIAL'
  | 'MIGRATION_DROPS_ROWS'
  | 'MIGRATION_SNAPSHOTS'
  | 'MIGRATION_RENAMED'
  | 'MIGRATION_ROLLED_UP'
  | 'MIGRATION_NOT_COMBINED'
  | 'MIGRATION_SESSION_STATE'
  | 'MIGRATION_NEEDS_SESSION'
  | 'MIGRATION_FOR_ONE_TENANT'
  | 'PUBLIC_SET_BEHIND'
  | 'REPORT_USAGE'
  | 'REPORT_CHANGED'
  | 'TENANTS_BEHIND'
  | 'JOB_TENANT_INVALID'
  | 'JOB_TENANT_GONE'
  | 'JOB_TENANT_SUSPENDED'
  | 'JOB_TENANT_IN_MAINTENANCE'
  | 'TENANT_PATH'
  | 'HOOK_FAILED'
  | 'HOOK_TIMEOUT'
  | 'TENANT_NODE_UNAVAILABLE'
  | 'NODE_OVERLOADED'
  | 'TENANT_TABLES_LOCAL'
  | 'CITUS_MISSING'
  | 'NODE_UNKNOWN'
  | 'TENANT_NOT_DISTRIBUTED'
  | 'PLACEMENT_REFUSED'
  | 'MIGRATION_NOT_FOR_CITUS'
  | 'TEST_SERVER'
  | 'TEST_TEMPLATE'
  | 'TEST_USAGE'
  | 'TEST_COMMITS'
  | 'TEST_OVERLAP'
  | 'TEST_ENDED'
  | 'TEST_UNFINISHED'
  | 'TEST_LEAK'
  | 'CLONE_REFUSED'
  | 'CLONE_INCOMPLETE'
  | 'CLONE_DIFFERS'
  | 'STORAGE_FULL'
  | 'SNAPSHOT_IN_TRANSACTION'
  | 'SNAPSHOT_BUSY'
  | 'EXPORT_REFUSED'
  | 'IMPORT_INVALID'
  | 'IMPORT_REFUSED'
  | 'IMPORT_NOT_MIGRATED'
  | 'ADOPT_REFUSED'
  | 'EXTRACT_REFUSED';

/** The base class of every error that this library throws. Branch on `code`. The message says what happened, why, and what to do. */
export class TenantError extends Error {
  readonly code: TenantErrorCode;

  constructor(code: TenantErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The message of any thrown value, without a trailing full stop, to be used inside a sentence. */
export function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);

  return message.trim().replace(/\.$/, '');
}

/** Formats any value for a message: one line, printable characters only, limited in length. */
export function show(value: unknown): string {
  const text = textOf(value).replaceAll(UNPRINTABLE, character => `\\u{${character.codePointAt(0)?.toString(16)}}`);

  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

function textOf(value: unknown): string {
  try {
    // JSON has no NaN and no Infinity
    return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  } catch {
    // it contains a BigInt or a cycle, or a getter throws
    return `a value of type ${typeof value}`;
  }
}

const MAX_LENGTH = 300;

// JSON escapes only the ASCII ones
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
