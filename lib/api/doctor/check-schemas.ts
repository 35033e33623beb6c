import { findDeleted } from '../../database/deleted-tenants.js';
import { SCHEMA_COMMENT } from '../../database/owned-schemas.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { findLocked } from '../../database/tenant-lock.js';
import { reasonOf } from '../../errors/index.js';
import { migrationStatus, type TenantMigrationStatus } from '../../migrations/run/status.js';
import { isDeletedName, quoteIdentifier } from '../../postgres/schema-name.js';
import type { Finding } from './finding.js';
import { readSchemas, type NamedSchema } from './read-schemas.js';

/**
 * Rows, schemas, marks and histories that do not fit together: one statement for all rows and schemas, and one for each 250 histories. A tenant that is
 * created, renamed, migrated or dropped meanwhile is not judged by what was found before and after.
 */
export async function checkSchemas(database: TenantDatabase): Promise<SchemaCheck> {
  const schemas = await readSchemas(database);
  const tenants = [...schemas.values()]
    .filter(({ name, hasRow }) => hasRow && name !== database.publicSchema && !isDeletedName(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const suspected = await checkHistories(database, new Map(tenants.filter(({ hasSchema }) => hasSchema).map(each => [each.name, each])));
  const changing = suspected.length === 0 ? new Set<string>() : await findChanging(database, schemas);
  const orphans = [...schemas.values()].filter(({ hasRow, mark }) => !hasRow && mark === SCHEMA_COMMENT);

  return {
    names: new Set(tenants.map(({ name }) => name)),
    findings: [
      ...orphans.map(({ name }) => orphaned(name)).toSorted(bySchema),
      ...[...tenants.filter(({ hasSchema }) => !hasSchema).map(({ name }) => missing(name)), ...suspected]
        .filter(({ schemaName = '' }) => !changing.has(schemaName))
        .toSorted(bySchema),
      ...(await deletedFindings(database)),
    ],
    busy: new Set(suspected.map(({ schemaName = '' }) => schemaName).filter(name => changing.has(name))),
  };
}

export interface SchemaCheck {
  /** Of all tenants. */
  readonly names: ReadonlySet<string>;
  readonly findings: readonly Finding[];
  /** Tenants that were changed meanwhile, so that what was found of them says nothing. */
  readonly busy: ReadonlySet<string>;
}

async function checkHistories(database: TenantDatabase, schemas: ReadonlyMap<string, NamedSchema>): Promise<Finding[]> {
  const { tenants } = await migrationStatus(database);

  return tenants.flatMap(tenant => {
    const schema = schemas.get(tenant.schemaName);

    // created or dropped since
    return schema === undefined || !tenant.hasSchema ? [] : [...markFindings(tenant, schema), ...historyFindings(tenant)];
  });
}

/** The schemas that somebody works on, or that are not what they were. */
async function findChanging(database: TenantDatabase, before: ReadonlyMap<string, NamedSchema>): Promise<Set<string>> {
  const locked = await findLocked(database);
  const after = await readSchemas(database);
  const changed = [...before.values()].filter(({ name, hasRow, version }) => {
    const now = after.get(name);

    return now?.version !== version || now.hasRow !== hasRow;
  });

  return new Set([...locked, ...changed.map(({ name }) => name)]);
}

function orphaned(schemaName: string): Finding {
  return {
    kind: 'schema-orphaned',
    schemaName,
    message: 'the schema was made for a tenant, and no tenant has it',
    remedy: `Create its tenant again with \`tenants().create(data, { adoptSchema: true })\`, or drop the schema: \`drop schema ${quoteIdentifier(schemaName)} cascade\`.`,
  };
}

function missing(schemaName: string): Finding {
  return {
    kind: 'schema-missing',
    schemaName,
    message: 'the tenant has no schema in the database',
    remedy:
      'Restore the schema from a backup, create an empty one with `tenants().provision(…)` or `mikro-orm tenant:provision`, or delete the row.',
  };
}

function markFindings({ schemaName, executed, unknown, error }: TenantMigrationStatus, { mark }: NamedSchema): Finding[] {
  if (mark === SCHEMA_COMMENT) {
    return [];
  }

  // its history says whose it is
  const isOurs = mark === null && executed.length > 0 && unknown.length === 0 && error === undefined;
  const sql = `comment on schema ${quoteIdentifier(schemaName)} is '${SCHEMA_COMMENT}'`;

  return isOurs
    ? [
        {
          kind: 'schema-unmarked',
          schemaName,
          message:
            'the schema lacks the mark of this library, so that it can be neither renamed nor dropped; its history is that of the tenant set',
          remedy: `Mark it: \`${sql}\`.`,
          fix: [{ sql }],
        },
      ]
    : [
        {
          kind: 'schema-foreign',
          schemaName,
          message:
            mark === null ? 'the schema has neither a mark of this library nor a history' : 'the schema has the mark of somebody else',
          remedy: `Find out whose it is. If it is the tenant’s, mark it: \`${sql}\`. Otherwise give the tenant another \`schemaName\`.`,
        },
      ];
}

function historyFindings({ schemaName, pending, unknown, error }: TenantMigrationStatus): Finding[] {
  const isForeign = error?.code === 'SCHEMA_PROTECTED' || error?.code === 'SCHEMA_MISSING';

  return [
    ...(unknown.length === 0
      ? []
      : [
          {
            kind: 'history-unknown' as const,
            schemaName,
            message: `the history has migrations that the set has not: ${unknown.join(', ')}`,
            remedy: 'Deploy the release that has them, or take them out of the history with `mikro-orm migration:unlog --tenants`.',
          },
        ]),
    ...(error === undefined || isForeign
      ? []
      : [{ kind: 'history-broken' as const, schemaName, message: reasonOf(error), remedy: 'Do as the message says.' }]),
    ...(pending.length === 0 || error !== undefined
      ? []
      : [
          {
            kind: 'history-behind' as const,
            schemaName,
            message: `${pending.length === 1 ? 'a migration is' : `${pending.length} migrations are`} pending, first ${pending[0]}`,
            remedy: 'Run `mikro-orm migration:up --tenants`.',
          },
        ]),
  ];
}

async function deletedFindings(database: TenantDatabase): Promise<Finding[]> {
  return (await findDeleted(database)).flatMap(({ id, hasRow, hasSchema, schemaName }): Finding[] => {
    if (hasRow && hasSchema && schemaName !== undefined) {
      return [];
    }

    const lack = hasSchema ? (hasRow ? 'its schema has lost its mark' : 'its row is gone') : 'its schema is gone';

    return [
      {
        kind: 'deleted-incomplete',
        schemaName: id,
        message: `the tenant${schemaName === undefined ? '' : ` ${schemaName}`} was deleted and cannot be restored: ${lack}`,
        remedy: `Drop what is left of it: \`mikro-orm tenant:purge ${id}\`.`,
      },
    ];
  });
}

function bySchema(a: Finding, b: Finding): number {
  return (a.schemaName ?? '') < (b.schemaName ?? '') ? -1 : 1;
}
