import type { EntityMetadata } from '@mikro-orm/core';
import { PLACEHOLDER_SCHEMA } from '../postgres/schema-name.js';
import type { GuardContext } from '../scope/guard-context.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { builtQuery, setTenantsOfQuery } from '../connection/built-queries.js';
import { forTenant } from '../connection/sql-target.js';
import { CrossTenantError } from '../errors/index.js';
import { refuseTenants } from '../scope/carried-tenants.js';
import { readInScope, readInThisContext } from '../scope/read-in-scope.js';
import { withScope } from '../scope/scope.js';
import type { TenantRef } from '../scope/tenant-identity.js';
import { tenantOfEm, type ScopedEm } from '../scope/tenant-of-em.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { guardBelowPlugins, type GuardableKysely } from './kysely-executor.js';
import { builtFor, isNode, setTenantsOfNode, type OperationNode, type WithNode } from './kysely-nodes.js';

/**
 * Puts a Kysely instance under guard: every table that an entity has gets the schema its scope may use. Kysely's own `withSchema`
 * knows which names are tables and which are aliases, so it marks the unqualified ones, and what comes after it decides. What the
 * user qualifies, also by a `withSchema` of their own or a plugin, is left as it is, and is refused if it is another tenant's. So is a
 * query that was built by another tenant's instance.
 *
 * It leaves out every name that a CTE of the query has, while PostgreSQL sees a CTE only from the next one on: the tables before are
 * qualified here. Of a raw fragment of SQL, what `sql.table()` names is qualified where an entity has it; the rest is left to the path.
 */
export function guardKysely<K extends GuardableKysely>(kysely: K, em: ScopedEm, guard: GuardContext): K {
  const tables = tablesOf(guard);
  const own = em.schema;
  const resolve = (name: string, asked: string | undefined, named: Set<string>): string | undefined => {
    const metas = tables.get(name) ?? [];
    const shared = metas.find(meta => !isTenantEntity(meta) && (asked === undefined || meta.schema === asked));
    const tenant = metas.find(isTenantEntity);

    // of two entities with one table name, an unqualified name is the tenant's where there is a tenant
    if (shared !== undefined && (asked !== undefined || tenant === undefined || own === undefined)) {
      return shared.schema;
    }

    if (tenant === undefined) {
      return asked ?? own;
    }

    const schemaName = tenantSchema(tenant.className, asked ?? own, guard.scope, guard.rules);
    named.add(schemaName);

    return schemaName;
  };

  // one that was made in no scope, and for no tenant, sends raw SQL for the scope that it is used in
  const isOfNobody = guard.scope === undefined && own === undefined;
  const run = <Result>(send: () => Result): Result =>
    isOfNobody ? send() : withScope(guard.scope, () => forTenant(guard.rules, tenantOfEm(em), send));
  const marking = kysely.withoutPlugins().withSchema(PLACEHOLDER_SCHEMA).getExecutor();

  return guardBelowPlugins(kysely, {
    transform: (node, queryId, plugins) => {
      const tenant = tenantOf(em, guard);
      const mine = tenant?.schemaName ?? schemaOfScope(guard);
      const named = new Set(builtFor(node));
      refuseTenants([...named], mine);
      const marked = marking.transformQuery(plugins(node), queryId) as object;
      const qualified = qualify(marked, {
        resolve: (name, asked) => resolve(name, asked, named),
        isKnown: name => tables.has(name),
        refuseSchema: name => refuseOtherSchema(name, guard),
        ctes: new Set(),
        hidden: new Set(),
      });
      const tenants = mine === undefined ? [...named] : [mine];
      setTenantsOfQuery(queryId, tenant, tenants);
      setTenantsOfNode(qualified, tenants);

      return qualified;
    },
    check: queryId => refuseTenants(builtQuery(queryId)?.tenants ?? NO_NAMES, schemaOfScope(guard) ?? own),
    run,
    stream: send => run(() => readInThisContext(isOfNobody ? send() : readInScope(send(), guard.scope))),
  });
}

// of a statement that creates or drops a schema, or moves a table there
function refuseOtherSchema(name: string, { scope, rules }: GuardContext): void {
  if (scope?.kind === 'tenant' && ![scope.schemaName, rules.publicSchema, ...rules.sharedSchemas].includes(name)) {
    throw CrossTenantError.otherSchema('A Kysely query', name, scope.schemaName);
  }
}

function schemaOfScope({ scope }: GuardContext): string | undefined {
  return scope?.kind === 'tenant' ? scope.schemaName : undefined;
}

// what raw SQL in a query is for
function tenantOf(em: ScopedEm, { scope, rules }: GuardContext): TenantRef | undefined {
  const own = tenantOfEm(em);

  return own === undefined || own.schemaName === rules.publicSchema
    ? undefined
    : { schemaName: tenantSchema('Raw SQL', own.schemaName, scope, rules), identity: own.identity };
}

/** The entities of each table, as they are when it is asked for: `orm.discoverEntity()` adds some later, and replaces some. */
function tablesOf({ rules }: GuardContext): Tables {
  const now = (): ReadonlyMap<string, readonly EntityMetadata[]> => {
    const metas = rules.metadata.getAll();
    let known = tablesOfOrm.get(rules);

    if (known === undefined || !isSameList(known.metas, metas)) {
      known = { metas: [...metas.values()], tables: byTable(metas) };
      tablesOfOrm.set(rules, known);
    }

    return known.tables;
  };

  return { get: name => now().get(name), has: name => now().has(name) };
}

