import { setTimeout as pause } from 'node:timers/promises';
import { forLibrary } from '../../connection/statements/sql-target.js';
import { tenantColumns } from '../../database/deleted-tenants.js';
import type { TenantDatabase } from '../../database/tenant-database.js';
import { reasonOf } from '../../errors/index.js';
import { lacksTable } from '../../postgres/sql-state.js';
import type { Finding } from './finding.js';

/**
 * Whether each read replica has replayed what the primary had written a moment ago, and knows the tenants that the primary has. A replica that is no
 * standby of PostgreSQL, such as one by logical replication, is judged by its tenants alone.
 */
export async function checkReplicas(database: TenantDatabase, names: ReadonlySet<string>): Promise<Finding[]> {
  const { replicas = [] } = database.orm.em.getDriver() as unknown as { readonly replicas?: readonly Replica[] };

  if (replicas.length === 0) {
    return [];
  }

  const position = await writtenBy(database);
  const findings = await Promise.all(
    replicas.map((replica, index) => checkReplica(database, { replica, object: `replica ${index + 1}`, names, position })),
  );

  return findings.flat();
}

async function checkReplica(
  database: TenantDatabase,
  {
    replica,
    object,
    names,
    position,
  }: { readonly replica: Replica; readonly object: string; readonly names: ReadonlySet<string>; readonly position: string | undefined },
): Promise<Finding[]> {
  const finding = (message: string): Finding => ({
    kind: 'replica-behind',
    object,
    message: `${object} ${message}`,
    remedy: 'Look at the replication (`pg_stat_replication` on the primary). Until it has caught up, reads there miss tenants and rows.',
  });
  const ask = async (): Promise<Answer> => ({
    lacked: await lackedBy(database, replica, names),
    delay: position === undefined ? undefined : await delayOf(database, replica, position),
  });

  try {
    let { lacked, delay } = await ask();

    // what was written a moment ago may be on its way
    for (let waited = 0; waited < CATCHES_UP_MS && (lacked.length > 0 || delay !== undefined); waited += PAUSE_MS) {
      await pause(PAUSE_MS);
      ({ lacked, delay } = await ask());
    }

    // one that was dropped meanwhile is lacked rightly
    const present = new Set(lacked.length === 0 ? [] : await database.tenants.findSchemaNames());
    lacked = lacked.filter(name => present.has(name));

    return [
      ...(delay === undefined ? [] : [finding(`has not replayed what the primary had written ${CATCHES_UP_MS / 1000} s before: ${delay}`)]),
      ...(lacked.length === 0 ? [] : [finding(`lacks ${lacked.length} of ${names.size} tenants, such as ${lacked[0]}`)]),
    ];
  } catch (error) {
    return [finding(`cannot be asked: ${reasonOf(error)}`)];
  }
}

/** The position of the primary in its log. Undefined where the server does not tell. */
async function writtenBy(database: TenantDatabase): Promise<string | undefined> {
  try {
    const [row] = await database.execute<{ position: string }>('select pg_current_wal_lsn()::text as position', [], undefined);

    return row?.position;
  } catch {
    return undefined;
  }
}

/** How far the replica is behind the position, in words. Undefined if it has reached it, and if it is no standby. */
async function delayOf({ orm: { config } }: TenantDatabase, replica: Replica, position: string): Promise<string | undefined> {
  const [row] = await forLibrary(config, () =>
    replica.execute<{ bytes: number | string | null; seconds: number | string | null }[]>(
      `select pg_wal_lsn_diff(?::pg_lsn, pg_last_wal_replay_lsn()) as bytes,
        extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) as seconds where pg_is_in_recovery()`,
      [position],
      'all',
    ),
  );

  if (row === undefined || row.bytes === null || Number(row.bytes) <= 0) {
    return undefined;
  }

  const since = row.seconds === null ? '' : `, and its latest transaction is ${Math.round(Number(row.seconds))} s old`;

  return `it is ${Math.ceil(Number(row.bytes) / 1024)} kB behind${since}`;
}

async function lackedBy(
  { orm: { config }, rules }: TenantDatabase,
  replica: Replica,
  names: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { table, schemaName } = tenantColumns(rules);

  try {
    const rows = await forLibrary(config, () =>
      replica.execute<{ name: string }[]>(`select ${schemaName} as name from ${table}`, [], 'all'),
    );
    const known = new Set(rows.map(({ name }) => name));

    return [...names].filter(name => !known.has(name));
  } catch (error) {
    if (lacksTable(error)) {
      return [...names];
    }

    throw error;
  }
}

interface Answer {
  readonly lacked: readonly string[];
  readonly delay: string | undefined;
}

interface Replica {
  execute<Result>(sql: string, params: readonly unknown[], method: 'all'): Promise<Result>;
}

/** How long a replica may take for what the primary has. */
const CATCHES_UP_MS = 1_000;

const PAUSE_MS = 100;
