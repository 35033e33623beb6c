import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { QueryBuilderHelper } from '@mikro-orm/postgresql';
import type { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import type { GuardContext } from '../scope/guard-context.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/** MikroORM's query builder helper, which writes the joins. Here every tenant table gets the schema that the query may use. */
export class GuardedQueryHelper extends QueryBuilderHelper {
  declare query: GuardedQuery;

  override createFormulaTable(...[alias, meta, schema, ...rest]: Args<'createFormulaTable'>): ReturnType<Mikro['createFormulaTable']> {
    return super.createFormulaTable(alias, meta, this.query.schemaOfFormula(meta, schema), ...rest);
  }

  override getTableName(...args: Args<'getTableName'>): string {
    const meta = this.query.guard.rules.metadata.find(args[0]);

    return meta?.schema === DEFAULT_SCHEMA ? `${DEFAULT_SCHEMA}.${meta.tableName}` : super.getTableName(...args);
  }

  override createJoinExpression(...args: Args<'createJoinExpression'>): ReturnType<Mikro['createJoinExpression']> {
    const [join, joins, schema, override, ...rest] = args;
    const { guard } = this.query;
    const meta = joinedMeta(join, guard.rules);

    if (meta?.schema === undefined) {
      return super.createJoinExpression(this.withNamedTable(join), joins, schema, override, ...rest);
    }

    const resolved = isTenantEntity(meta) ? resolve(guard, meta, schemaOfJoin(join, [override, schema], guard)) : meta.schema;
    // `table` contains the schema. `schema` is the default one, because MikroORM does not write that
    const qualified = { ...join, table: `${resolved}.${meta.tableName}`, schema: DEFAULT_SCHEMA };

    return super.createJoinExpression(qualified, joins, schema, override, ...rest);
  }

  // MikroORM joins what `sql.ref()` names as a table of that name, and leaves the default schema out
  private withNamedTable(join: Args<'createJoinExpression'>[0]): Args<'createJoinExpression'>[0] {
    const { schema, table } = join as Join;

    // a sub-query has no table
    if (table === undefined) {
      return join;
    }

    const named = schema === undefined || schema === '*' ? table : `${schema}.${table}`;
    this.query.tableInUse(named);

    return schema === DEFAULT_SCHEMA ? { ...join, table: named } : join;
  }
}

/** The helper of a query as MikroORM makes it. Undefined if it is made of something else by now. */
export function createHelper({ mainAlias: { entityName, aliasName }, state, driver }: HelpedQuery): GuardedQueryHelper | undefined {
  const { aliases, subQueries, tptAlias } = state;

  return MAKES_HELPER_AS_HERE ? new GuardedQueryHelper(entityName, aliasName, aliases, subQueries, driver, tptAlias) : undefined;
}

const MAKES_HELPER_AS_HERE = QueryBuilderHelper.length === 5;

/** Puts a helper under guard that MikroORM has made. An object whose prototype is changed is slow for good. */
export function guardHelper(helper: object, query: GuardedQuery): GuardedQueryHelper {
  const guarded = (
    helper instanceof GuardedQueryHelper ? helper : Object.setPrototypeOf(helper, GuardedQueryHelper.prototype)
  ) as GuardedQueryHelper;
  guarded.query = query;

  return guarded;
}

// undefined for sub-queries and CTEs, whose property has no entity
function joinedMeta(join: Join, rules: TenantRules): EntityMetadata | undefined {
  return join.path?.endsWith('[pivot]') === true && join.prop.pivotEntity !== undefined
    ? rules.metadata.find(join.prop.pivotEntity)
    : join.prop.targetMeta;
}

/**
 * The schema to read a joined tenant table in. The schema of a query for a shared entity is the public one, and does not show which tenant's
 * rows are joined. The scope's tenant is used then.
 */
function schemaOfJoin(join: Join, querySchemas: readonly (string | undefined)[], guard: GuardContext): string | undefined {
  return join.schema !== undefined && join.schema !== '*' ? join.schema : tenantSchemaFrom(querySchemas, guard);
}

/** The first schema that is a tenant's, else the scope's. */
export function tenantSchemaFrom(schemas: readonly (string | undefined)[], { scope, rules }: GuardContext): string | undefined {
  for (let index = 0; index < schemas.length; index += 1) {
    const schema = schemas[index];

    if (schema !== undefined && schema !== rules.publicSchema && schema !== DEFAULT_SCHEMA && schema !== '*') {
      return schema;
    }
  }

  return scope?.kind === 'tenant' ? scope.schemaName : undefined;
}

export function resolve({ rules, scope }: GuardContext, meta: EntityMetadata, requested: string | undefined): string {
  return tenantSchema(meta.className, requested, scope, rules);
}

/** MikroORM's constant for the default schema of PostgreSQL. It does not depend on `publicSchema`. */
export const DEFAULT_SCHEMA = 'public';

type Args<Name extends 'createFormulaTable' | 'createJoinExpression' | 'getTableName'> = Parameters<Mikro[Name]>;

type Mikro = QueryBuilderHelper;

type Parts = ConstructorParameters<typeof QueryBuilderHelper>;

/** What of a query its helper is made of. */
export interface HelpedQuery {
  readonly driver: Parts[4];
  readonly mainAlias: { readonly entityName: Parts[0]; readonly aliasName: string };
  readonly state: { readonly aliases: Parts[2]; readonly subQueries: Parts[3]; readonly tptAlias: NonNullable<Parts[5]> };
}

/** The query that a helper belongs to. */
interface GuardedQuery {
  readonly guard: GuardContext;
  schemaOfFormula(meta: EntityMetadata, given: string | undefined): string | undefined;
  tableInUse(name: string): EntityMetadata | undefined;
}

export interface Join {
  readonly path?: string;
  readonly prop: Pick<EntityProperty, 'pivotEntity' | 'targetMeta'>;
  readonly schema?: string;
  readonly table: string;
}
