import type { EntityMetadata } from '@mikro-orm/core';
import { PLACEHOLDER_SCHEMA } from '../schema-name.js';
import type { QueryGuard } from './tenant-query-builder.js';
import { isTenantEntity } from './entity-kinds.js';
import { tenantSchema } from './tenant-schema.js';

/**
 * Puts a Kysely instance under guard: every table that an entity has gets the schema its scope may use. Kysely's own `withSchema`
 * knows which names are tables and which are aliases, so it marks the unqualified ones, and the plugin after it decides. What the
 * user qualifies, also by a `withSchema` of their own, comes to the plugin as it is, and is refused if it is another tenant's.
 *
 * Raw fragments of SQL have no tables to see, and are left alone.
 */
export function guardKysely<K extends KyselyLike>(kysely: K, em: { readonly schema: string | undefined }, guard: QueryGuard): K {
  const tables = tablesOf(guard);
  const own = em.schema;
  const resolve = (name: string, asked: string | undefined): string | undefined => {
    const metas = tables.get(name) ?? [];
    const shared = metas.find(meta => !isTenantEntity(meta) && (asked === undefined || meta.schema === asked));
    const tenant = metas.find(isTenantEntity);

    // of two entities with one table name, an unqualified name is the tenant's where there is a tenant
    if (shared !== undefined && (asked !== undefined || tenant === undefined || own === undefined)) {
      return shared.schema;
    }

    return tenant === undefined ? (asked ?? own) : tenantSchema(tenant.className, asked ?? own, guard.scope, guard.tenancy);
  };

  return kysely.withSchema(PLACEHOLDER_SCHEMA).withPlugin({
    transformQuery: ({ node }) => qualify(node, resolve),
    transformResult: async ({ result }) => result,
  }) as K;
}

function tablesOf({ tenancy }: QueryGuard): Tables {
  const known = tablesOfOrm.get(tenancy);

  if (known !== undefined) {
    return known;
  }

  const tables = new Map<string, EntityMetadata[]>();
  tablesOfOrm.set(tenancy, tables);

  for (const meta of tenancy.orm.getMetadata().getAll().values()) {
    if (meta.schema !== undefined) {
      tables.set(meta.tableName, [...(tables.get(meta.tableName) ?? []), meta]);
    }
  }

  return tables;
}

function qualify<T>(node: T, resolve: Resolve): T {
  if (Array.isArray(node)) {
    return node.map(item => qualify(item as unknown, resolve)) as T;
  }

  // what a value looks like is the user's affair
  if (!isNode(node) || node.kind === 'ValueNode' || node.kind === 'PrimitiveValueListNode') {
    return node;
  }

  const { kind, schema, identifier } = node;

  if (kind === 'SchemableIdentifierNode' && schema !== undefined && identifier !== undefined) {
    const resolved = resolve(identifier.name, schema.name === PLACEHOLDER_SCHEMA ? undefined : schema.name);
    const { schema: _, ...unqualified } = node;

    return (resolved === undefined ? unqualified : { ...node, schema: { ...schema, name: resolved } }) as T;
  }

  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, qualify(value, resolve)])) as T;
}

// the nodes of a query are plain objects that say their kind; everything else in it is a value
function isNode(value: unknown): value is OperationNode {
  return typeof value === 'object' && value !== null && typeof (value as { readonly kind?: unknown }).kind === 'string';
}

const tablesOfOrm = new WeakMap<object, Tables>();

type Tables = ReadonlyMap<string, readonly EntityMetadata[]>;

type Resolve = (name: string, asked: string | undefined) => string | undefined;

interface OperationNode {
  readonly kind: string;
  readonly schema?: { readonly name: string };
  readonly identifier?: { readonly name: string };
}

/** The parts of a Kysely instance, or of its transaction, that are used here. */
interface KyselyLike {
  withSchema(schema: string): KyselyLike;
  withPlugin(plugin: {
    transformQuery(args: { readonly node: any }): any;
    transformResult(args: { readonly result: any }): Promise<any>;
  }): KyselyLike;
}
