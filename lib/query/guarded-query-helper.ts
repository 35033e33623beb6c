import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { QueryBuilderHelper } from '@mikro-orm/postgresql';
import type { TenantRules } from '../scope/tenant-rules.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import type { GuardContext } from '../scope/guard-context.js';
import { tenantSchema } from '../scope/tenant-schema.js';

/** MikroORM's helper of a query builder, which writes out its joins, with every table of a tenant in the schema that the query may use. */
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
      return super.createJoinExpression(...args);
    }

    const resolved = isTenantEntity(meta) ? resolve(guard, meta, wantedSchema(join, [override, schema], guard)) : meta.schema;
    // the schema goes in with the table, and the default one in its place, which MikroORM does not write
    const qualified = { ...join, table: `${resolved}.${meta.tableName}`, schema: DEFAULT_SCHEMA };

    return super.createJoinExpression(qualified, joins, schema, override, ...rest);
  }
}

export function guardHelper(helper: object, query: GuardedQuery): GuardedQueryHelper {
  const guarded = (
    helper instanceof GuardedQueryHelper ? helper : Object.setPrototypeOf(helper, GuardedQueryHelper.prototype)
  ) as GuardedQueryHelper;
  guarded.query = query;

  return guarded;
}

// sub-queries and CTEs are joined under a property that no entity has
function joinedMeta(join: Join, rules: TenantRules): EntityMetadata | undefined {
  return join.path?.endsWith('[pivot]') === true && join.prop.pivotEntity !== undefined
    ? rules.metadata.find(join.prop.pivotEntity)
    : join.prop.targetMeta;
}

/**
 * The tenant that a joined table is asked of. A query that starts from a shared entity has the public schema, which says nothing
 * of the tenant whose rows it joins: that is then the scope's.
 */
function wantedSchema(join: Join, ofQuery: readonly (string | undefined)[], guard: GuardContext): string | undefined {
  return join.schema !== undefined && join.schema !== '*' ? join.schema : tenantAmong(ofQuery, guard);
}

/** The first of the schemas that is a tenant's, else the scope's. */
export function tenantAmong(schemas: readonly (string | undefined)[], { scope, rules }: GuardContext): string | undefined {
  const named = schemas.find(schema => schema !== undefined && ![rules.publicSchema, DEFAULT_SCHEMA, '*'].includes(schema));

  return named ?? (scope?.kind === 'tenant' ? scope.schemaName : undefined);
}

export function resolve({ rules, scope }: GuardContext, meta: EntityMetadata, wanted: string | undefined): string {
  return tenantSchema(meta.className, wanted, scope, rules);
}

/** What MikroORM takes a PostgreSQL database's default schema to be, whatever `publicSchema` is. */
export const DEFAULT_SCHEMA = 'public';

type Args<Name extends 'createFormulaTable' | 'createJoinExpression' | 'getTableName'> = Parameters<Mikro[Name]>;

type Mikro = QueryBuilderHelper;

/** The query that a helper belongs to. */
interface GuardedQuery {
  readonly guard: GuardContext;
  schemaOfFormula(meta: EntityMetadata, given: string | undefined): string | undefined;
}

export interface Join {
  readonly path?: string;
  readonly prop: Pick<EntityProperty, 'pivotEntity' | 'targetMeta'>;
  readonly schema?: string;
  readonly table: string;
}
