import type { Transaction } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { TransferError } from '../../errors/index.js';
import { History } from '../../migrations/history/history.js';
import { tenantMigrationsOptions } from '../../migrations/set/migration-set.js';
import { quoteIdentifier, roleOfTenant } from '../../postgres/schema-name.js';
import { oidOf } from '../clone/clone-schema.js';
import { quoteLiteral } from '../../postgres/quote-literal.js';
import { MakeSchema } from '../clone/make-schema.js';
import { privilegesOfAllSql, readPrivileges } from '../clone/privileges.js';
import { readSchema, type SchemaText, type TableText } from '../clone/read-schema.js';
import { repointed } from '../clone/repointed.js';
import { END_OF_ROWS } from '../../postgres/copy-text.js';
import { FORMAT, type ExportHeader, type ExportPart, type SequencePosition } from './export-format.js';
import type { Output } from './output.js';
import { readTableRows } from './table-rows.js';

/** `landlord` is read by `tenants().import()`, `sql` by `psql`, and `json` has the rows alone, for those that they are about. */
export type ExportFormat = 'landlord' | 'sql' | 'json';

export interface ExportSource {
  readonly schemaName: string;
  readonly ctx: Transaction;
  readonly force: boolean;
  readonly onTable?: ((table: string, done: number, total: number) => void) | undefined;
}

/**
 * Writes a tenant's schema and rows, as of the transaction's moment.
 *
 * @throws TransferError `EXPORT_REFUSED`
 */
export async function writeExport(
  database: TenantDatabase,
  source: ExportSource,
  { output, format }: { readonly output: Output; readonly format: ExportFormat },
): Promise<void> {
  const { schemaName, ctx } = source;
  const header = await headerOf(database, source);
  const oid = await oidOf(database, schemaName, ctx);
  const text = await readSchema(database, { schemaName, oid }, ctx);

  if (format === 'json') {
    await writeJson(database, { ...source, text, header }, output);
    return;
  }

  const { left } = repointed(text, { names: { from: schemaName, to: schemaName } });
  const refused = [...text.refused, ...(source.force ? [] : left)];

  if (refused.length > 0) {
    throw TransferError.notExported(schemaName, refused);
  }

  const privileges = privilegesOfAllSql(await readPrivileges(database, oid, ctx), schemaName);
  await new MakeSchema(database, schemaName, ctx).begin();
  const writer = format === 'sql' ? new SqlWriter(output) : new PartWriter(output);
  await writer.begin(header);
  await writer.sql('objects', text.objects);

  for (const [index, table] of text.tables.entries()) {
    await writer.beginRows(table);
    await readTableRows(database, table, { ctx, sink: chunk => output.write(chunk) });
    await output.write(`${END_OF_ROWS}\n`);
    source.onTable?.(table.rawName, index + 1, text.tables.length);
  }

  await writer.sequences(await positionsOf(database, text, ctx));
  await writer.sql('keys', text.keys);
  await writer.sql('views', text.views);
  await writer.sql('foreignKeys', text.foreignKeys);
  await writer.sql('behaviour', [...text.behaviour, ...privileges]);
  await writer.sql('comments', text.comments);
  await writer.end(text.tables.length);
}

class PartWriter {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  async begin(header: ExportHeader): Promise<void> {
    await this.#output.write(`${JSON.stringify(header)}\n`);
  }

  async sql(is: Extract<ExportPart, { readonly sql: unknown }>['is'], sql: readonly string[]): Promise<void> {
    await this.#part({ sql, is });
  }

  async beginRows({ name, rawName, columns }: TableText): Promise<void> {
    await this.#part({
      table: name,
      label: rawName,
      columns: columns.map(column => ({ name: column.name, type: column.type, isOwnType: column.isOwnType })),
    });
  }

  async sequences(sequences: readonly SequencePosition[]): Promise<void> {
    await this.#part({ sequences });
  }

  async end(tables: number): Promise<void> {
    await this.#part({ end: { tables, sha256: this.#output.sha256 } });
  }

  async #part(part: ExportPart): Promise<void> {
    await this.#output.write(`${JSON.stringify(part)}\n`);
  }
}

