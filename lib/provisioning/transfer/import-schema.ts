import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { CloneError, reasonOf, TransferError } from '../../errors/index.js';
import { loadMigrationSet } from '../../migrations/set/migration-set.js';
import { roleOfTenant } from '../../postgres/schema-name.js';
import { hasSqlState } from '../../postgres/sql-state.js';
import { MakeSchema } from '../clone/make-schema.js';
import { repoint } from '../clone/repoint.js';
import { withRole } from '../clone/repointed.js';
import type { ExportHeader } from './export-format.js';
import { ExportReader } from './read-export.js';
import type { OpenFile } from './spool.js';
import { writeTableRows } from './table-rows.js';
import { setvalSql } from './write-export.js';

/**
 * Reads the whole file, and changes nothing.
 *
 * @throws TransferError `IMPORT_INVALID`, or `IMPORT_REFUSED` if the tenant set does not have all migrations of the file.
 */
export async function checkExport(database: TenantDatabase, file: OpenFile): Promise<ExportHeader> {
  const reader = await ExportReader.open(file);

  try {
    for await (const part of reader.parts()) {
      if ('table' in part) {
        for await (const _rows of reader.rows()) {
          // only the checksum is wanted
        }
      }
    }
  } finally {
    reader.close();
  }

  const known = new Set((await loadMigrationSet(database)).flatMap(({ name, replaces = [] }) => [name, ...replaces]));
  const unknown = reader.header.migrations.filter(name => !known.has(name));

  if (unknown.length > 0) {
    throw TransferError.refused(
      `its tenant has migrations that the tenant set does not have: ${unknown.join(', ')}`,
      'Import it with a version of the application that has them.',
      unknown,
    );
  }

  return reader.header;
}

/** Makes what the file has in a new schema. The file is checked again while it is read, before anybody commits. */
export async function importSchema(
  database: TenantDatabase,
  {
    file,
    schemaName,
    ctx,
    onTable,
  }: {
    readonly file: OpenFile;
    readonly schemaName: string;
    readonly ctx: Transaction;
    readonly onTable?: ((table: string) => void) | undefined;
  },
): Promise<void> {
  const reader = await ExportReader.open(file);
  const make = new MakeSchema(database, schemaName, ctx);
  const { header } = reader;
  const { roles } = database.options;
  const role = header.role === undefined || roles === undefined ? undefined : { from: header.role, to: roleOfTenant(roles, schemaName) };

  const here = (sql: string): string =>
    repoint(role === undefined ? sql : withRole(sql, role), { from: header.schemaName, to: schemaName }).sql;

  try {
    await make.begin();

    for await (const part of reader.parts()) {
      if ('sql' in part) {
        await make.run(part.is === 'comments' ? part.sql : part.sql.map(here));
      } else if ('table' in part) {
        await writeTableRows(database, { name: part.table, columns: part.columns }, { ctx, source: reader.rows() });
        onTable?.(part.label);
      } else {
        await make.run(part.sequences.map(setvalSql));
      }
    }

    await make.end();
  } catch (error) {
    if (error instanceof CloneError) {
      throw TransferError.refused(
        `Citus cannot make what is in it. ${reasonOf(error.cause)}`,
        'Change or drop it in the source, and export it again.',
        error.objects,
        error,
      );
    }

    throw hasSqlState(error, FOREIGN_KEY_VIOLATION)
      ? TransferError.refused(`its rows refer to shared rows that are not in this database: ${reasonOf(error)}`, 'Create those rows first.')
      : error;
  } finally {
    reader.close();
  }
}

const FOREIGN_KEY_VIOLATION = ['23503'] as const;
