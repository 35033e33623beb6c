import type { ConnectionUse, DatabaseConnection, Driver } from '../statements/kysely-types.js';

/** Acquires a connection and does at once what is to be done with it, also on a driver that is not one of the library's. */
export function acquireFor<Result>(
  driver: Driver,
  options: object | undefined,
  given: ConnectionUse<DatabaseConnection, Result>,
): Promise<Result> {
  return isUsing(driver) ? driver.acquireConnection(options, given) : driver.acquireConnection(options).then(given.use, given.fail);
}

function isUsing(driver: Driver | UsingDriver): driver is UsingDriver {
  return 'takesUse' in driver;
}

/** A driver of the library's, which does what is given with the connection before its promise is resolved. */
export interface UsingDriver {
  readonly takesUse: true;

  acquireConnection<Result>(options: object | undefined, given: ConnectionUse<any, Result>): Promise<Result>;
}

/** Gives it to whoever has asked, and does nothing with it. */
export const PASSED_ON = {
  use: (connection: any): any => connection as unknown,
  fail: (error: unknown): never => {
    throw error;
  },
};
