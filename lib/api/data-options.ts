import type { CloneData, CloneProgress } from '../provisioning/clone/clone-schema.js';
import type { ExportFormat } from '../provisioning/transfer/write-export.js';

export interface CloneTenantOptions {
  /**
   * Which rows the new tenant gets: those of all tables, of none, or of the tables of these names. The history of migrations is always copied. The tables,
   * views, functions and all else are made whatever it says.
   *
   * @default 'all'
   */
  readonly data?: CloneData;

  /**
   * Clones also if a function, a default, a policy or another definition has the name of the source in a text. The text is taken over as it is, so the
   * new tenant may then read or write in the source.
   *
   * @default false: the texts are listed in an error, and nothing is stored
   */
  readonly force?: boolean;

  /** Called after the rows of each table were copied. */
  readonly onProgress?: (progress: CloneProgress) => void;
}

export interface ExportTenantOptions {
  /**
   * `landlord` is compressed, and is read by `import()`. `sql` is read by `psql`. `json` has the rows of all tables as objects, for the person or company that they are about.
   *
   * @default 'landlord'
   */
  readonly format?: ExportFormat;

  /** Exports also if a function or another definition has the name of the schema in a text. @default false */
  readonly force?: boolean;

  /** Called after the rows of each table were written. */
  readonly onTable?: (table: string, done: number, total: number) => void;
}

export interface ImportTenantOptions {
  /** Whether the pending migrations of the tenant set run in it afterwards. @default true */
  readonly migrate?: boolean;

  /** Called after the rows of each table were read. */
  readonly onTable?: (table: string) => void;
}

export interface AdoptTenantOptions {
  /** The last migration that the schema has. A run then brings it up to date. @default the last one of the tenant set */
  readonly to?: string;
}

export interface ExtractTenantOptions {
  /**
   * The column of the public tables that says whose a row is. Tables without it are followed by their foreign keys.
   *
   * @default none: all rows are the tenant's
   */
  readonly column?: string;

  /** What that column has in the tenant's rows. @default the tenant's primary key */
  readonly value?: string;

  /** Tables whose rows are nobody's own: each tenant gets a copy of all of them, and they stay in public. @default [] */
  readonly whole?: readonly string[];

  /** Columns of public tables that are not wanted any more, as `column` or `table.column`. That of `column` is one of them. @default [] */
  readonly without?: readonly string[];

  /** Whether the rows stay in the public tables too. @default false */
  readonly keep?: boolean;

  /** Does all of it and rolls it back, so that the report says what would be moved, or why nothing can be. @default false */
  readonly dryRun?: boolean;

  /** Called after the rows of each table were copied. */
  readonly onTable?: (table: string, done: number, total: number) => void;
}
