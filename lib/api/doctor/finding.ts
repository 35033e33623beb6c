/** What the doctor looks for. */
export type FindingKind =
  | 'schema-orphaned'
  | 'schema-missing'
  | 'schema-unmarked'
  | 'schema-foreign'
  | 'deleted-incomplete'
  | 'history-unknown'
  | 'history-broken'
  | 'history-behind'
  | 'drift'
  | 'index-invalid'
  | 'sequence-behind'
  | 'function-path'
  | 'role-missing'
  | 'role-stale'
  | 'grant-missing'
  | 'grant-stale'
  | 'public-rows'
  | 'locks-too-few'
  | 'memory-over-budget'
  | 'listener-deaf'
  | 'replica-behind'
  | 'table-local';

/** Something that is not as it should be. */
export interface Finding {
  readonly kind: FindingKind;
  /** The schema of the tenant that it concerns. Undefined where it concerns all. */
  readonly schemaName?: string;
  /** What it is about, such as an index. */
  readonly object?: string;
  /** What is wrong, with its numbers. */
  readonly message: string;
  /** What to do. */
  readonly remedy: string;
  /** The statements that mend it. Without them, somebody has to decide. */
  readonly fix?: readonly FixStatement[];
}

export interface FixStatement {
  readonly sql: string;
  readonly params?: readonly unknown[];
}

/** A finding that was to be mended. */
export interface MendedFinding {
  readonly finding: Finding;
  /** Why it could not be mended. */
  readonly error?: unknown;
}

export interface DoctorReport {
  /** How many tenants there are. */
  readonly tenants: number;
  readonly findings: readonly Finding[];
  /** What was mended, with `fix`. */
  readonly mended: readonly MendedFinding[];
  /** What was to be mended, and could not be. */
  readonly failed: readonly MendedFinding[];
  /** The schema names of tenants that were migrated or changed at the moment, so that not all of them could be looked at. */
  readonly busy: readonly string[];
}
