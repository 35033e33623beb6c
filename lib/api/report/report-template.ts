import { randomBytes } from 'node:crypto';
import { ReferenceKind, Utils, type EntityMetadata, type EntityName, type EntityProperty, type FilterOptions } from '@mikro-orm/core';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { ReportError } from '../../errors/index.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import { isTenantEntity } from '../../tenant/entity-kinds.js';

/**
 * What MikroORM's query builder makes of a query, for a tenant whose name nobody can know. In the SQL of each tenant, that name is replaced by
 * the tenant's own. So conditions, names of columns, filters and types are MikroORM's, and no table of another schema can be in it: a relation
 * is joined in the schema of the query, or in the public one.
 */
export class ReportTemplate {
  readonly meta: EntityMetadata;
  /** The properties that are read, the primary key among them. */
  readonly properties: readonly EntityProperty[];
  /** The tables of the tenant that the SQL reads, with their columns. */
  readonly columns: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #parts: readonly string[];
  readonly #made: MadeQuery;

  constructor(meta: EntityMetadata, properties: readonly EntityProperty[], made: MadeQuery) {
    const { sql, placeholder } = made;
    this.meta = meta;
    this.properties = properties;
    this.columns = columnsIn(sql, placeholder);
    // a name in a raw fragment may have no quotes
    this.#parts = sql.split(new RegExp(`"${placeholder}"|${placeholder}`));
    this.#made = made;
  }

  /** The names of the columns that the SQL gives. */
  get names(): readonly string[] {
    return this.properties.flatMap(({ fieldNames }) => fieldNames);
  }

  get keys(): readonly string[] {
    return this.meta.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames);
  }

  /** The query of one tenant, which has each row once. */
  queryOf(schemaName: string): Sql {
    const { params, placeholder } = this.#made;

    return {
      sql: this.#parts.join(quoteIdentifier(schemaName)),
      params: params.map(value => (typeof value === 'string' ? value.replaceAll(placeholder, schemaName) : value)),
    };
  }
}

/** @throws ReportError `REPORT_USAGE` */
export async function makeTemplate(database: TenantDatabase, entity: EntityName<any>, wanted: WantedQuery): Promise<ReportTemplate> {
  const meta = database.rules.metadata.find(entity);

  // a view is there to be read, and what is an expression alone is in no schema
  if (meta === undefined || !isTenantEntity(meta) || (meta.expression !== undefined && meta.view !== true)) {
    throw ReportError.notTenantEntity(Utils.className(entity));
  }

  if (meta.root.inheritanceType === 'tpt') {
    throw ReportError.notTenantEntity(meta.className, 'it is stored in several tables');
  }

  const properties = propertiesOf(meta, wanted.fields);
  const placeholder = `landlord_${randomBytes(12).toString('hex')}`;
  const em = database.orm.em.fork({ schema: placeholder });
  const names = properties.map(({ name }) => name) as never[];
  const found = em.createQueryBuilder(entity as EntityName<object>).select(names);

  if (wanted.where !== undefined) {
    found.where(wanted.where as never);
  }

  await found.applyFilters(wanted.filters);
  await found.applyJoinedFilters(em, wanted.filters);
  const { sql, params } = found.toQuery();
  const template = new ReportTemplate(meta, properties, { sql, params, placeholder });

  if (!/ join /.test(sql)) {
    return template;
  }

  // a join may give a row several times
  const keys = template.keys.map(key => `"d".${quoteIdentifier(key)}`).join(', ');
  return new ReportTemplate(meta, properties, { sql: `select distinct on (${keys}) "d".* from (${sql}) as "d"`, params, placeholder });
}

/** A property of the entity that is one column of its own. @throws ReportError `REPORT_USAGE` */
export function columnOf(meta: EntityMetadata, name: string, use: string): PropertyColumn {
  const property = Object.hasOwn(meta.properties, name) ? (meta.properties as Record<string, EntityProperty>)[name] : undefined;
  const [column, ...others] = property?.fieldNames ?? [];

  if (property === undefined || column === undefined || others.length > 0 || property.formula !== undefined || !isStored(property)) {
    throw ReportError.notAColumn(meta.className, name, use);
  }

  // the values of each tenant are of a type of their own
  if (property.nativeEnumName !== undefined) {
    throw ReportError.notAColumn(meta.className, name, use, 'it is of a native enum, whose order each tenant has for itself');
  }

  return { name, property, column };
}

/** A property and its one column. */
export interface PropertyColumn {
  readonly name: string;
  readonly property: EntityProperty;
  readonly column: string;
}

function propertiesOf(meta: EntityMetadata, fields: readonly string[] | undefined): EntityProperty[] {
  const stored = meta.props.filter(isStored);

  if (fields === undefined) {
    return stored.filter(({ lazy, primary }) => lazy !== true || primary === true);
  }

  const unknown = fields.find(name => !stored.some(each => isOf(each, name)));

  if (unknown !== undefined) {
    throw ReportError.notAColumn(meta.className, unknown, '`fields`');
  }

  return stored.filter(each => each.primary === true || fields.some(name => isOf(each, name)));
}

function isOf({ name, embedded }: EntityProperty, field: string): boolean {
  return name === field || embedded?.[0] === field;
}

/** Whether it has columns of its own in the entity's table, or is computed from them. */
function isStored({ kind, persist, formula, owner, object, fieldNames }: EntityProperty): boolean {
  if ((persist === false && formula === undefined) || fieldNames === undefined) {
    return false;
  }

  if (kind === ReferenceKind.EMBEDDED) {
    return object === true;
  }

  return kind === ReferenceKind.SCALAR || kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && owner === true);
}

/** Relies on MikroORM giving each table an alias, and writing it before each column. A column of a raw fragment is not seen. */
function columnsIn(sql: string, placeholder: string): Map<string, Set<string>> {
  const tables = new Map<string, string>();
  const columns = new Map<string, Set<string>>();

  for (const [, table = '', alias = ''] of sql.matchAll(new RegExp(`"${placeholder}"\\.${NAME} as ${NAME}`, 'g'))) {
    tables.set(unquoted(alias), unquoted(table));
    columns.set(unquoted(table), new Set());
  }

  for (const [, alias = '', column = ''] of sql.matchAll(new RegExp(`${NAME}\\.${NAME}`, 'g'))) {
    const table = tables.get(unquoted(alias));

    if (table !== undefined) {
      columns.get(table)?.add(unquoted(column));
    }
  }

  return columns;
}

function unquoted(name: string): string {
  return name.replaceAll('""', '"');
}

const NAME = '"((?:[^"]|"")+)"';

/** A statement or a part of one, with `?` for each value. */
export interface Sql {
  readonly sql: string;
  readonly params: readonly unknown[];
}

interface MadeQuery extends Sql {
  readonly placeholder: string;
}

export interface WantedQuery {
  readonly where?: unknown;
  readonly fields?: readonly string[];
  readonly filters?: FilterOptions | undefined;
}
