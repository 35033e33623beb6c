import pg from 'pg';

/** What has to be done where there is no cluster. */
export function citusRemedy(): string | undefined {
  return (process.env['CITUS_URL'] ?? '') === '' || citusWorkers().length === 0 ? REMEDY : undefined;
}

/** The ports of the workers, on the host of the coordinator. */
function citusWorkers(): number[] {
  return (process.env['CITUS_WORKERS'] ?? '')
    .split(',')
    .filter(port => port !== '')
    .map(Number);
}

/** Makes reference tables of the shared tables that tenants refer to, on Citus alone: the migrations of fixtures are those of a PostgreSQL. */
export async function shareTables(orm: {
  readonly schema: { getUpdateSchemaSQL(): Promise<string> };
  readonly em: { execute(sql: string): Promise<unknown> };
}): Promise<void> {
  if (process.env['SPEC_DATABASES']?.includes('citus') !== true) {
    return;
  }

  for (const sql of (await orm.schema.getUpdateSchemaSQL()).split(';\n').filter(each => each.includes('create_reference_table'))) {
    await orm.em.execute(sql);
  }
}

/** A role that is no superuser, and may create schemas in the database. Citus makes it on each node. Its password is its name. */
export async function createOrdinaryUser(url: string, name: string, { createrole = false } = {}): Promise<void> {
  await ask(url, async client => {
    await client.query(`create role "${name}" login ${createrole ? 'createrole' : ''} password '${name}'`);
    await client.query(`grant create on database "${new URL(url).pathname.slice(1)}" to "${name}"`);
    await client.query(`grant create, usage on schema public to "${name}"`);
  });
}

/** Removes the role from the cluster, with what it owns in the database. */
export async function dropOrdinaryUser(url: string, name: string): Promise<void> {
  await ask(url, async client => {
    await client.query(`drop owned by "${name}" cascade`);
    await client.query(`drop role "${name}"`);
  });
}

/** A database on each node, which are a cluster of their own. */
export interface CitusDatabase {
  /** Of the coordinator. */
  readonly url: string;
  /** Of each worker, past every proxy. */
  readonly workers: readonly string[];
  drop(): Promise<void>;
}

/** `portOf` says under which port the coordinator, and the other workers, find a worker: that of a proxy, where a spec wants the worker to go away. */
export async function createCitusDatabase(
  name: string,
  portOf: (workerUrl: string) => Promise<number> = async url => Number(new URL(url).port),
): Promise<CitusDatabase> {
  const coordinator = urlOf(undefined, undefined);
  const servers = [coordinator, ...citusWorkers().map(port => urlOf(port, undefined))];

  for (const server of servers) {
    await ask(server, async client => {
      // each node makes its own
      await client.query('set citus.enable_create_database_propagation to off');
      await client.query(`create database "${name}"`);
    });
  }

  const [url = '', ...workers] = servers.map(server => urlOf(Number(new URL(server).port), name));

  for (const each of [url, ...workers]) {
    await ask(each, client => client.query('create extension citus'));
  }

  await ask(url, async client => {
    const { hostname, port } = new URL(url);
    await client.query('select citus_set_coordinator_host($1, $2)', [hostname, Number(port)]);

    for (const worker of workers) {
      await client.query('select citus_add_node($1, $2)', [hostname, await portOf(worker)]);
    }
  });

  return {
    url,
    workers,
    drop: async () => {
      for (const server of servers) {
        await ask(server, async client => {
          await client.query('set citus.enable_create_database_propagation to off');
          await client.query(`drop database if exists "${name}" with (force)`);
        });
      }
    },
  };
}

function urlOf(port: number | undefined, database: string | undefined): string {
  const url = new URL(process.env['CITUS_URL'] ?? '');
  url.port = port === undefined ? url.port : String(port);
  url.pathname = database === undefined ? url.pathname : `/${database}`;

  return url.href;
}

async function ask(url: string, fn: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'spec observer' });
  await client.connect();

  try {
    await fn(client);
  } finally {
    await client.end();
  }
}

const REMEDY =
  'These specs need a Citus cluster, and there is none. Set CITUS_URL to its coordinator, as a superuser and with a database to connect to, and ' +
  'CITUS_WORKERS to the ports of its workers, separated by commas.';
