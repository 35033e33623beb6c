import { TenantRules } from '../../scope/tenant-rules.js';
import type { Configuration } from '@mikro-orm/core';
import type { TaggedScope } from '../../tenant/sql-tag-options.js';
import type { TenantMixin } from '../../tenant/tenant-mixin.js';
import type { DatabaseConnection, Query } from './kysely-types.js';
import type { SqlTarget } from './sql-target.js';

/** The comment for a statement; undefined for one that gets none. */
export type TagOf = (query: Query) => string | undefined;

/**
 * Has each statement on the connection end with its comment. It is added to what is sent, below everything that reads SQL: the guards and the
 * scanner never see it. The text of a statement stays one that PostgreSQL parses each time: neither Kysely nor MikroORM names a prepared one.
 */
export function tagStatements(connection: DatabaseConnection, tagOf: TagOf): void {
  const executeQuery = connection.executeQuery.bind(connection);
  const streamQuery = connection.streamQuery.bind(connection);

  connection.executeQuery = (query, options) => executeQuery(tagged(query, tagOf), options);
  connection.streamQuery = (query, ...rest) => streamQuery(tagged(query, tagOf), ...rest);
}

/** What tags the statements of an ORM. Undefined if the option `sqlTags` is off, so that nothing is asked then. */
export function tagsOf(config: Configuration, targetOf: (query: Query) => SqlTarget): TagOf | undefined {
  const rules = TenantRules.find(config);
  const sqlTags = rules?.options.sqlTags ?? false;

  if (rules === undefined || sqlTags === false) {
    return undefined;
  }

  const tagsFor = typeof sqlTags === 'function' ? sqlTags : ({ schemaName }: TaggedScope) => ({ tenant: schemaName });
  const known = new WeakMap<object, string | undefined>();

  return query => {
    const target = targetOf(query);
    const { scope } = rules;

    // what the library sends in a tenant's scope is for this tenant
    if (scope?.kind === 'tenant' && (target.kind !== 'tenant' || target.schemaName === scope.schemaName)) {
      if (!known.has(scope)) {
        known.set(
          scope,
          commentOf(() => tagsFor({ schemaName: scope.schemaName, tenant: scope.tenant as TenantMixin<unknown> })),
        );
      }

      return known.get(scope);
    }

    return target.kind === 'tenant' ? commentOf(() => tagsFor({ schemaName: target.schemaName, tenant: undefined })) : undefined;
  };
}

/** The tags as a comment in the form of sqlcommenter. Undefined where there are none, also where they cannot be made: a tag must fail no statement. */
export function commentOf(read: () => Readonly<Record<string, unknown>>): string | undefined {
  try {
    const tags = Object.entries(read())
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => `${encode(name)}='${encode(String(value))}'`)
      .toSorted();

    return tags.length === 0 ? undefined : `/*${tags.join(',')}*/`;
  } catch {
    return undefined;
  }
}

function tagged(query: Query, tagOf: TagOf): Query {
  const comment = tagOf(query);

  if (comment === undefined) {
    return query;
  }

  const { sql, endsAt = query.sql.length } = query;
  const statement = sql.slice(0, endsAt);

  // PostgreSQL shows the beginning of a long message, so it stands before what is sent after the statement
  return { ...query, sql: `${statement}${statement.includes('--') ? '\n' : ' '}${comment}${sql.slice(endsAt)}` };
}

/** Leaves letters, digits and `-_.~` as they are. All else is percent-encoded, so that nothing can end a tag or the comment. */
function encode(text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\uFFFD')).replaceAll(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
