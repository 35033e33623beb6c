import type { Options } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { asObserver } from '../assertions/statement-watch.ts';
import { createDatabase, type SpecDatabase } from './database.ts';
import { borrowPglite, returnPglite } from './empty-pglite.ts';

/** A second database. */
export interface OwnDatabase {
  readonly query: SpecDatabase['query'];
  readonly options: () => Partial<Options<any, any, any>>;
}

/** An empty database of the same kind and version as the given one, which closes it. */
export async function ownDatabase(
  { kind, isCitus, atEnd }: Pick<SpecDatabase, 'kind' | 'isCitus' | 'atEnd'>,
  title: string,
): Promise<OwnDatabase> {
  if (kind === 'pglite') {
    const pglite = await borrowPglite();
    atEnd(() => returnPglite(pglite));

    return {
      query: (sql, params = []) => asObserver(async () => (await pglite.query(sql, params)).rows as any),
      options: () => ({ driver: PgliteDriver, dbName: 'memory://', driverOptions: { pglite } }),
    };
  }

  // rows without an order are compared too, and their order depends on the version
  const database = await createDatabase(title, isCitus ? { server: process.env['CITUS_URL'] } : {});
  atEnd(() => database.close());

  return { query: database.query, options: () => ({ driver: PostgreSqlDriver, clientUrl: database.url }) };
}
