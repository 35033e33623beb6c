import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import pg from 'pg';
import type { SpecDatabase } from './database.ts';

/** The one database of a server, asked anew each time. */
export function databaseOfServer(url: string, atEnd: SpecDatabase['atEnd']): SpecDatabase {
  return {
    atEnd,
    kind: 'postgresql',
    isCitus: false,
    url,
    statements: [],
    options: () => ({ driver: PostgreSqlDriver, clientUrl: url, logger: () => undefined }),
    query: async (sql, params = []) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();

      try {
        return (await client.query(sql, params)).rows;
      } finally {
        await client.end();
      }
    },
  };
}
