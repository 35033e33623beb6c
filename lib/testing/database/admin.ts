import { TestDatabaseError } from '../../errors/testing-errors.js';
import { packageOf } from './peer.js';

/** A connection of the kit's own to the server, past the ORM. */
export interface Admin {
  query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** @throws TestDatabaseError `TEST_SERVER` */
export async function connect(url: string): Promise<Admin> {
  const { Client } = packageOf<Pg>('@mikro-orm/postgresql', 'pg');
  const client = new Client({ connectionString: url, application_name: 'landlord testing' });
  // the lease lives as long as the worker; without a listener its loss would end the process
  client.on('error', () => undefined);

  try {
    await client.connect();
  } catch (error) {
    throw TestDatabaseError.noServer(error);
  }

  return {
    query: async <Row>(sql: string, values?: readonly unknown[]) => (await client.query(sql, values)).rows as Row[],
    close: () => client.end(),
  };
}

/** The URL of another database on the same server. */
export function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;

  return url.href;
}

interface Pg {
  readonly Client: new (options: object) => {
    on(event: 'error', listener: () => void): unknown;
    connect(): Promise<unknown>;
    query(sql: string, values?: readonly unknown[]): Promise<{ readonly rows: unknown[] }>;
    end(): Promise<void>;
  };
}
