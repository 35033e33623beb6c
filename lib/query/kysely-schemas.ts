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
import { qualify, withoutBareTables } from './kysely-names.js';
import { addBuiltFor, setTenantsOfNode } from './kysely-nodes.js';

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
  const resolve = (metas: readonly EntityMetadata[], asked: string | undefined, { named, isDefined }: Resolving): string | undefined => {
    const shared = metas.find(meta => !isTenantEntity(meta) && (asked === undefined || meta.schema === asked));
    const tenant = metas.find(isTenantEntity);

    // of two entities with one table name, an unqualified name is the tenant's where there is a tenant
    if (shared !== undefined && (asked !== undefined || tenant === undefined || own === undefined)) {
      return shared.schema;
    }

    // one of no entity may be a temporary table, or PostgreSQL's own: it is looked up on the path, as in raw SQL
    if (tenant === undefined) {
      return asked ?? (isDefined ? own : undefined);
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
      const qualified = qualify(mark(kysely, given === node ? given : withoutBareTables(given), queryId), {
        resolve: (name, asked, isDefined) => resolve(tables.get(name) ?? NO_METAS, asked, { named, isDefined }),
        isKnown: name => tables.has(name),
        refuseSchema: name => refuseOtherSchema(name, guard),
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
    stream: send => run(() => (isOfNobody ? readInThisContext(send()) : readInScope(send(), guard.scope))),
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

interface Resolving {
  /** The tenants whose tables are named. */
  readonly named: Set<string>;
  /** Whether it is made, changed or dropped. */
  readonly isDefined: boolean;
}

const NO_NAMES: readonly string[] = [];

const NO_METAS: readonly EntityMetadata[] = [];

const marks = new WeakMap<GuardableKysely, KyselyExecutor>();
