import type { ConnectionUse, DatabaseConnection, Driver } from './kysely-types.js';

/** Acquires a connection and does at once what is to be done with it, also on a driver that is not one of the library's. */
export function acquireFor<Result>(
  driver: Driver,
  options: object | undefined,
  given: ConnectionUse<DatabaseConnection, Result>,
): Promise<Result> {
  return driver.acquireFor?.(options, given) ?? driver.acquireConnection(options).then(given.use, given.fail);
}

/** Does nothing with it. */
export const AS_IT_IS = {
  use: <Connection>(connection: Connection): Connection => connection,
  fail: (error: unknown): never => {
    throw error;
  },
};
