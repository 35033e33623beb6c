import { findDeleted } from '../../database/deleted-tenants.js';
import { SCHEMA_COMMENT } from '../../database/owned-schemas.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { reasonOf } from '../../errors/index.js';
import { migrationStatus, type TenantMigrationStatus } from '../../migrations/run/status.js';
import { quoteIdentifier } from '../../postgres/schema-name.js';
import type { Finding } from './finding.js';

/** Rows, schemas, marks and histories that do not fit together: one statement for all schemas, and one for each 250 histories. */
export async function checkSchemas(
  database: TenantDatabase,
): Promise<{ readonly names: ReadonlySet<string>; readonly findings: Finding[] }> {
  const { tenants, orphans } = await migrationStatus(database);
  const marks = new Map(
    (
      await database.execute<{ name: string; mark: string | null }>(
        `select nspname::text as name, obj_description(oid, 'pg_namespace') as mark from pg_namespace`,
        [],
        undefined,
      )
    ).map(({ name, mark }) => [name, mark]),
  );
  const findings = [
    ...orphans.map(orphaned),
    ...tenants.flatMap(tenant => [...schemaFindings(tenant, marks), ...historyFindings(tenant)]),
    ...(await deletedFindings(database)),
  ];

  return { names: new Set(tenants.map(({ schemaName }) => schemaName)), findings };
}

function orphaned(schemaName: string): Finding {
  return {
    kind: 'schema-orphaned',
    schemaName,
    message: 'the schema was made for a tenant, and no tenant has it',
    remedy: `Create its tenant again with \`tenants().create(data, { adoptSchema: true })\`, or drop the schema: \`drop schema ${quoteIdentifier(schemaName)} cascade\`.`,
  };
}

function schemaFindings(
  { schemaName, hasSchema, executed, unknown, error }: TenantMigrationStatus,
  marks: ReadonlyMap<string, string | null>,
): Finding[] {
  if (!hasSchema) {
    return [
      {
        kind: 'schema-missing',
        schemaName,
        message: 'the tenant has no schema in the database',
        remedy: 'Restore the schema from a backup, create an empty one with `tenants().provision(…)`, or delete the row.',
      },
    ];
  }

  const mark = marks.get(schemaName);

  if (mark === SCHEMA_COMMENT) {
    return [];
  }

  // its history says whose it is
  const isOurs = mark == null && executed.length > 0 && unknown.length === 0 && error === undefined;
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
            mark == null ? 'the schema has neither a mark of this library nor a history' : 'the schema has the mark of somebody else',
          remedy: `Find out whose it is. If it is the tenant’s, mark it: \`${sql}\`. Otherwise give the tenant another \`schemaName\`.`,
        },
      ];
}

function historyFindings({ schemaName, hasSchema, pending, unknown, error }: TenantMigrationStatus): Finding[] {
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
    ...(pending.length === 0 || !hasSchema || error !== undefined
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