class SqlWriter {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  async begin({ schemaName, postgres, exportedAt, migrations }: ExportHeader): Promise<void> {
    const schema = quoteIdentifier(schemaName);
    await this.#output.write(
      [
        `-- tenant ${schemaName}, exported from PostgreSQL ${postgres} at ${exportedAt}, with ${migrations.length} migrations`,
        'begin;',
        `create schema ${schema};`,
        `set local search_path to ${schema};`,
        'set local check_function_bodies to off;',
        'set local standard_conforming_strings to on;',
        `set local client_encoding to 'UTF8';`,
        '',
      ].join('\n'),
    );
  }

  async sql(_is: string, statements: readonly string[]): Promise<void> {
    for (const statement of statements) {
      await this.#output.write(`${statement};\n`);
    }
  }

  async beginRows({ name, columns }: TableText): Promise<void> {
    await this.#output.write(
      `copy ${name}${columns.length === 0 ? '' : ` (${columns.map(column => column.name).join(', ')})`} from stdin;\n`,
    );
  }

  async sequences(positions: readonly SequencePosition[]): Promise<void> {
    await this.sql('', positions.map(setvalSql));
  }

  async end(): Promise<void> {
    await this.#output.write('commit;\n');
  }
}

export function setvalSql({ name, lastValue, isCalled }: SequencePosition): string {
  return `select pg_catalog.setval(${quoteLiteral(name)}, ${BigInt(lastValue)}, ${isCalled})`;
}

async function positionsOf(database: TenantDatabase, { sequences }: SchemaText, ctx: Transaction): Promise<SequencePosition[]> {
  const positions: SequencePosition[] = [];

  for (const { name } of sequences) {
    const [row] = await database.execute<{ last: string; called: boolean }>(
      `select last_value::text as last, is_called as called from ${name}`,
      [],
      ctx,
    );
    positions.push({ name, lastValue: row?.last ?? '1', isCalled: row?.called ?? false });
  }

  return positions;
}

async function headerOf(database: TenantDatabase, { schemaName, ctx }: ExportSource): Promise<ExportHeader> {
  const [server] = await database.execute<{ version: string; now: string }>(
    `select current_setting('server_version') as version, to_json(now()) #>> '{}' as now`,
    [],
    ctx,
  );
  const { roles } = database.options;

  return {
    landlordTenant: FORMAT,
    postgres: server?.version ?? '',
    schemaName,
    role: roles === undefined ? undefined : roleOfTenant(roles, schemaName),
    exportedAt: server?.now ?? '',
    migrations: (await new History(database, schemaName).executed(ctx)).map(({ name }) => name),
  };
}

/** The rows of each table as objects, without the history of migrations. */
async function writeJson(
  database: TenantDatabase,
  { text, header, ctx, onTable }: ExportSource & { readonly text: SchemaText; readonly header: ExportHeader },
  output: Output,
): Promise<void> {
  const history = tenantMigrationsOptions(database).tableName;
  const tables = text.tables.filter(({ rawName }) => rawName !== history);
  await database.execute('set local row_security to off', [], ctx);
  await output.write(`{"tenant":${JSON.stringify(header.schemaName)},"exportedAt":${JSON.stringify(header.exportedAt)},"tables":{`);

  for (const [index, { name, rawName }] of tables.entries()) {
    await output.write(`${index === 0 ? '' : ','}\n${JSON.stringify(rawName)}:[`);
    await database.execute(`declare landlord_rows no scroll cursor for select row_to_json(t)::text as row from only ${name} t`, [], ctx);
    let separator = '\n';

    for (;;) {
      const rows = await database.execute<{ row: string }>('fetch 500 from landlord_rows', [], ctx);

      if (rows.length === 0) {
        break;
      }

      await output.write(separator + rows.map(({ row }) => row).join(',\n'));
      separator = ',\n';
    }

    await database.execute('close landlord_rows', [], ctx);
    await output.write(']');
    onTable?.(rawName, index + 1, tables.length);
  }

  await output.write('}}\n');
}