function byTable(metas: ReadonlyMap<unknown, EntityMetadata>): Map<string, EntityMetadata[]> {
  const tables = new Map<string, EntityMetadata[]>();

  for (const meta of metas.values()) {
    if (meta.schema !== undefined) {
      tables.set(meta.tableName, [...(tables.get(meta.tableName) ?? []), meta]);
    }
  }

  return tables;
}

function isSameList(known: readonly EntityMetadata[], metas: ReadonlyMap<unknown, EntityMetadata>): boolean {
  let index = 0;

  for (const meta of metas.values()) {
    if (known[index++] !== meta) {
      return false;
    }
  }

  return index === known.length;
}

function qualify<T>(node: T, names: Names): T {
  if (Array.isArray(node)) {
    return qualifyAll(node, names) as T;
  }

  // what a value looks like is the user's affair
  if (!isNode(node) || node.kind === 'ValueNode' || node.kind === 'PrimitiveValueListNode') {
    return node;
  }

  const { kind, schema, identifier } = node;

  if (kind === 'SchemableIdentifierNode' && schema !== undefined && identifier !== undefined) {
    const resolved = names.resolve(identifier.name, schema.name === PLACEHOLDER_SCHEMA ? undefined : schema.name);
    const { schema: _, ...unqualified } = node;

    return (resolved === undefined ? unqualified : { ...node, schema: { ...schema, name: resolved } }) as T;
  }

  if (kind === 'TableNode' && names.hidden.has(tableOf(node) ?? '')) {
    return qualify(withPlaceholder(node), { ...names, hidden: NONE }) as T;
  }

  const target = kind === 'AlterTableNode' ? node.setSchema : SCHEMA_NODES.has(kind) ? node.schema : undefined;
  const schemaName = (target as OperationNode | undefined)?.identifier?.name ?? target?.name;

  if (schemaName !== undefined) {
    names.refuseSchema(schemaName);
  }

  const inner = namesIn(node, names);
  const parts = node as unknown as Readonly<Record<string, unknown>>;
  let changed: Record<string, unknown> | undefined;

  // what has no table in it stays the node that it is
  for (const key of Object.keys(parts)) {
    const part = parts[key];
    const qualified = key === 'with' ? qualifyCtes(part as WithNode, names) : qualify(part, inner);

    if (qualified !== part) {
      changed ??= { ...parts };
      changed[key] = qualified;
    }
  }

  return (changed ?? node) as T;
}

function qualifyAll(nodes: readonly unknown[], names: Names): readonly unknown[] {
  let changed: unknown[] | undefined;

  for (let index = 0; index < nodes.length; index += 1) {
    const qualified = qualify(nodes[index], names);

    if (qualified !== nodes[index]) {
      changed ??= [...nodes];
      changed[index] = qualified;
    }
  }

  return changed ?? nodes;
}

function qualifyCtes(node: WithNode | undefined, outer: Names): WithNode | undefined {
  const all = cteNames(node);

  return (
    node && {
      ...node,
      expressions: node.expressions.map((cte, index) => {
        const there = node.recursive === true ? all : all.slice(0, index);
        const ctes = new Set([...outer.ctes, ...there]);
        const hidden = new Set([...outer.hidden, ...all].filter(name => !ctes.has(name)));

        return { ...cte, expression: qualify(cte.expression, { ...outer, ctes, hidden }) };
      }),
    }
  );
}

function namesIn(node: OperationNode, names: Names): Names {
  // a column's table is named as the query that reads it does
  if (node.kind === 'ReferenceNode') {
    return { ...names, hidden: NONE };
  }

  if (node.kind === 'RawNode') {
    const tables = (node.parameters ?? []).map(tableOf).filter(name => name !== undefined);

    return { ...names, hidden: new Set([...names.hidden, ...tables.filter(name => names.isKnown(name) && !names.ctes.has(name))]) };
  }

  const own = cteNames(node.with);

  return own.length === 0
    ? names
    : { ...names, ctes: new Set([...names.ctes, ...own]), hidden: new Set([...names.hidden].filter(name => !own.includes(name))) };
}

function cteNames(node: WithNode | undefined): readonly string[] {
  return node === undefined ? NO_NAMES : node.expressions.map(({ name }) => tableOf(name.table) ?? '');
}

// the name of a table that is not qualified
function tableOf(node: unknown): string | undefined {
  return isNode(node) && node.kind === 'TableNode' && node.table?.schema === undefined ? node.table?.identifier?.name : undefined;
}

function withPlaceholder(node: OperationNode): OperationNode {
  return {
    ...node,
    table: { ...node.table, kind: 'SchemableIdentifierNode', schema: { kind: 'IdentifierNode', name: PLACEHOLDER_SCHEMA } },
  };
}

const NONE: ReadonlySet<string> = new Set();

const NO_NAMES: readonly string[] = [];

const SCHEMA_NODES: ReadonlySet<string> = new Set(['CreateSchemaNode', 'DropSchemaNode']);

const tablesOfOrm = new WeakMap<object, { readonly metas: readonly EntityMetadata[]; readonly tables: Map<string, EntityMetadata[]> }>();

type Tables = Pick<ReadonlyMap<string, readonly EntityMetadata[]>, 'get' | 'has'>;

type Resolve = (name: string, asked: string | undefined) => string | undefined;

interface Names {
  readonly resolve: Resolve;
  readonly isKnown: (table: string) => boolean;
  readonly refuseSchema: (name: string) => void;
  /** The CTEs that may be read here. */
  readonly ctes: ReadonlySet<string>;
  /** What has the name of a CTE that cannot be read here, and is a table therefore. */
  readonly hidden: ReadonlySet<string>;
}
