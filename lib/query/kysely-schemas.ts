import type { EntityMetadata } from '@mikro-orm/core';
import { PLACEHOLDER_SCHEMA } from '../postgres/schema-name.js';
import type { GuardContext } from '../scope/guard-context.js';
import { isTenantEntity } from '../tenant/entity-kinds.js';
import { builtQuery, setTenantsOfQuery } from '../connection/statements/built-queries.js';
import { forTenant } from '../connection/statements/sql-target.js';
import { mayHoldEntities, refuseForeignEntities } from '../entities/foreign-entities.js';
import { CrossTenantError } from '../errors/index.js';
import { carryInParams, refuseTenants } from '../scope/carried-tenants.js';
import { readInScope, readInThisContext } from '../scope/read-in-scope.js';
import { withScope } from '../scope/scope.js';
import type { TenantRef } from '../scope/tenant-identity.js';
import { tenantOfEm, type ScopedEm } from '../scope/tenant-of-em.js';
import { tenantSchema } from '../scope/tenant-schema.js';
import { entitiesByTable } from './entities-by-table.js';
import { guardBelowPlugins, type GuardableKysely, type KyselyExecutor } from './kysely-executor.js';
import { addBuiltFor, hasParts, isNode, setTenantsOfNode, type OperationNode, type Parts, type WithNode } from './kysely-nodes.js';

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
  const own = em.schema;
  const resolve = (metas: readonly EntityMetadata[], asked: string | undefined, named: Set<string>): string | undefined => {
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

  return guardBelowPlugins(kysely, {
    transform: (node, queryId, plugins) => {
      const tenant = tenantOf(em, guard);
      const mine = tenant?.schemaName ?? schemaOfScope(guard);
      const named = new Set<string>();
      const values: object[] = [];
      addBuiltFor(node, named, values);
      refuseForeignValues(values, mine, guard);
      const given = plugins(node);

      // a plugin may put in a query that has been built
      if (given !== node) {
        addBuiltFor(given, named, values);
      }

      refuseTenants(named, mine);
      const tables = entitiesByTable(guard.rules.metadata);
      const qualified = qualify(mark(kysely, given, queryId), {
        resolve: (name, asked) => resolve(tables.get(name) ?? NO_METAS, asked, named),
        isKnown: name => tables.has(name),
        refuseSchema: name => refuseOtherSchema(name, guard),
        ctes: NONE,
        hidden: NONE,
      });
      const tenants = mine === undefined ? [...named] : [mine];
      setTenantsOfQuery(queryId, tenant, tenants);
      setTenantsOfNode(qualified, tenants);

      return qualified;
    },
    compiled: query => {
      carryInParams(query.parameters, builtQuery(query.queryId)?.tenants ?? NO_NAMES);

      return query;
    },
    check: ({ queryId, parameters }) => {
      refuseTenants(builtQuery(queryId)?.tenants ?? NO_NAMES, schemaOfScope(guard) ?? own);
      // of an instance of nobody's it is known only here whom they are for
      refuseForeignValues(parameters, own, isOfNobody ? { ...guard, scope: guard.rules.scope } : guard);
    },
    run,
    stream: send => run(() => readInThisContext(isOfNobody ? send() : readInScope(send(), guard.scope))),
  });
}

/** What is stored of an entity, as JSON, is all that is known of it. @throws CrossTenantError `CROSS_TENANT` */
function refuseForeignValues(values: readonly unknown[], own: string | undefined, guard: GuardContext): void {
  if (mayHoldEntities(values)) {
    refuseForeignEntities(values, own, { ...guard, values: 'JSON' });
  }
}

/** Marks what `withSchema` would qualify. */
function mark(kysely: GuardableKysely, node: object, queryId: object): object {
  let marking = marks.get(kysely);

  if (marking === undefined) {
    marking = kysely.withoutPlugins().withSchema(PLACEHOLDER_SCHEMA).getExecutor();
    marks.set(kysely, marking);
  }

  try {
    return marking.transformQuery(node, queryId) as object;
  } catch (error) {
    // Kysely's has the names of the query in hand, and would take those of this one for the next one's
    marks.delete(kysely);
    throw error;
  }
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

function qualify<T extends object>(node: T, names: Names): T {
  if (Array.isArray(node)) {
    return qualifyAll(node, names) as unknown as T;
  }

  // what a value looks like is the user's affair
  if (!hasParts(node) || node.kind === 'ValueNode' || node.kind === 'PrimitiveValueListNode') {
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

  const target = node.setSchema ?? (SCHEMA_NODES.has(kind) ? node.schema : undefined);
  const schemaName = (target as OperationNode | undefined)?.identifier?.name ?? target?.name;

  if (schemaName !== undefined) {
    names.refuseSchema(schemaName);
  }

  const inner = namesIn(node, names);
  const parts = node as unknown as Parts;
  let changed: Record<string, unknown> | undefined;

  // what has no table in it stays the node that it is
  for (const key in parts) {
    const part = parts[key];

    // texts and what is absent, as most parts are
    if (typeof part !== 'object' || part === null) {
      continue;
    }

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
    const node = nodes[index];
    const qualified = typeof node === 'object' && node !== null ? qualify(node, names) : node;

    if (qualified !== node) {
      changed ??= [...nodes];
      changed[index] = qualified;
    }
  }

  return changed ?? nodes;
}

function qualifyCtes(node: WithNode, outer: Names): WithNode {
  const all = cteNames(node);

  return {
    ...node,
    expressions: node.expressions.map((cte, index) => {
      const there = node.recursive === true ? all : all.slice(0, index);
      const ctes = new Set([...outer.ctes, ...there]);
      const hidden = new Set([...outer.hidden, ...all].filter(name => !ctes.has(name)));

      return { ...cte, expression: qualify(cte.expression, { ...outer, ctes, hidden }) };
    }),
  };
}

function namesIn(node: OperationNode, names: Names): Names {
  // a column's table is named as the query that reads it does
  if (node.kind === 'ReferenceNode') {
    return names.hidden === NONE ? names : { ...names, hidden: NONE };
  }

  if (node.kind === 'RawNode') {
    const tables = (node.parameters ?? []).map(tableOf).filter(name => name !== undefined);

    return { ...names, hidden: new Set([...names.hidden, ...tables.filter(name => names.isKnown(name) && !names.ctes.has(name))]) };
  }

  if (node.with === undefined) {
    return names;
  }

  const own = cteNames(node.with);

  return { ...names, ctes: new Set([...names.ctes, ...own]), hidden: new Set([...names.hidden].filter(name => !own.includes(name))) };
}

function cteNames(node: WithNode): readonly string[] {
  return node.expressions.map(({ name }) => tableOf(name.table) ?? '');
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

const NO_METAS: readonly EntityMetadata[] = [];

const SCHEMA_NODES: ReadonlySet<string> = new Set(['CreateSchemaNode', 'DropSchemaNode']);

const marks = new WeakMap<GuardableKysely, KyselyExecutor>();

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
