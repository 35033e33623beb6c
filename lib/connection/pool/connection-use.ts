import type { ConnectionUse, Driver } from '../statements/kysely-types.js';

/** What acquires a connection of the driver and does at once what is to be done with it, also on a driver that is not one of the library's. */
export function usingDriver(driver: Driver | UsingDriver): UsingDriver {
  return isUsing(driver)
    ? driver
    : { takesUse: true, acquireConnection: (options, { use, fail }) => driver.acquireConnection(options).then(use, fail) };
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
