import type { Column } from '../clone/read-tables.js';

/** The first line of an export. */
export interface ExportHeader {
  /** The version of the format. */
  readonly landlordTenant: number;
  readonly postgres: string;
  readonly schemaName: string;
  /** The role of the tenant, where the option `roles` was set. */
  readonly role?: string | undefined;
  readonly exportedAt: string;
  /** The migrations that the tenant has, oldest first. */
  readonly migrations: readonly string[];
}

/** What the other lines are. The rows of a table follow its line, in the text format of `copy`, and end with a line of `\.`. */
export type ExportPart =
  | { readonly sql: readonly string[]; readonly is: Phase }
  | { readonly table: string; readonly label: string; readonly columns: readonly Pick<Column, 'name' | 'type' | 'isOwnType'>[] }
  | { readonly sequences: readonly SequencePosition[] }
  | { readonly end: ExportEnd };

export type Phase = 'objects' | 'keys' | 'views' | 'foreignKeys' | 'behaviour' | 'comments';

export interface SequencePosition {
  readonly name: string;
  readonly lastValue: string;
  readonly isCalled: boolean;
}

export interface ExportEnd {
  readonly tables: number;
  /** Of all that comes before this line. */
  readonly sha256: string;
}

export const FORMAT = 1;
